package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/replica"
	"rolewise/eventstore/sqlite"
)

func TestGroupsRefuseUnknownCommands(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"}, {"audit", "nonsense"}, {"import", "nonsense"}, {"eventstore", "nonsense"}, {"completion", "nonsense"},
		{"audit", "nonsense", "--eventstore", "sqlite:x"}, {"version", "nonsense"}, {"audit", "verify", "nonsense", "--eventstore", "sqlite:x"},
	} {
		code, stdout, stderr := run(t.Context(), args...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, `rolewise: unknown command "nonsense" for "rolewise`) {
			t.Errorf("%q: code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	for _, group := range []string{"audit", "import", "eventstore", "completion"} {
		if code, stdout, stderr := run(t.Context(), group); code != 0 || !strings.Contains(stdout, "Available Commands") || stderr != "" {
			t.Errorf("%s: code %d, %q, %q", group, code, stdout, stderr)
		}
	}
	if code, _, stderr := run(t.Context(), "audit", "verfiy"); code != 1 || !strings.Contains(stderr, "did you mean verify?") {
		t.Errorf("code %d, %q", code, stderr)
	}
	if code, _, stderr := run(t.Context(), "audit", "--nonsense"); code != 1 || !strings.Contains(stderr, "unknown flag: --nonsense") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

// kurrentFront is a server, with a password, over a log that nobody has named yet.
func kurrentFront(t *testing.T) (front *kurrenttest.Server, behind *sqlite.Store) {
	t.Helper()
	behind, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	front, err = kurrenttest.Start(t.Context(), behind, kurrenttest.Credentials("admin", "changeit"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
		if err := behind.Close(); err != nil {
			t.Error(err)
		}
	})
	return front, behind
}

// TestSecretsAreNotShown gives every command addresses with a password that it refuses.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "SECRETcanary"
	front, _ := kurrentFront(t)
	folder := t.TempDir()
	stores := map[string]string{
		"KurrentDB, a port that is none": "esdb://admin:" + secret + "@h:port",
		"kurrentdb":                      "kurrentdb://admin:" + secret + "@h:port",
		"a wrong password":               "esdb://admin:" + secret + "@" + front.Address() + "?tls=false",
		"another scheme":                 "esdbx://u:" + secret + "/x",
		"an at sign":                     "esdbx://u:p@" + secret + "@h",
		"a scheme in capitals":           "ESDB://admin:" + secret + "@h:port",
		"no scheme":                      "admin:" + secret + "@h:2113",
		"nothing but it":                 secret,
		"it as the user":                 secret + ":x@h",
		"it as a scheme":                 "u:" + secret + "://h",
		"an escape that is none":         "esdb://admin:%zz" + secret + "@h:2113",
		"a question mark":                "esdb://admin:x?" + secret + "@h:2113",
		"a question mark and more":       "esdb://admin:x?" + secret + "&x@h:2113",
	}
	commands := map[string][]string{
		"serve":                {"serve", "--redis", "memory", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", folder},
		"serve without --data": {"serve", "--redis", "memory", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
		"serve --role":         {"serve", "--redis", "memory", "--role", "api", "--data", folder},
		"import catalog":       {"import", "catalog", "--onet", folder, "--data", folder},
		"backup":               {"backup", "--to", filepath.Join(folder, "backup.db")},
		"restore":              {"restore", "--from", filepath.Join(folder, "backup.db")},
		"audit verify":         {"audit", "verify"},
		"audit head":           {"audit", "head"},
		"audit head --accept":  {"audit", "head", "--accept"},
		"audit compare":        {"audit", "compare", "--replica", filepath.Join(folder, "replica.db")},
		"eventstore serve":     {"eventstore", "serve", "--insecure"},
		"eventstore new-epoch": {"eventstore", "new-epoch"},
		"an unknown flag":      {"openapi"},
		"a group":              {"audit"},
		"an unknown command":   {"audit", "nonsense"},
	}
	type line struct {
		name string
		args []string
	}
	var lines []line
	for name, args := range commands {
		for kind, url := range stores {
			with := func(form string, more ...string) {
				lines = append(lines, line{name + ", " + kind + ", " + form, append(append([]string(nil), args...), more...)})
			}
			with("flag", "--eventstore", url)
			with("no flag", url)
			with("one dash", "-eventstore="+url)
			with("no name", "--="+url)
		}
	}
	for _, admin := range []string{"http://u:" + secret + "@127.0.0.1:1", "http://" + secret + "@127.0.0.1:1", "https://u:" + secret + "@h", "u:" + secret + "@h",
		"http://u:%zz" + secret + "@h", "http://127.0.0.1:1/?token=" + secret} {
		lines = append(lines, line{"healthcheck " + admin, []string{"healthcheck", "--admin", admin}}, line{"healthcheck, no flag " + admin, []string{"healthcheck", admin}})
	}
	for _, redis := range []string{"redis://u:" + secret + "@127.0.0.1:port", "rediss://u:%zz" + secret + "@h", "redisx://u:" + secret + "@h", "u:" + secret + "@h"} {
		lines = append(lines, line{"redis " + redis, []string{"serve", "--eventstore", "sqlite:" + filepath.Join(folder, "events.db"), "--redis", redis, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}})
	}
	for _, command := range []string{"dev", "version", "openapi", "help", "completion", ""} {
		lines = append(lines, line{command + ", no flag", strings.Fields(command + " esdb://admin:" + secret + "@h")})
	}
	lines = append(lines, line{"not a role", []string{"serve", "--role", "esdb://admin:" + secret + "@h"}}, line{"not true", []string{"dev", "--empty=esdb://admin:" + secret + "@h"}})
	for _, l := range lines {
		t.Run(l.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			code, stdout, stderr := run(ctx, l.args...)
			if code != 1 && l.args[0] != "help" {
				t.Errorf("%q: code %d", l.args, code)
			}
			if strings.Contains(strings.ToLower(stdout+stderr), strings.ToLower(secret)) {
				t.Errorf("%q says %q and %q", l.args, stdout, stderr)
			}
			if strings.Count(stderr, "\n") > 1 {
				t.Errorf("%q says more than a line: %q", l.args, stderr)
			}
		})
	}
}

// TestKurrentIsBackedUpByItself says what to do instead.
func TestKurrentIsBackedUpByItself(t *testing.T) {
	for _, url := range []string{"esdb://h:2113", "kurrentdb+discover://h", "ESDB://h"} {
		for _, args := range [][]string{{"backup", "--to", "x"}, {"restore", "--from", "x"}} {
			code, _, stderr := run(t.Context(), append(args, "--eventstore", url)...)
			if code != 1 || !strings.Contains(stderr, "its own tools") || !strings.Contains(stderr, "rolewise eventstore new-epoch") {
				t.Errorf("%q of %s: code %d, %q", args, url, code, stderr)
			}
		}
	}
}

// TestAuditCompare compares a log with its copy, and writes nothing into a KurrentDB of others.
func TestAuditCompare(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	front, behind := kurrentFront(t)
	path := filepath.Join(t.TempDir(), "replica.db")
	log, err := kurrent.Open(ctx, front.ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	info, err := log.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e := eventstore.Event{ID: [16]byte{1}, Type: "RolePublished", Data: []byte("{}"), Metadata: []byte("{}")}
	at, err := log.Append(ctx, eventstore.StreamID{Category: "role", Plan: "acme", ID: "a"}, eventstore.NoStream, e)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := sqlite.OpenReplica(ctx, path, info)
	if err != nil {
		t.Fatal(err)
	}
	copying, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- replica.Run(copying, log, copied, slog.New(slog.DiscardHandler)) }()
	if err := copied.Wait(ctx, at); err != nil {
		t.Fatal(err)
	}
	stop()
	<-ended
	if err := copied.Close(); err != nil {
		t.Fatal(err)
	}
	head := func(s *sqlite.Store) eventstore.Position {
		t.Helper()
		info, err := s.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return info.Head
	}
	before := head(behind)
	code, stdout, stderr := run(ctx, "audit", "compare", "--eventstore", front.ConnectionString(), "--replica", path)
	if code != 0 || !strings.Contains(stdout, "1 events up to position "+at.String()+" are the same") || head(behind) != before {
		t.Errorf("code %d, %q, %q; the log goes from %s to %s", code, stdout, stderr, before, head(behind))
	}
	foreign, empty := kurrentFront(t)
	code, stdout, stderr = run(ctx, "audit", "compare", "--eventstore", foreign.ConnectionString(), "--replica", path)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "this KurrentDB holds no log of Rolewise yet: check the address") {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
	if h := head(empty); h != 0 {
		t.Errorf("a KurrentDB of others was written to, up to %s", h)
	}
}
