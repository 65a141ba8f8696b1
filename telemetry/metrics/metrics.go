// Package metrics counts and times what a process does, and tells it to Prometheus (SPEC OPS-3).
//
// No label holds an id, a name or an address of anybody: their values are routes, commands, projections with their
// versions, and outcomes. Partitions are summed up, or the worst of them is told. docs/metrics.md lists all metrics.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rolewise/eventstore/otel"
)

// Metrics is all that one process tells, in a registry of its own.
type Metrics struct {
	registry *prometheus.Registry
	own      []prometheus.Collector // ours, without those of the Go runtime and the process

	requests *prometheus.HistogramVec
	inFlight prometheus.Gauge

	commands        *prometheus.CounterVec
	commandDuration *prometheus.HistogramVec

	appends        *prometheus.CounterVec
	appendDuration prometheus.Histogram
	appended       prometheus.Counter
	read           prometheus.Counter
	writable       prometheus.Gauge

	pageEvents     *prometheus.HistogramVec
	foldDuration   *prometheus.HistogramVec
	commits        *prometheus.CounterVec
	commitDuration *prometheus.HistogramVec
	parkings       *prometheus.CounterVec
	rebuilds       *prometheus.CounterVec
}

// Buckets in seconds: answers to people, and what happens inside the machine.
var (
	answerBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	insideBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}
	pageBuckets   = []float64{1, 2, 4, 16, 64, 256, 512, 1024}
)

// New returns metrics of a version of the program.
func New(version string) *Metrics {
	m := &Metrics{
		requests:        histogram("http_request_duration_seconds", "Time from a request's header to the end of its answer; without streams of changes, which last for hours.", answerBuckets, "method", "route", "status"),
		inFlight:        gauge("http_requests_in_flight", "Requests that are being answered, streams of changes among them."),
		commands:        counter("commands_total", "Commands, by how they ended.", "command", "outcome"),
		commandDuration: histogram("command_duration_seconds", "Time to carry out a command, with its appends.", answerBuckets, "command"),
		appends:         counter("event_store_appends_total", "Appends, by how they ended. A conflict is an optimistic one: the command is decided anew.", "outcome"),
		appendDuration:  histogram("event_store_append_duration_seconds", "Time until an append is durable, or refused.", insideBuckets).With(nil).(prometheus.Histogram),
		appended:        counter("event_store_events_appended_total", "Events appended.").With(nil),
		read:            counter("event_store_events_followed_total", "Events that the projections and other followers of the log were given.").With(nil),
		writable:        gauge("event_store_writable", "Whether the last append found the event store ready to write: 1, or 0 after a failure of the disk or the connection."),
		pageEvents:      histogram("projection_page_events", "Events of a page that a projection committed for one partition.", pageBuckets, "projection"),
		foldDuration:    histogram("projection_fold_duration_seconds", "Time to fold a page, with what is read of the read model, without the commit.", insideBuckets, "projection"),
		commits:         counter("projection_commits_total", "Commits to read models, by how they ended.", "projection", "outcome"),
		commitDuration:  histogram("projection_commit_duration_seconds", "Time of a commit to a read model.", insideBuckets, "projection"),
		parkings:        counter("projection_parkings_total", "Streams that began to be held back since an event of theirs could not be applied.", "projection"),
		rebuilds:        counter("projection_rebuilds_total", "Partitions of read models that began anew: lost, damaged, or of an earlier epoch of the log.", "projection"),
	}
	m.writable.Set(1)
	for _, outcome := range otel.Outcomes {
		m.appends.WithLabelValues(outcome)
	}
	about := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name("build_info"), Help: "1, by the version of the program."}, []string{"version"})
	about.WithLabelValues(version).Set(1)
	m.registry = prometheus.NewRegistry()
	m.register(about, m.requests, m.inFlight, m.commands, m.commandDuration, m.appends, m.appendDuration, m.appended, m.read, m.writable,
		m.pageEvents, m.foldDuration, m.commits, m.commitDuration, m.parkings, m.rebuilds)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers with the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}

func (m *Metrics) register(all ...prometheus.Collector) {
	m.own = append(m.own, all...)
	m.registry.MustRegister(all...)
}

func name(of string) string { return "rolewise_" + of }

func counter(of, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name(of), Help: help}, labels)
}

func gauge(of, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name(of), Help: help})
}

func histogram(of, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name(of), Help: help, Buckets: buckets}, labels)
}
