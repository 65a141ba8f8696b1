package acceptance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

const slice = "testdata/onet"

// TestMainJob plays the story on every way to run the system, and compares all answers byte for byte.
func TestMainJob(t *testing.T) {
	var first *transcript
	ways := []struct {
		name  string
		start func(t *testing.T) *harness.Server
	}{
		{"dev in memory", func(t *testing.T) *harness.Server {
			folder := t.TempDir()
			importSlice(t, "--data", folder)
			return harness.Dev(t, folder, "--empty")
		}},
		{"serve in memory", func(t *testing.T) *harness.Server { return serveWithCatalog(t, "memory") }},
		{"serve on Redis", func(t *testing.T) *harness.Server { return serveWithCatalog(t, redistest.Start(t)) }},
		{"serve on KurrentDB and Redis", func(t *testing.T) *harness.Server { return serveOnKurrent(t, front(t), redistest.Start(t)) }},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			server := way.start(t)
			seen := run(t, server)
			server.Stop(t)
			if first == nil {
				first = seen
			}
			seen.sameAs(t, first)
			t.Logf("%d lines of answers compared", len(seen.lines))
		})
	}
}

func serveWithCatalog(t *testing.T, redis string) *harness.Server {
	t.Helper()
	folder := t.TempDir()
	importSlice(t, "--eventstore", harness.EventStore(folder))
	return harness.Serve(t, folder, redis)
}

// front starts a server that speaks KurrentDB's protocol and returns its connection string.
func front(t *testing.T) string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "kurrent.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	server, err := kurrenttest.Start(context.WithoutCancel(t.Context()), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.ConnectionString()
}

func serveOnKurrent(t *testing.T, eventstore, redis string) *harness.Server {
	t.Helper()
	folder := t.TempDir()
	importSlice(t, "--eventstore", eventstore, "--data", folder)
	return harness.ServeOn(t, eventstore, folder, redis)
}

// TestRealKurrentDB plays the story on a KurrentDB node, whose log should be empty.
func TestRealKurrentDB(t *testing.T) {
	eventstore := os.Getenv("ROLEWISE_TEST_KURRENTDB")
	if eventstore == "" {
		t.Skip("ROLEWISE_TEST_KURRENTDB holds no connection string of a KurrentDB node, such as esdb://localhost:2113?tls=false")
	}
	server := serveOnKurrent(t, eventstore, redistest.Start(t))
	run(t, server)
	server.Stop(t)
}

func importSlice(t *testing.T, where ...string) string {
	t.Helper()
	out := harness.MustRun(t, append([]string{"import", "catalog", "--onet", slice}, where...)...)
	if !strings.Contains(out, "Rejected: 0\n") {
		t.Fatalf("rows were rejected:\n%s", out)
	}
	return out
}

// TestTranscript shows that a transcript tells apart what it has to, and nothing else.
func TestTranscript(t *testing.T) {
	made := []string{"0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002"}
	of := func(bodies ...string) string {
		tr := newTranscript(id(1), day(1, 1))
		for _, body := range bodies {
			tr.add("GET", harness.Response{Status: 200, Body: []byte(body)})
		}
		return strings.Join(tr.lines, "\n")
	}
	tests := []struct {
		name string
		a, b []string
		same bool
	}{
		{"other positions", []string{`{"position":"1","n":1}`}, []string{`{"position":"22","n":1}`}, true},
		{"other lag", []string{`{"lag_ms":0}`}, []string{`{"lag_ms":7}`}, true},
		{"other moments", []string{`"2026-01-01T00:00:00.5Z"`}, []string{`"2026-01-02T00:00:00Z"`}, true},
		{"other ids in the same places", []string{made[0], made[1], made[0]}, []string{made[1], made[0], made[1]}, true},
		{"ids in other places", []string{made[0], made[1], made[0]}, []string{made[0], made[1], made[1]}, false},
		{"another given id", []string{id(1)}, []string{made[0]}, false},
		{"another given moment", []string{day(1, 1)}, []string{day(1, 2)}, false},
		{"another number", []string{`{"n":1}`}, []string{`{"n":2}`}, false},
	}
	for _, tt := range tests {
		if got := of(tt.a...) == of(tt.b...); got != tt.same {
			t.Errorf("%s: same is %t", tt.name, got)
		}
	}
}
