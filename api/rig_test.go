package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

const operatorKey = "operator-key-for-tests"

// rig is the real API on a real event store, with projections that follow it.
type rig struct {
	t       testing.TB
	handler http.Handler
	store   *sqlite.Store
	models  *memory.Store
	log     *logBuffer
	clock   *clock
}

// clock stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig starts everything; projected says whether the read models follow.
func newRig(t testing.TB, projected bool, change ...func(*Deps)) *rig {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: store, models: memory.New(), log: &logBuffer{}, clock: &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}}
	handler := commands.New(store, r.clock.Now, []byte("key of e-mail hashes"))
	if err := handler.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	deps := Deps{
		Commands: handler, Queries: readmodels.NewQueries(r.models, 1), Events: store, OperatorKey: operatorKey, Now: r.clock.Now,
		Logger: slog.New(slog.NewJSONHandler(r.log, nil)), MinPositionWait: time.Minute,
		About: About{Version: "1.2.3", Attributions: []Attribution{{Source: "O*NET", Text: "thanks", License: "CC BY 4.0", URL: "https://www.onetcenter.org"}}},
	}
	for _, c := range change {
		c(&deps)
	}
	if r.handler, err = New(deps); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if projected {
		runner, err := projections.NewRunner(ctx, projections.Setup{Events: store, Models: r.models, Partitions: 1, Log: slog.New(slog.DiscardHandler)}, projections.All()...)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := runner.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return r
}

// reply is what came back.
type reply struct {
	t      testing.TB
	Code   int
	Header http.Header
	Body   string
}

// do sends a request; headers are pairs of name and value. A body is sent as JSON unless a header says otherwise.
func (r *rig) do(method, path, key, body string, headers ...string) reply {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return reply{r.t, w.Code, w.Header(), w.Body.String()}
}

func (r *rig) get(path, key string, headers ...string) reply {
	r.t.Helper()
	return r.do(http.MethodGet, path, key, "", headers...)
}

// command sends a command that must be accepted.
func (r *rig) command(plan, name, key string, body any, headers ...string) commands.Answer {
	r.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	path := "/v1/plans/" + plan + "/commands/" + name
	if plan == "" {
		path = "/v1/operator/commands/" + name
	}
	got := r.do(http.MethodPost, path, key, string(encoded), headers...)
	if got.Code != http.StatusOK {
		r.t.Fatalf("%s: %d %s", name, got.Code, got.Body)
	}
	return decoded[commands.Answer](got)
}

// decoded reads an answer, which must have no other fields.
func decoded[T any](got reply) T {
	got.t.Helper()
	var value T
	decoder := json.NewDecoder(strings.NewReader(got.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		got.t.Fatalf("%v in %s", err, got.Body)
	}
	return value
}

// refused checks status and code of a problem, and returns it.
func (got reply) refused(status int, code string) Problem {
	got.t.Helper()
	if got.Code != status || got.Header.Get("Content-Type") != "application/problem+json" {
		got.t.Fatalf("%d %s: %s", got.Code, got.Header.Get("Content-Type"), got.Body)
	}
	p := decoded[Problem](got)
	if p.Code != code || p.Status != status || p.Type != "urn:rolewise:problem:"+code || p.Title == "" || p.Detail == "" || p.Instance == "" {
		got.t.Fatalf("not %s: %s", code, got.Body)
	}
	if p.RequestID == "" || p.RequestID != got.Header.Get("X-Request-Id") {
		got.t.Errorf("request id %q, header %q", p.RequestID, got.Header.Get("X-Request-Id"))
	}
	return p
}

func (r *rig) head() eventstore.Position {
	r.t.Helper()
	info, err := r.store.Info(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return info.Head
}

type fields = map[string]any

// plan creates a plan and returns a key with every scope in it.
func (r *rig) plan(id, tier string) string {
	r.t.Helper()
	r.command("", "create-plan", operatorKey, fields{"plan": id, "name": "Plan " + id, "tier": tier, "owner_name": "Olga Owner", "owner_email": "olga@example.org"})
	return r.key(id, "*")
}

func (r *rig) key(plan string, scopes ...string) string {
	r.t.Helper()
	return r.command(plan, "create-api-key", operatorKey, fields{"name": "test", "scopes": scopes}).APIKey
}

// uid is a fixed id.
func uid(n int) string { return fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n) }

// enveloped is the envelope of a single object.
type enveloped[T any] struct {
	Item T `json:"item"`
	Freshness
}

// enlisted is the envelope of a list.
type enlisted[T any] struct {
	List[T]
	Freshness
}

// newServerOf serves over a real connection, as in production, and returns the base URL.
func newServerOf(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config = Server(handler, "")
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// loosely reads an answer of which only some fields matter.
func loosely(got reply, into any) {
	got.t.Helper()
	if err := json.Unmarshal([]byte(got.Body), into); err != nil {
		got.t.Fatal(err)
	}
}
