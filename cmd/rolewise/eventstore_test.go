package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

// replayFiles are what an operator prepares: a log with events, a certificate, a password.
type replayFiles struct {
	store, authority, certificate, key, password string
	events                                       []eventstore.Event
}

func prepareReplay(t *testing.T) replayFiles {
	t.Helper()
	folder := t.TempDir()
	f := replayFiles{
		store: filepath.Join(folder, "events.db"), authority: filepath.Join(folder, "ca.crt"), certificate: filepath.Join(folder, "server.crt"),
		key: filepath.Join(folder, "server.key"), password: filepath.Join(folder, "password"),
	}
	store, err := sqlite.Open(t.Context(), f.store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		m := eventstore.Metadata{Plan: "acme", Time: time.Date(2024, 1, 2, 3, 4, i, 0, time.UTC), Actor: "operator", Command: "c", Correlation: "c", Schema: 1}
		e := eventstore.Event{ID: uuid.New(), Type: "RolePublished", Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: m.Encode()}
		if _, err := store.Append(t.Context(), eventstore.StreamID{Category: "role", Plan: "acme", ID: "a"}, eventstore.Revision(i-1), e); err != nil {
			t.Fatal(err)
		}
		f.events = append(f.events, e)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	authority, err := kurrenttest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	key, err := kurrenttest.KeyPEM(certificate)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.authority, authority.PEM())
	write(t, f.certificate, kurrenttest.CertificatePEM(certificate))
	write(t, f.key, key)
	write(t, f.password, []byte("a long password\n"))
	return f
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f replayFiles) flags() []string {
	return []string{
		"eventstore", "serve", "--eventstore", "sqlite:" + f.store, "--listen", "127.0.0.1:0",
		"--tls-cert", f.certificate, "--tls-key", f.key, "--user", "auditor", "--password-file", f.password,
	}
}

// replaying is a command that runs: the address that it printed, and how it ended.
type replaying struct {
	address string
	cancel  context.CancelFunc
	ended   chan int
	stderr  *bytes.Buffer // to be read when it has ended
}

func (r *replaying) stop() (code int) {
	r.cancel()
	return <-r.ended
}

func startReplay(t *testing.T, args []string) *replaying {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	r := &replaying{cancel: cancel, ended: make(chan int, 1), stderr: new(bytes.Buffer)}
	go func() {
		code := Run(ctx, args, in, r.stderr)
		_ = in.CloseWithError(fmt.Errorf("ended with %d: %s", code, r.stderr))
		r.ended <- code
	}()
	t.Cleanup(cancel)
	var text []byte
	found := regexp.MustCompile(`esdb://(127\.0\.0\.1:\d+)`)
	for buffer := make([]byte, 512); ; {
		n, err := out.Read(buffer)
		text = append(text, buffer[:n]...)
		if m := found.FindSubmatch(text); m != nil {
			r.address = string(m[1])
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func replayClient(t *testing.T, connection string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestEventstoreServe(t *testing.T) {
	f := prepareReplay(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	replayed := func(t *testing.T, client *esdb.Client) {
		stream, err := client.ReadAll(ctx, esdb.ReadAllOptions{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		for i, want := range f.events {
			e, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			got := e.OriginalEvent()
			created := time.Date(2024, 1, 2, 3, 4, i, 0, time.UTC)
			if got.EventID != want.ID || got.StreamID != "role-acme.a" || got.EventNumber != uint64(i) || string(got.Data) != string(want.Data) ||
				string(got.UserMetadata) != string(want.Metadata) || got.ContentType != "application/json" || !got.CreatedDate.Equal(created) {
				t.Fatalf("event %d is %+v, want %+v", i, got, want)
			}
		}
		if e, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the log: %+v, %v", e, err)
		}
		_, err = client.AppendToStream(ctx, "role-acme.a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, esdb.EventData{EventType: "Forged"})
		var refused *esdb.Error
		if !errors.As(err, &refused) || refused.Code() != esdb.ErrorCodeAccessDenied {
			t.Errorf("append: %v", err)
		}
	}
	t.Run("with TLS and credentials", func(t *testing.T) {
		run := startReplay(t, f.flags())
		connection := func(user string) string {
			return "esdb://" + user + run.address + "?tls=true&tlsCAFile=" + f.authority
		}
		replayed(t, replayClient(t, connection("auditor:a%20long%20password@")))
		for user, want := range map[string]esdb.ErrorCode{"auditor:wrong@": esdb.ErrorCodeUnauthenticated, "": esdb.ErrorCodeAccessDenied} {
			stream, err := replayClient(t, connection(user)).ReadAll(ctx, esdb.ReadAllOptions{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			var refused *esdb.Error
			if !errors.As(err, &refused) || refused.Code() != want {
				t.Errorf("as %q: %v", user, err)
			}
		}
		if code := run.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("insecure, on loopback", func(t *testing.T) {
		run := startReplay(t, []string{"eventstore", "serve", "--eventstore", "sqlite:" + f.store, "--listen", "127.0.0.1:0", "--insecure"})
		replayed(t, replayClient(t, "esdb://"+run.address+"?tls=false"))
		if code := run.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestEventstoreServeRefuses(t *testing.T) {
	f := prepareReplay(t)
	other := prepareReplay(t)
	folder := t.TempDir()
	empty, none := filepath.Join(folder, "empty"), filepath.Join(folder, "none")
	write(t, empty, nil)
	with := func(flag, value string) []string {
		args := f.flags()
		for i := range args {
			if args[i] == flag {
				args[i+1] = value
			}
		}
		return args
	}
	base := []string{"eventstore", "serve", "--eventstore", "sqlite:" + f.store}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no event store":             {[]string{"eventstore", "serve"}, `required flag(s) "eventstore" not set`},
		"another kind of store":      {with("--eventstore", "esdb://x"), "use sqlite:PATH"},
		"a store that is not there":  {with("--eventstore", "sqlite:"+none), "there is no event store at " + none},
		"a file that is no store":    {with("--eventstore", "sqlite:"+f.password), f.password},
		"an empty file":              {with("--eventstore", "sqlite:"+empty), empty},
		"no protection":              {base, "--tls-cert, --tls-key, --user, --password-file is missing"},
		"no user":                    {with("--user", ""), "--user is missing"},
		"no TLS":                     {append(base, "--user", "a", "--password-file", f.password), "--tls-cert, --tls-key is missing"},
		"insecure to everyone":       {append(base, "--insecure", "--listen", "0.0.0.0:0"), "loopback address only"},
		"insecure, no host":          {append(base, "--insecure", "--listen", ":0"), "loopback address only"},
		"insecure and secure":        {append(f.flags(), "--insecure"), "leave out one or the other"},
		"a user with a colon":        {with("--user", "a:b"), "colon"},
		"no certificate":             {with("--tls-cert", none), "no such file"},
		"no key":                     {with("--tls-key", none), "no such file"},
		"the key of another":         {with("--tls-key", other.key), "private key does not match public key"},
		"a certificate that is none": {with("--tls-cert", f.password), "failed to find any PEM data"},
		"no password file":           {with("--password-file", none), "read the password"},
		"an empty password":          {with("--password-file", empty), "too short"},
		"a port that does not exist": {with("--listen", "127.0.0.1:99999"), "cannot listen on 127.0.0.1:99999"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var stdout, stderr bytes.Buffer
			code := Run(ctx, tt.args, &stdout, &stderr)
			if code == 0 || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
				t.Errorf("code %d, said %q and %q, want %q", code, stdout.String(), stderr.String(), tt.want)
			}
		})
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store was made: %v", err)
	}
}

func TestEventstoreServeBesideTheServer(t *testing.T) {
	f := prepareReplay(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := sqlite.Backup(ctx, f.store, backup); err != nil {
		t.Fatal(err)
	}
	run := startReplay(t, []string{"eventstore", "serve", "--eventstore", "sqlite:" + f.store, "--listen", "127.0.0.1:0", "--insecure"})
	subscription, err := replayClient(t, "esdb://"+run.address+"?tls=false").SubscribeToStream(ctx, "role-acme.b", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Close()
	server, err := sqlite.Open(ctx, f.store)
	if err != nil {
		t.Fatalf("the server cannot open its log: %v", err)
	}
	e := eventstore.Event{ID: uuid.New(), Type: "RolePublished", Data: []byte("{}")}
	if _, err := server.Append(ctx, eventstore.StreamID{Category: "role", Plan: "acme", ID: "b"}, eventstore.NoStream, e); err != nil {
		t.Fatal(err)
	}
	if got := subscription.Recv(); got.EventAppeared == nil || got.EventAppeared.OriginalEvent().EventID != e.ID {
		t.Errorf("the auditor hears %+v", got)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Restore(ctx, backup, f.store, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if code := <-run.ended; code == 0 || !strings.Contains(run.stderr.String(), "replaced by a restore; start again") {
		t.Errorf("after a restore the exit code is %d, and it says %q", code, run.stderr)
	}
}
