package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
	"rolewise/readmodels/storetest"
)

// patience bounds what happens at once unless something is broken.
const patience = 30 * time.Second

var server *redistest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = redistest.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(t testing.TB, url string) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw is a client beside the store, for looking and for doing harm.
func raw(t *testing.T, url string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) readmodels.Store { return open(t, server.URL) })
}

func TestStoreOnACluster(t *testing.T) {
	url := redistest.StartCluster(t, 3)
	storetest.Run(t, func(t *testing.T) readmodels.Store { return open(t, url) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) readmodels.Store { return open(b, server.URL) })
}

func batch(scope readmodels.Scope, after, through eventstore.Position) readmodels.Batch {
	return readmodels.Batch{Scope: scope, After: after, Checkpoint: readmodels.Checkpoint{Position: through},
		Put: map[readmodels.Key][]byte{}}
}

func commit(t *testing.T, s *redis.Store, b readmodels.Batch) {
	t.Helper()
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// waiting starts a wait and returns when it has begun.
func waiting(ctx context.Context, t *testing.T, s *redis.Store, scope readmodels.Scope, min eventstore.Position) <-chan error {
	t.Helper()
	before, result := s.Waiting(), make(chan error, 1)
	go func() { result <- s.Wait(ctx, scope, min) }()
	for s.Waiting() == before && len(result) == 0 {
		time.Sleep(time.Millisecond)
	}
	return result
}

func ended(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("the wait did not end")
		return nil
	}
}

func TestWaitIsWokenByMessages(t *testing.T) {
	for name, url := range map[string]string{
		"one server": server.URL, "another database": server.URL + "/3", "a cluster": redistest.StartCluster(t, 2),
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer := open(t, url), open(t, url)
			reader.SetPollEvery(time.Hour)
			writer.SetPollEvery(time.Hour)
			scope := storetest.NewScope()
			for round := range eventstore.Position(20) {
				there := waiting(t.Context(), t, reader, scope, round+1)
				here := waiting(t.Context(), t, writer, scope, round+1)
				commit(t, writer, batch(scope, round, round+1))
				if err := errors.Join(ended(t, there), ended(t, here)); err != nil {
					t.Fatal(err)
				}
			}
			if n := reader.Waiting() + writer.Waiting(); n != 0 {
				t.Fatalf("%d are still waiting", n)
			}
		})
	}
}

func TestDatabasesOfOneServerDoNotWakeEachOther(t *testing.T) {
	one, other := open(t, server.URL+"/1"), open(t, server.URL+"/2")
	scope := storetest.NewScope()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	result := waiting(ctx, t, one, scope, 1)
	commit(t, other, batch(scope, 0, 1))
	if err := ended(t, result); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if n := one.Waiting(); n != 0 {
		t.Fatalf("%d are still waiting", n)
	}
}

func TestCommitsOfThisProcessNeedNoMessage(t *testing.T) {
	s := open(t, server.URL)
	s.SetPollEvery(time.Hour)
	if err := s.Deafen(); err != nil {
		t.Fatal(err)
	}
	scope := storetest.NewScope()
	result := waiting(t.Context(), t, s, scope, 1)
	commit(t, s, batch(scope, 0, 1))
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsWaitsWithoutAPoll(t *testing.T) {
	s := open(t, server.URL)
	s.SetPollEvery(time.Hour)
	result := waiting(t.Context(), t, s, storetest.NewScope(), 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ended(t, result); !errors.Is(err, readmodels.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestPollCoversLostMessages(t *testing.T) {
	reader, writer := open(t, server.URL), open(t, server.URL)
	scope := storetest.NewScope()
	result := waiting(t.Context(), t, reader, scope, 1)
	if err := redis.SilentCommit(t.Context(), writer, batch(scope, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
}

func TestWaitSurvivesACutConnection(t *testing.T) {
	s := redistest.StartServer(t)
	reader, writer := open(t, s.URL), open(t, s.URL)
	scope := storetest.NewScope()
	result := waiting(t.Context(), t, reader, scope, 1)
	if err := raw(t, s.URL).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	commit(t, writer, batch(scope, 0, 1))
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
	// The subscription comes back by itself.
	reader.SetPollEvery(time.Hour)
	for subscribed := 0; subscribed < 1; {
		n, err := raw(t, s.URL).PubSubNumPat(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		subscribed = int(n)
	}
	result = waiting(t.Context(), t, reader, scope, 2)
	commit(t, writer, batch(scope, 1, 2))
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
}

func TestManyWaitersNeedNoGoroutineOfTheStore(t *testing.T) {
	s := open(t, server.URL)
	scope := storetest.NewScope()
	const waiters = 200
	var all sync.WaitGroup
	for i := range waiters {
		all.Go(func() {
			if err := s.Wait(t.Context(), scope, eventstore.Position(1+i%3)); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range eventstore.Position(3) {
		commit(t, s, batch(scope, i, i+1))
	}
	all.Wait()
	if n := s.Waiting(); n != 0 {
		t.Fatalf("%d are still waiting", n)
	}
}

func TestRestartLosesDataAndCheckpointTogether(t *testing.T) {
	srv := redistest.StartServer(t)
	s := open(t, srv.URL)
	scope, key := storetest.NewScope(), readmodels.Key{Plan: "acme", Collection: "c", ID: "1"}
	b := batch(scope, 0, 5)
	b.Put[key] = []byte("x")
	commit(t, s, b)
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
	err := s.Commit(t.Context(), batch(scope, 5, 6))
	var outOfStep *readmodels.OutOfStepError
	var fenced *readmodels.FencedError
	if err == nil || errors.As(err, &outOfStep) || errors.As(err, &fenced) {
		t.Fatalf("a dead server gave %v", err)
	}
	if _, err := s.Get(t.Context(), scope, key); err == nil {
		t.Fatal("a dead server gave documents")
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	// The same store goes on; the projector learns from it that it must begin again.
	err = s.Commit(t.Context(), batch(scope, 5, 6))
	if !errors.As(err, &outOfStep) || outOfStep.Have != 0 {
		t.Fatalf("got %v", err)
	}
	commit(t, s, b)
	values, err := s.Get(t.Context(), scope, key)
	if err != nil || string(values[0]) != "x" {
		t.Fatalf("got %q and %v", values, err)
	}
}

func TestCommitWithoutCachedScript(t *testing.T) {
	srv := redistest.StartServer(t)
	s, scope := open(t, srv.URL), storetest.NewScope()
	for i := range eventstore.Position(3) {
		if err := raw(t, srv.URL).ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		commit(t, s, batch(scope, i, i+1))
	}
}

func TestStalledServerIsBoundedByTheContext(t *testing.T) {
	srv := redistest.StartServer(t)
	s, scope := open(t, srv.URL+"?read_timeout=1h&write_timeout=1h"), storetest.NewScope()
	commit(t, s, batch(scope, 0, 1))
	if err := srv.Pause(); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	for name, call := range map[string]func(context.Context) error{
		"wait":   func(ctx context.Context) error { return s.Wait(ctx, scope, 2) },
		"commit": func(ctx context.Context) error { return s.Commit(ctx, batch(scope, 7, 8)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		go func() { result <- call(ctx) }()
		if err := ended(t, result); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Checkpoint(t.Context(), scope); err != nil || c.Position != 1 {
		t.Fatalf("after the stall: %+v and %v", c, err)
	}
}

func TestFullServerRefusesWholeBatches(t *testing.T) {
	srv := redistest.StartServer(t, "--maxmemory", "20mb", "--maxmemory-policy", "noeviction")
	s, scope := open(t, srv.URL), storetest.NewScope()
	page := func(n eventstore.Position) readmodels.Batch {
		b := batch(scope, n, n+1)
		for i := range 100 {
			b.Put[readmodels.Key{Plan: "acme", Collection: "c", ID: fmt.Sprintf("%d-%d", n, i)}] = make([]byte, 10_000)
		}
		return b
	}
	n := eventstore.Position(0)
	for ; n < 100; n++ {
		if err := s.Commit(t.Context(), page(n)); err != nil {
			if !strings.Contains(err.Error(), "OOM") {
				t.Fatal(err)
			}
			break
		}
	}
	if n == 0 || n == 100 {
		t.Fatalf("%d pages went in", n)
	}
	if at, err := s.Checkpoint(t.Context(), scope); err != nil || at.Position != n {
		t.Fatalf("stands at %d with %v, want %d", at.Position, err, n)
	}
	if lines := storetest.Lines(t.Context(), t, s, scope); len(lines) != 100*int(n) {
		t.Fatalf("%d documents after %d pages", len(lines), n)
	}
}

func TestDumpDuringACommitFails(t *testing.T) {
	s, scope := open(t, server.URL), storetest.NewScope()
	b := batch(scope, 0, 1)
	b.Put[readmodels.Key{Plan: "acme", Collection: "c", ID: "1"}] = []byte("{}")
	commit(t, s, b)
	err := s.Dump(t.Context(), scope, func(string) error {
		return s.Commit(t.Context(), batch(scope, 1, 2))
	})
	if err == nil || !strings.Contains(err.Error(), "moved from 1 to 2") {
		t.Fatalf("got %v", err)
	}
}

func TestDamagedCheckpointIsNamed(t *testing.T) {
	s, scope := open(t, server.URL), storetest.NewScope()
	commit(t, s, batch(scope, 0, 1))
	if err := raw(t, server.URL).HSet(t.Context(), redis.CheckpointKey(scope), "position", "many").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Checkpoint(t.Context(), scope); err == nil || !strings.Contains(err.Error(), scope.String()) {
		t.Fatalf("got %v", err)
	}
}

func TestTooManyChangesAreRefused(t *testing.T) {
	s, scope := open(t, server.URL), storetest.NewScope()
	b := batch(scope, 0, 1)
	for i := range 600_000 {
		b.Add = append(b.Add, readmodels.Entry{Index: readmodels.Index{Plan: "acme", Name: "n"}, Value: fmt.Sprint(i)})
	}
	if err := s.Commit(t.Context(), b); err == nil || !strings.Contains(err.Error(), "600000 changes") {
		t.Fatalf("got %v", err)
	}
	b.Add = b.Add[:500_000]
	commit(t, s, b)
}

func TestOpenRefuses(t *testing.T) {
	closed := redistest.StartServer(t)
	if err := closed.Kill(); err != nil {
		t.Fatal(err)
	}
	evicting := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	for name, c := range map[string]struct{ address, says string }{
		"nothing there":           {closed.URL, "redis at " + closed.Addr() + " does not answer"},
		"no node there":           {"redis-cluster://" + closed.Addr(), "redis cluster at " + closed.Addr() + " does not answer"},
		"an evicting server":      {evicting, "maxmemory-policy allkeys-lru"},
		"an unknown scheme":       {"http://localhost", "redis address must begin with"},
		"no address":              {"", "redis address must begin with"},
		"a bad address":           {"redis://user:secret@host:port", "read the redis address"},
		"a bad option":            {server.URL + "?no_such=1", "read the redis address"},
		"a bad cluster":           {"redis-cluster://user:secret@host:%zz,b:1", "read the redis-cluster address"},
		"a server without slots":  {"redis-cluster://" + strings.TrimPrefix(server.URL, "redis://"), "redis cluster at"},
		"a password nobody asked": {strings.Replace(server.URL, "redis://", "redis://user:secret@", 1), "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redis.Open(t.Context(), c.address)
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if text := err.Error(); !strings.Contains(text, c.says) || strings.Contains(text, "\n") || strings.Contains(text, "secret") {
				t.Fatalf("got %q", text)
			}
		})
	}
}

func TestOpenWithoutTheRightToAskForSettings(t *testing.T) {
	srv := redistest.StartServer(t)
	if err := raw(t, srv.URL).Do(t.Context(), "ACL", "SETUSER", "app", "on", ">secret", "~rw:*", "&rw/0:*", "+@all", "-@admin", "-config").Err(); err != nil {
		t.Fatal(err)
	}
	s := open(t, strings.Replace(srv.URL, "redis://", "redis://app:secret@", 1))
	commit(t, s, batch(storetest.NewScope(), 0, 1))
}
