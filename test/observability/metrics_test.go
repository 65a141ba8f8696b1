package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// dashboard is what Grafana is given, as far as it matters here.
type dashboard struct {
	UID, Title string
	Panels     []struct {
		ID          int
		Type, Title string
		GridPos     struct{ H, W, X, Y int }
		FieldConfig struct{ Defaults struct{ Unit string } }
		Targets     []struct {
			Expr       string
			Datasource struct{ UID string }
		}
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// rules is what Prometheus is given.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	content, err := os.ReadFile("../../deploy/grafana/rolewise.json")
	if err == nil {
		err = json.Unmarshal(content, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	content, err := os.ReadFile("../../deploy/prometheus/rules.yml")
	if err == nil {
		err = yaml.UnmarshalWithOptions(content, &r, yaml.Strict())
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// expressions are all that the dashboard and the alerts ask Prometheus, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	d := readDashboard(t)
	for _, panel := range d.Panels {
		for i, target := range panel.Targets {
			all[fmt.Sprintf("panel %q, query %d", panel.Title, i)] = target.Expr
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition == "" { // of a variable that asks nothing
			continue
		}
		all["variable "+v.Name] = v.Definition
	}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			all["alert "+rule.Alert] = rule.Expr
		}
	}
	return all
}

// scrape reads the metrics of a process.
func scrape(t *testing.T, p *harness.Process) (text []byte, families map[string]*dto.MetricFamily) {
	t.Helper()
	text = harness.Client{Base: p.AdminURL}.Get(t, "/metrics").Body
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, families
}

// work does a little of everything, with what must not be told in every place where a client can put it.
func work(t *testing.T, s *harness.Server) {
	t.Helper()
	s.Operator.Command(t, "", "create-plan", canaryOwner)
	answer := s.Operator.Command(t, canaryPlan, "invite-member", harness.Body{"member": canaryMember, "name": canaryName, "email": canaryEmail})
	s.Operator.Get(t, "/v1/plans/"+canaryPlan+"/members/"+canaryMember, "min_position", answer.Position)
	s.Operator.Get(t, "/v1/plans/"+canaryPlan+"/members", "q", canaryName, "min_position", answer.Position)
	for _, r := range []harness.Request{
		{Method: http.MethodGet, Path: "/v1/plans/" + canaryPlan + "/nothing/" + canaryMember},
		{Method: "CANARY", Path: "/" + canaryMember},
		{Method: http.MethodPost, Path: harness.CommandPath(canaryPlan, "canary-command"), Body: []byte("{}")},
		{Method: http.MethodPost, Path: harness.CommandPath(canaryPlan, "invite-member"), Body: []byte(`{"name":"` + canaryName + `","email":"` + canaryEmail + `"}`)},
	} {
		if response, err := s.Operator.Do(t.Context(), r); err != nil || response.Status < 400 {
			t.Fatalf("%s %s: %d, %v", r.Method, r.Path, response.Status, err)
		}
	}
}

var metricName = regexp.MustCompile(`\brolewise_[a-z0-9_]+`)

func TestMetrics(t *testing.T) {
	server := harness.Serve(t, t.TempDir(), redistest.Start(t))
	work(t, server)
	text, families := scrape(t, server.Process)
	exported := func(name string) bool {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			base, cut := strings.CutSuffix(name, suffix)
			if family := families[base]; cut && family != nil && (suffix == "" || family.GetType() == dto.MetricType_HISTOGRAM) {
				return true
			}
		}
		return false
	}
	t.Run("OPS-3 the dashboard and the alerts ask for what is exported", func(t *testing.T) {
		asked := map[string]bool{}
		for where, expression := range expressions(t) {
			names := metricName.FindAllString(expression, -1)
			if len(names) == 0 {
				t.Errorf("%s asks for nothing of ours: %s", where, expression)
			}
			for _, name := range names {
				asked[strings.NewReplacer("_bucket", "", "_sum", "", "_count", "").Replace(name)] = true
				if !exported(name) {
					t.Errorf("%s asks for %s, which is not exported", where, name)
				}
			}
		}
		for name := range families {
			if strings.HasPrefix(name, "rolewise_") && !asked[name] && !asked[strings.TrimSuffix(name, "_count")] {
				t.Errorf("nobody asks for %s", name)
			}
		}
	})
	t.Run("OPS-3 all that docs/metrics.md lists is exported", func(t *testing.T) {
		page, err := os.ReadFile("../../docs/metrics.md")
		if err != nil {
			t.Fatal(err)
		}
		listed := regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllSubmatch(page, -1)
		if len(listed) < 30 {
			t.Fatalf("%d metrics are listed", len(listed))
		}
		for _, name := range listed {
			if families[string(name[1])] == nil {
				t.Errorf("%s is not exported", name[1])
			}
		}
	})
	t.Run("OPS-3 the linter of Prometheus is content", func(t *testing.T) {
		problems, err := promlint.New(bytes.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
	t.Run("OPS-3 nothing tells of a person, a plan or a member", func(t *testing.T) {
		for _, canary := range []string{"canary", "finch", canaryMember, "example.org"} {
			if at := strings.Index(strings.ToLower(string(text)), canary); at >= 0 {
				t.Errorf("%s", text[max(0, at-200):at+50])
			}
		}
	})
	t.Run("OPS-3 labels have few values", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(families)) {
			if n := len(families[name].GetMetric()); strings.HasPrefix(name, "rolewise_") && n > 60 {
				t.Errorf("%s has %d series", name, n)
			}
		}
	})
	t.Run("OPS-3 values", func(t *testing.T) {
		for name, least := range map[string]float64{
			"rolewise_event_store_up": 1, "rolewise_read_models_up": 1, "rolewise_keys_up": 1, "rolewise_event_store_writable": 1,
			"rolewise_leases_held": 1, "rolewise_event_store_events_appended_total": 4, "rolewise_redis_connections_idle": 1,
		} {
			metric := families[name].GetMetric()[0]
			if got := metric.GetGauge().GetValue() + metric.GetCounter().GetValue(); got < least {
				t.Errorf("%s is %v, want at least %v", name, got, least)
			}
		}
		for name, want := range map[string]string{
			"rolewise_commands_total": `command:invite-member outcome:done`, "rolewise_projection_page_events": `projection:directory@`,
			"rolewise_http_request_duration_seconds": "method:POST route:/v1/plans/:plan/commands/invite-member status:2xx",
		} {
			if !slices.ContainsFunc(families[name].GetMetric(), func(m *dto.Metric) bool { return strings.HasPrefix(labels(m), want) }) {
				t.Errorf("%s has no series of %s", name, want)
			}
		}
	})
}

func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.GetLabel() {
		all = append(all, l.GetName()+":"+l.GetValue())
	}
	return strings.Join(all, " ")
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids, cells := map[int]bool{}, map[[2]int]string{}
	rows := map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("OPS-3 panel %d %q: the id is not its own, or there is no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows[p.Title] = true
		} else if len(p.Targets) == 0 || p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("OPS-3 panel %q has no query or no unit", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("OPS-3 panel %q asks the data source %q of one installation", p.Title, target.Datasource.UID)
			}
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("OPS-3 panel %q lies over %q or beyond the page", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, row := range []string{"Commands", "Event store", "Projections", "Redis", "HTTP"} {
		if !rows[row] {
			t.Errorf("OPS-3 there is no row %s", row)
		}
	}
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range readRules(t).Groups {
		for _, r := range group.Rules {
			if seen[r.Alert] || r.Expr == "" || r.Annotations["summary"] == "" || r.Annotations["action"] == "" ||
				!slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("OPS-3 alert %q lacks something, or there are two", r.Alert)
			}
			seen[r.Alert] = true
		}
	}
	for _, alert := range []string{"RolewiseLag", "RolewiseParked", "RolewiseDown"} {
		if !seen[alert] {
			t.Errorf("OPS-3 there is no alert %s", alert)
		}
	}
}
