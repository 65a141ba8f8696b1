package acceptance

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// wantTrouble demands that a run failed, and said why in one line that matches, and nothing of the program's insides.
func wantTrouble(t *testing.T, got harness.Result, pattern string) {
	t.Helper()
	t.Logf("code %d: %s", got.Code, strings.TrimSpace(got.Stderr))
	if got.Code == 0 {
		t.Error("the exit code is 0")
	}
	line, ended := strings.CutSuffix(got.Stderr, "\n")
	if !ended || strings.Contains(line, "\n") || !strings.HasPrefix(line, "rolewise: ") || len(line) < len("rolewise: ")+10 {
		t.Errorf("standard error is not one line that begins with rolewise:\n%s", got.Stderr)
	}
	for _, inside := range []string{"goroutine", "panic", ".go:"} {
		if strings.Contains(got.Stdout+got.Stderr, inside) {
			t.Errorf("the program shows its insides (%q):\n%s%s", inside, got.Stdout, got.Stderr)
		}
	}
	if strings.Contains(got.Stdout, "ready") {
		t.Errorf("the program said that it was ready:\n%s", got.Stdout)
	}
	if !regexp.MustCompile(pattern).MatchString(got.Stderr) {
		t.Errorf("nothing like %s in: %s", pattern, got.Stderr)
	}
}

func TestBadStarts(t *testing.T) {
	const free = "127.0.0.1:0"
	serve := func(store, redis string, flags ...string) []string {
		return append([]string{"serve", "--eventstore", store, "--redis", redis, "--listen", free, "--admin-listen", free}, flags...)
	}
	dev := func(folder string, flags ...string) []string {
		return append([]string{"dev", "--empty", "--data", folder, "--listen", free, "--admin-listen", free}, flags...)
	}
	used, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	taken := used.Addr().String()
	closed := unused(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("no folder\n"))
	short := filepath.Join(t.TempDir(), "operator.key")
	write(t, short, []byte("short\n"))

	tests := []struct {
		name    string
		args    []string
		pattern string
	}{
		{"port in use", serve(harness.EventStore(t.TempDir()), "memory", "--listen", taken), regexp.QuoteMeta(taken) + `.*in use.*--listen`},
		{"admin port in use", dev(t.TempDir(), "--admin-listen", taken), regexp.QuoteMeta(taken) + `.*in use.*--admin-listen`},
		{"no address", dev(t.TempDir(), "--listen", "nowhere"), "nowhere"},
		{"Redis does not answer", serve(harness.EventStore(t.TempDir()), "redis://"+closed), regexp.QuoteMeta(closed)},
		{"Redis by a wrong address", serve(harness.EventStore(t.TempDir()), "http://127.0.0.1"), "redis://"},
		{"event store by a wrong address", serve("postgres://127.0.0.1/", "memory"), "sqlite:PATH"},
		{"no event store", []string{"serve", "--redis", "memory"}, "eventstore"},
		{"no Redis", []string{"serve", "--eventstore", harness.EventStore(t.TempDir())}, "redis"},
		{"unknown flag", dev(t.TempDir(), "--emtpy"), "--emtpy"},
		{"unknown command", []string{"server"}, "server"},
		{"an argument too many", append(dev(t.TempDir()), "now"), "now"},
		{"data directory is a file", dev(file), "directory"},
		{"operator's key too short", serve(harness.EventStore(t.TempDir()), "memory", "--operator-key-file", short), "too short"},
		{"operator's key file missing", serve(harness.EventStore(t.TempDir()), "memory", "--operator-key-file", short+"x"), "operator"},
		{"import without tables", []string{"import", "catalog", "--data", t.TempDir(), "--onet", t.TempDir()}, "Skills.txt"},
		{"import without --onet", []string{"import", "catalog", "--data", t.TempDir()}, "onet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantTrouble(t, harness.Run(t, tt.args...), tt.pattern) })
	}
	t.Run("a damaged header", func(t *testing.T) {
		for name, args := range map[string]func(folder string) []string{
			"serve":  func(folder string) []string { return serve(harness.EventStore(folder), "memory") },
			"dev":    func(folder string) []string { return dev(folder) },
			"import": func(folder string) []string { return []string{"import", "catalog", "--onet", slice, "--data", folder} },
		} {
			t.Run(name, func(t *testing.T) {
				folder := filled(t)
				damage(t, filepath.Join(folder, "events.db"), 0, 100)
				wantTrouble(t, harness.Run(t, args(folder)...), `events\.db`)
			})
		}
	})
	t.Run("a damaged page", func(t *testing.T) {
		folder := filled(t)
		damage(t, filepath.Join(folder, "events.db"), 4096, 8192)
		wantTrouble(t, harness.Run(t, serve(harness.EventStore(folder), "memory")...), `events\.db`)
	})
	t.Run("damaged keys", func(t *testing.T) {
		folder := filled(t)
		damage(t, filepath.Join(folder, "keys.db"), 0, 100)
		wantTrouble(t, harness.Run(t, serve(harness.EventStore(folder), "memory")...), `keys\.db`)
	})
	t.Run("damaged credentials", func(t *testing.T) {
		folder := t.TempDir()
		harness.Dev(t, folder, "--empty").Stop(t)
		write(t, filepath.Join(folder, "dev-credentials.json"), []byte("{"))
		wantTrouble(t, harness.Run(t, dev(folder)...), `dev-credentials\.json`)
	})
	t.Run("another process has the event store", func(t *testing.T) {
		folder := t.TempDir()
		server := harness.Serve(t, folder, "memory")
		wantTrouble(t, harness.Run(t, serve(harness.EventStore(folder), "memory")...), `events\.db`)
		wantTrouble(t, harness.Run(t, dev(folder)...), `events\.db`)
		server.Stop(t)
	})
	t.Run("Redis has the read models of another store", func(t *testing.T) {
		url := redistest.Start(t)
		harness.Serve(t, t.TempDir(), url).Stop(t)
		wantTrouble(t, harness.Run(t, serve(harness.EventStore(t.TempDir()), url)...), `another`)
	})
}

// filled is a folder with the event store of a server that has ended.
func filled(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	server := harness.Serve(t, folder, "memory")
	client := server.NewPlan(t, north)
	for n := range 50 {
		client.Command(t, north, "create-role", harness.Body{"role": id(n), "title": fmt.Sprint(strings.Repeat("long ", 30), n)})
	}
	server.Stop(t)
	// A write-ahead log that is left would heal what a test damages.
	if err := os.Remove(filepath.Join(folder, "events.db-wal")); err == nil {
		t.Log("the server left a write-ahead log behind")
	}
	return folder
}

func damage(t *testing.T, file string, from, to int) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) < to {
		t.Fatalf("%s has %d bytes only", filepath.Base(file), len(content))
	}
	for i := from; i < to; i++ {
		content[i] = 0xa5
	}
	write(t, file, content)
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
