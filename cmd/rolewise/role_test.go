package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/internal/redistest"
	"rolewise/readmodels"
)

// run carries out a command line and returns its exit code and what it said.
func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(ctx, args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestRolesNeedSharedStores(t *testing.T) {
	file := "sqlite:" + filepath.Join(t.TempDir(), "events.db")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"api on memory":       {[]string{"--role", "api", "--redis", "memory", "--eventstore", "esdb://localhost"}, "--redis memory"},
		"projector on memory": {[]string{"--role", "projector", "--redis", "memory", "--eventstore", file}, "--redis memory"},
		"api on sqlite":       {[]string{"--role", "api", "--redis", "redis://127.0.0.1:1", "--eventstore", file}, "sqlite"},
		"projector on sqlite": {[]string{"--role", "projector", "--redis", "redis://127.0.0.1:1", "--eventstore", file}, "sqlite"},
		"an unknown role":     {[]string{"--role", "Api", "--redis", "memory", "--eventstore", file}, "must be all, api or projector"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(t.Context(), append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, tt.args...)...)
			if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "--role") {
				t.Errorf("code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	for _, r := range []role{"", roleAll} {
		if err := (serveOptions{role: r, redis: "memory", eventstore: file}).shared(); err != nil {
			t.Errorf("role %q: %v", r, err)
		}
	}
}

// part is one process of several: its own connection to Redis, on the log that all share.
type part struct {
	*system
	on    listeners
	ready chan struct{} // closed when it has said that it is ready
	ended chan error
}

func startPart(t *testing.T, r role, log *eventLog, redis string) *part {
	t.Helper()
	models, err := openModels(t.Context(), redis)
	if err != nil {
		t.Fatal(err)
	}
	on, err := serveOptions{role: r, listen: "127.0.0.1:0", adminListen: "127.0.0.1:0"}.ports()
	if err != nil {
		t.Fatal(err)
	}
	sys, err := newSystemAs(t.Context(), setup{role: r, log: log, models: models, parts: 8, logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	p := &part{system: sys, on: on, ready: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		p.ended <- sys.run(ctx, on, newOperatorKey(), func() error { close(p.ready); return nil })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-p.ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s ends with %v", r, err)
		}
		on.Close()
		if err := models.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// await returns when a part has said that it is ready; the bound ends a test that would hang.
func (p *part) await(t *testing.T) {
	t.Helper()
	select {
	case <-p.ready:
	case <-time.After(time.Minute):
		t.Fatal("not ready")
	}
}

func testLog(t *testing.T) *eventLog {
	t.Helper()
	log, err := openLog(t.Context(), logOptions{url: sqliteScheme + filepath.Join(t.TempDir(), "events.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := createEmpty(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	return log
}

// readyz asks a process and, through the command, as a container would.
func (p *part) readyz(t *testing.T, code int, says string) {
	t.Helper()
	got, body, err := get(t.Context(), address(p.on.admin)+"/readyz")
	if err != nil || got != code || !strings.Contains(body, says) {
		t.Errorf("OPS-3 readyz: %d %s %v, want %d %s", got, body, err, code, says)
	}
	exit, stdout, stderr := run(t.Context(), "healthcheck", "--admin", address(p.on.admin))
	if want := 0; code == http.StatusOK && (exit != want || stdout != "ready\n" || stderr != "") {
		t.Errorf("healthcheck: code %d, %q, %q", exit, stdout, stderr)
	}
	if want := 1; code != http.StatusOK && (exit != want || stdout != "" || stderr != "rolewise: not ready: "+says+"\n") {
		t.Errorf("healthcheck: code %d, %q, %q", exit, stdout, stderr)
	}
}

// TestRolesApart runs API and projector as they run in two processes, with nothing but the log and Redis between them.
func TestRolesApart(t *testing.T) {
	redis, log := redistest.Start(t), testLog(t)
	front := startPart(t, roleAPI, log, redis)
	front.readyz(t, http.StatusServiceUnavailable, "starting")
	_, _, err := front.queries.Plans(t.Context(), readmodels.Want{Limit: 10})
	var rebuilding *readmodels.RebuildingError
	if !errors.As(err, &rebuilding) {
		t.Fatalf("OPS-6 an API whose read models nobody has built answers %v", err)
	}
	back := startPart(t, roleProjector, log, redis)
	second := startPart(t, roleProjector, log, redis)
	back.await(t)
	second.await(t)
	front.await(t)
	for _, p := range []*part{front, back, second} {
		p.readyz(t, http.StatusOK, "ok")
	}
	if back.on.public != nil || back.commands != nil || back.queries != nil || front.runner != nil {
		t.Error("OPS-6 a role does more than its part")
	}
	for range 20 { // what one writes through the API is seen at its position
		if err := front.writeAndSee(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, at, err := front.queries.Plans(t.Context(), readmodels.Want{Limit: 10, Min: info.Head})
	if err != nil || len(page.Items) != 2 || at.Position < info.Head {
		t.Errorf("OPS-6 at min_position %s: %v at %s, %v", info.Head, page.Items, at.Position, err)
	}
}

// TestAnotherLogsReadModels starts an API on a Redis whose read models were built from another log.
func TestAnotherLogsReadModels(t *testing.T) {
	redis := redistest.Start(t)
	builder := startPart(t, roleProjector, testLog(t), redis)
	builder.await(t)
	stranger := startPart(t, roleAPI, testLog(t), redis)
	stranger.await(t) // both logs are equally long
	stranger.readyz(t, http.StatusServiceUnavailable, "a projection is behind")
	if _, body, _ := get(t.Context(), address(stranger.on.admin)+"/readyz"); !strings.Contains(body, "another log") {
		t.Errorf("the reason is missing: %s", body)
	}
}

func TestHealthcheckWithoutAProcess(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := silent.Addr().String()
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ admin, want string }{
		"nobody listens": {"http://" + gone, "no answer from"},
		"no URL":         {"127.0.0.1:8081", "--admin"},
		"no host":        {"http://", "--admin"},
		"no scheme":      {"localhost", "--admin"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(t.Context(), "healthcheck", "--admin", tt.admin)
			if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("code %d, %q, %q", code, stdout, stderr)
			}
		})
	}
	t.Run("another server", func(t *testing.T) {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.NotFoundHandler()}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(other) }()
		code, _, stderr := run(t.Context(), "healthcheck", "--admin", "http://"+other.Addr().String()+"/")
		if code != 1 || stderr != "rolewise: not ready: 404 Not Found\n" {
			t.Errorf("code %d, %q", code, stderr)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}
