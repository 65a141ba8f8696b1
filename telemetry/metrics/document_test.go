package metrics

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

const documentFile = "../../docs/metrics.md"

const preamble = `# Metrics

` + "`GET /metrics`" + ` on the admin listener of every process, in the text format of Prometheus. This page is made from the code
(` + "`make golden`" + `). Beside these there are those of the Go runtime (` + "`go_…`" + `) and of the process (` + "`process_…`" + `).

No label holds an id, a name or an address: ` + "`route`" + ` is a template such as ` + "`/v1/plans/:plan/members/:id`" + `, ` + "`projection`" + ` a name
and a version such as ` + "`role-analytics@2`" + `, ` + "`build`" + ` is live (queries read it), next (being built beside it) or before. Partitions are summed up, or the worst of them is told. A process tells only what
it does: leases are those of projectors, commands those of APIs. What cannot be asked while a store is away is left out.

` + "`deploy/grafana/rolewise.json`" + ` is a dashboard of them, ` + "`deploy/prometheus/rules.yml`" + ` are alerts.

| metric | kind | labels | what it tells |
|---|---|---|---|
`

var described = regexp.MustCompile(`^Desc\{fqName: "(\w+)", help: "(.*)", unit: "", constLabels: \{\}, variableLabels: \{([\w,]*)\}\}$`)

// document describes all metrics of ours.
func document(t *testing.T, m *Metrics) string {
	t.Helper()
	var lines []string
	for _, collector := range m.own {
		descs := make(chan *prometheus.Desc, 100)
		collector.Describe(descs)
		close(descs)
		for d := range descs {
			found := described.FindStringSubmatch(d.String())
			if found == nil {
				t.Fatalf("%s cannot be read", d)
			}
			labels := strings.ReplaceAll(found[3], ",", ", ")
			lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |\n", found[1], kindOf(collector, found[1]), labels, found[2]))
		}
	}
	slices.Sort(lines)
	return preamble + strings.Join(lines, "")
}

func kindOf(c prometheus.Collector, name string) string {
	switch c.(type) {
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	if strings.HasSuffix(name, "_total") {
		return "counter"
	}
	return "gauge"
}

func TestDocument(t *testing.T) {
	want := document(t, watch(t).Metrics)
	if *update {
		if err := os.WriteFile(documentFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(documentFile)
	if err != nil || string(got) != want {
		t.Errorf("OPS-3 docs/metrics.md is not what the code exports (%v): run make golden", err)
	}
}
