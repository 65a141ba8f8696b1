package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// newTestSystem is a system on a new log with the empty plan, and its listeners.
func newTestSystem(t *testing.T) (*system, listeners) {
	t.Helper()
	on, err := listen("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(on.Close)
	log, err := openLog(t.Context(), logOptions{url: sqliteScheme + filepath.Join(t.TempDir(), "events.db")})
	if err != nil {
		t.Fatal(err)
	}
	models, err := openModels(t.Context(), "memory")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(models.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := createEmpty(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	sys, err := newSystem(t.Context(), log, models, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return sys, on
}

func get(ctx context.Context, url string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

// TestStop tells the system to stop while a request is in hand that still writes an event and waits until it is visible.
func TestStop(t *testing.T) {
	sys, on := newTestSystem(t)
	entered, release := make(chan struct{}), make(chan struct{})
	sys.pages = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-release
			if err := sys.writeAndSee(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	isReady, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- sys.run(ctx, on, newOperatorKey(), func() error { close(isReady); return nil })
	}()
	<-isReady
	answered := make(chan string, 1)
	go func() {
		code, body, err := get(context.WithoutCancel(ctx), address(on.public))
		answered <- fmt.Sprint(code, body, err)
	}()
	<-entered
	stop()
	close(release)
	if got, want := <-answered, fmt.Sprint(200, "", error(nil)); got != want {
		t.Errorf("OPS-7 the request in hand is answered %s", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("OPS-7 the system ends with %v", err)
	}
}

// writeAndSee defines a skill and waits until every read model has it.
func (s *system) writeAndSee(ctx context.Context) error {
	if _, err := s.commands.Handle(ctx, commands.Request{Plan: emptyPlan, Principal: operator}, commands.DefineSkill{Name: "Go", State: "validated"}); err != nil {
		return err
	}
	return s.caughtUp(ctx)
}

func TestFailureEndsAll(t *testing.T) {
	t.Run("a listener that fails", func(t *testing.T) {
		sys, on := newTestSystem(t)
		err := sys.run(t.Context(), on, newOperatorKey(), on.admin.Close)
		if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), on.admin.Addr().String()) {
			t.Errorf("ends with %v", err)
		}
	})
	t.Run("ready that fails", func(t *testing.T) {
		sys, on := newTestSystem(t)
		failure := errors.New("cannot say so")
		if err := sys.run(t.Context(), on, newOperatorKey(), func() error { return failure }); !errors.Is(err, failure) {
			t.Errorf("ends with %v", err)
		}
	})
	t.Run("projections that fail", func(t *testing.T) {
		sys, on := newTestSystem(t)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := sys.runner.Run(ctx); err != nil { // it cannot run twice
			t.Fatal(err)
		}
		if err := sys.run(t.Context(), on, newOperatorKey(), func() error { return nil }); err == nil {
			t.Error("ends without an error")
		}
	})
}

func TestReadiness(t *testing.T) {
	sys, on := newTestSystem(t)
	server := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { server <- serveHTTP(ctx, sys.admin(), on.admin) }()
	want := func(path string, code int, part string) {
		t.Helper()
		got, body, err := get(t.Context(), address(on.admin)+path)
		if err != nil || got != code || !strings.Contains(body, part) {
			t.Errorf("OPS-3 %s: %d %s %v, want %d %s", path, got, body, err, code, part)
		}
	}
	t.Run("before the read models have caught up", func(t *testing.T) {
		want("/livez", 200, "ok")
		want("/startupz", 503, "starting")
		want("/readyz", 503, "starting")
		_, _, err := sys.queries.Plans(t.Context(), readmodels.Want{Limit: 1})
		var rebuilding *readmodels.RebuildingError
		if !errors.As(err, &rebuilding) {
			t.Errorf("a query is answered from empty read models: %v", err)
		}
	})
	stop()
	if err := <-server; err != nil {
		t.Fatal(err)
	}

	sys, on = newTestSystem(t)
	err := sys.run(t.Context(), on, newOperatorKey(), func() error {
		want("/startupz", 200, "ok")
		want("/readyz", 200, "ok")
		page, _, err := sys.queries.Plans(t.Context(), readmodels.Want{Limit: 10})
		if err != nil || len(page.Items) != 2 { // with the vendor's catalog
			t.Errorf("plans %v, %v", page.Items, err)
		}
		return context.Canceled
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"0.0.0.0": "http://127.0.0.1:8080", "::": "http://127.0.0.1:8080", // as of --listen :8080
		"127.0.0.2": "http://127.0.0.2:8080", "::1": "http://[::1]:8080",
	} {
		if got := address(bound{&net.TCPAddr{IP: net.ParseIP(ip), Port: 8080}}); got != want {
			t.Errorf("%s is reached at %s, want %s", ip, got, want)
		}
	}
}

// bound is a listener of which only the address matters; a test must not listen on every address.
type bound struct{ at net.Addr }

func (b bound) Addr() net.Addr          { return b.at }
func (bound) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (bound) Close() error              { return nil }

func TestCreateEmptyAgain(t *testing.T) {
	sys, _ := newTestSystem(t)
	before, err := sys.log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := createEmpty(t.Context(), sys.log); err != nil {
		t.Fatal(err)
	}
	after, err := sys.log.Info(t.Context())
	if err != nil || after.Head != before.Head {
		t.Errorf("a second start writes: from %s to %s, %v", before.Head, after.Head, err)
	}
}

// cutOff is a log that is lost after the plan's own stream is written.
type cutOff struct{ eventstore.Store }

var errCutOff = errors.New("cut off")

func (c cutOff) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, all ...eventstore.Event) (eventstore.Position, error) {
	if stream.Category == "member" {
		return 0, errCutOff
	}
	return c.Store.Append(ctx, stream, expected, all...)
}

func TestCreateEmptyAfterACrash(t *testing.T) {
	log, err := openLog(t.Context(), logOptions{url: sqliteScheme + filepath.Join(t.TempDir(), "events.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	whole := log.Store
	log.Store = cutOff{whole}
	if err := createEmpty(t.Context(), log); !errors.Is(err, errCutOff) {
		t.Fatalf("not cut off: %v", err)
	}
	log.Store = whole
	if err := createEmpty(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	state, err := commands.New(log, time.Now, log.emailKey).Plan(t.Context(), emptyPlan)
	if err != nil {
		t.Fatal(err)
	}
	owner := eventstore.StreamID{Category: "member", Plan: string(emptyPlan), ID: string(state.Owner)}
	events := 0
	for _, err := range whole.Read(t.Context(), owner, 0) {
		if err != nil {
			t.Fatal(err)
		}
		events++
	}
	if events == 0 {
		t.Error("the plan has no owner after the second start")
	}
}
