package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/leases"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests look; events happened before.
var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// watched is metrics of a log of three events, 30, 20 and 10 s old, and two partitions of read models.
type watched struct {
	*Metrics
	log    eventstore.Store
	models readmodels.Store
	broken error // of the keys
}

func watch(t *testing.T) *watched {
	t.Helper()
	log, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{Metrics: New("v1"), log: log, models: memory.New()}
	t.Cleanup(func() { _, _ = log.Close(), w.models.Close() })
	for i := range 3 {
		meta := eventstore.Metadata{Plan: "acme", Time: now.Add(time.Duration(i-3) * 10 * time.Second), Correlation: "c", Schema: 1}
		event := eventstore.Event{ID: uuid.New(), Type: "X", Data: []byte("{}"), Metadata: meta.Encode()}
		if _, err := log.Append(t.Context(), eventstore.StreamID{Category: "member", Plan: "acme", ID: fmt.Sprint(i)}, eventstore.NoStream, event); err != nil {
			t.Fatal(err)
		}
	}
	w.Watch(State{
		Events: log, Models: w.models, Now: func() time.Time { return now },
		Scopes: func() []readmodels.Scope {
			return []readmodels.Scope{readmodels.Roles.In(0), readmodels.Roles.In(1)}
		},
		Faults: func() map[string]error {
			return map[string]error{readmodels.Roles.In(1).String(): errors.New("x")}
		},
		Leases: func() leases.Stats { return leases.Stats{Held: 2, Taken: 3, Lost: 1} },
		Keys:   func(context.Context) error { return w.broken },
		Redis:  func() (used, idle int, timeouts uint64) { return 1, 2, 3 },
	})
	return w
}

// commit brings a partition to a position.
func (w *watched) commit(t *testing.T, partition int, after, to eventstore.Position, parked ...readmodels.ParkedStream) {
	t.Helper()
	tx := readmodels.NewTx(w.models, readmodels.Roles.In(partition))
	for _, one := range parked {
		document, err := readmodels.ParkedStreams.Edit(t.Context(), tx, "acme", one.Stream)
		if err != nil {
			t.Fatal(err)
		}
		*document = one
		tx.Add(readmodels.Catalog, readmodels.ParkedIndex, one.Stream)
	}
	batch, err := tx.Batch()
	if err != nil {
		t.Fatal(err)
	}
	batch.After, batch.Checkpoint = after, readmodels.Checkpoint{Position: to, StoreID: "s", Epoch: 1}
	if err := w.models.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

// scrape returns the samples by name and labels.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", answer.Code, answer.Body)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(answer.Body.String()) {
		var value float64
		at := strings.LastIndexByte(line, ' ')
		if _, err := fmt.Sscan(line[at+1:], &value); err == nil && !strings.HasPrefix(line, "#") {
			samples[line[:at]] = value
		}
	}
	return samples
}

func expect(t *testing.T, got map[string]float64, name string, want float64) {
	t.Helper()
	if value, found := got[name]; !found && !math.IsNaN(want) || found && value != want {
		t.Errorf("OPS-3 %s is %v (told: %v), want %v", name, value, found, want)
	}
}

var absent = math.NaN()

func TestState(t *testing.T) {
	version := label(readmodels.Roles)
	roles, counted := `{build="live",projection="`+version+`"}`, `{projection="`+version+`"}`
	w := watch(t)
	t.Run("OPS-3 nothing read", func(t *testing.T) {
		got := scrape(t, w.Metrics)
		expect(t, got, "rolewise_projection_lag_seconds"+roles, 30)
		expect(t, got, "rolewise_projection_lag_positions"+roles, 3)
		expect(t, got, "rolewise_projection_progress_ratio"+roles, 0)
	})
	t.Run("OPS-3 the hindmost partition counts", func(t *testing.T) {
		w.commit(t, 0, 0, 3, readmodels.ParkedStream{Stream: "role-acme.1", Count: 4}, readmodels.ParkedStream{Stream: "role-acme.2", Count: 1})
		w.commit(t, 1, 0, 1, readmodels.ParkedStream{Stream: "role-acme.3", Count: 2})
		got := scrape(t, w.Metrics)
		expect(t, got, "rolewise_projection_lag_seconds"+roles, 20)
		expect(t, got, "rolewise_projection_lag_positions"+roles, 2)
		expect(t, got, "rolewise_projection_progress_ratio"+roles, 1.0/3)
		expect(t, got, "rolewise_projection_parked_streams"+roles, 3)
		expect(t, got, "rolewise_projection_parked_events"+roles, 7)
		expect(t, got, "rolewise_projection_faults"+roles, 1)
		expect(t, got, "rolewise_event_store_head_position", 3)
		expect(t, got, "rolewise_leases_held", 2)
		expect(t, got, "rolewise_leases_taken_total", 3)
		expect(t, got, "rolewise_leases_lost_total", 1)
		expect(t, got, "rolewise_redis_connections_idle", 2)
		expect(t, got, "rolewise_projection_parkings_total"+counted, 0)
	})
	t.Run("OPS-3 at the end of the log there is no lag, however old it is", func(t *testing.T) {
		w.commit(t, 1, 1, 3)
		got := scrape(t, w.Metrics)
		expect(t, got, "rolewise_projection_lag_seconds"+roles, 0)
		expect(t, got, "rolewise_projection_progress_ratio"+roles, 1)
	})
	t.Run("OPS-3 a build beside the live one is told by itself", func(t *testing.T) {
		_, err := readmodels.ChangeBuilds(t.Context(), w.models, readmodels.Roles.Projection, func(*readmodels.Builds) (*readmodels.Builds, error) {
			return &readmodels.Builds{
				Live: readmodels.Roles.Build(), Next: &readmodels.Next{Build: readmodels.Build{Version: readmodels.Roles.Version, Number: 77}}, Before: &readmodels.Build{Version: 99},
			}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got := scrape(t, w.Metrics)
		expect(t, got, "rolewise_projection_progress_ratio"+roles, 1)
		expect(t, got, `rolewise_projection_progress_ratio{build="next",projection="`+version+`"}`, 0)
		expect(t, got, `rolewise_projection_lag_seconds{build="next",projection="`+version+`"}`, 30)
		expect(t, got, `rolewise_projection_lag_positions{build="before",projection="roles@99"}`, 3)
	})
	t.Run("OPS-3 keys, read models and log that do not answer", func(t *testing.T) {
		w.broken = errors.New("x")
		_ = w.models.Close()
		got := scrape(t, w.Metrics)
		expect(t, got, "rolewise_keys_up", 0)
		expect(t, got, "rolewise_read_models_up", 0)
		expect(t, got, "rolewise_event_store_up", 1)
		if _, told := got["rolewise_projection_lag_seconds"+roles]; told {
			t.Error("a lag is told that nobody knows")
		}
		_ = w.log.Close()
		expect(t, scrape(t, w.Metrics), "rolewise_event_store_up", 0)
	})
}

func TestRecord(t *testing.T) {
	m := New("v1")
	m.Command("invite-member", "done", time.Second)
	unavailable := &eventstore.UnavailableError{Err: errors.New("disk full")}
	for i, step := range []struct {
		err      error
		writable float64
	}{{nil, 1}, {unavailable, 0}, {&eventstore.InvalidError{}, 0}, {&eventstore.ConflictError{}, 1}, {unavailable, 0}, {nil, 1}, {eventstore.ErrClosed, 1}} {
		m.Appended(2, time.Second, step.err)
		if got := scrape(t, m)["rolewise_event_store_writable"]; got != step.writable {
			t.Errorf("OPS-3 step %d: writable is %v", i, got)
		}
	}
	m.Read(5)
	m.Applied(readmodels.Analytics.In(3), 0, time.Second)
	m.Applied(readmodels.Analytics.In(4), 7, time.Second)
	m.Parked(readmodels.Analytics.In(1))
	m.BegunAnew(readmodels.Analytics)
	m.Committed(readmodels.Analytics, time.Second, fmt.Errorf("commit: %w", &readmodels.FencedError{}))
	got := scrape(t, m)
	analytics := fmt.Sprintf(`projection="role-analytics@%d"`, readmodels.Analytics.Version)
	for name, want := range map[string]float64{
		`rolewise_commands_total{command="invite-member",outcome="done"}`:       1,
		`rolewise_event_store_appends_total{outcome="done"}`:                    2,
		`rolewise_event_store_appends_total{outcome="unavailable"}`:             3,
		"rolewise_event_store_events_appended_total":                            4,
		"rolewise_event_store_events_followed_total":                            5,
		"rolewise_projection_page_events_count{" + analytics + "}":              1,
		"rolewise_projection_page_events_sum{" + analytics + "}":                7,
		"rolewise_projection_parkings_total{" + analytics + "}":                 1,
		"rolewise_projection_rebuilds_total{" + analytics + "}":                 1,
		`rolewise_projection_commits_total{outcome="fenced",` + analytics + "}": 1,
		`rolewise_build_info{version="v1"}`:                                     1,
	} {
		expect(t, got, name, want)
	}
}

func TestHTTP(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	m, engine := New("v1"), gin.New()
	engine.Use(m.HTTP())
	engine.GET("/members/:id", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	engine.GET("/stream", func(c *gin.Context) {
		if c.Query("refused") == "" {
			c.Header("Content-Type", "text/event-stream")
		}
		c.Status(http.StatusOK)
	})
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/members/canary", nil), httptest.NewRequest("CANARY", "/members/canary", nil), httptest.NewRequest(http.MethodGet, "/canary", nil),
		httptest.NewRequest(http.MethodGet, "/stream", nil), httptest.NewRequest(http.MethodGet, "/stream?refused=1", nil),
	} {
		engine.ServeHTTP(httptest.NewRecorder(), r)
	}
	got := scrape(t, m)
	expect(t, got, `rolewise_http_request_duration_seconds_count{method="GET",route="/members/:id",status="2xx"}`, 1)
	expect(t, got, `rolewise_http_request_duration_seconds_count{method="other",route="none",status="4xx"}`, 1)
	expect(t, got, `rolewise_http_request_duration_seconds_count{method="GET",route="none",status="4xx"}`, 1)
	expect(t, got, "rolewise_http_requests_in_flight", 0)
	t.Run("OPS-3 ANA-9 a stream is not a slow request", func(t *testing.T) {
		expect(t, got, `rolewise_http_request_duration_seconds_count{method="GET",route="/stream",status="2xx"}`, 1)
	})
	for name := range got {
		if strings.Contains(strings.ToLower(name), "canary") {
			t.Errorf("OPS-3 a label tells what a client sent: %s", name)
		}
	}
}

func TestOutcome(t *testing.T) {
	for kind := domain.Invalid; kind <= domain.Forbidden; kind++ {
		if got, failed := Outcome(fmt.Errorf("x: %w", &domain.Error{Kind: kind})); got == "" || failed {
			t.Errorf("OPS-3 a refusal of kind %d is %q, failed %v", kind, got, failed)
		}
	}
	if got, failed := Outcome(&eventstore.UnavailableError{Err: errors.New("x")}); got != "unavailable" || !failed {
		t.Errorf("OPS-3 %s, failed %v", got, failed)
	}
}

func TestLint(t *testing.T) {
	w := watch(t)
	problems, err := testutil.GatherAndLint(w.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("OPS-3 %s: %s", p.Metric, p.Text)
	}
	if found, err := promlint.New(strings.NewReader("# TYPE rolewise_bad_total gauge\nrolewise_bad_total 1\n")).Lint(); err != nil || len(found) == 0 {
		t.Errorf("the linter finds nothing wrong: %v", err)
	}
}
