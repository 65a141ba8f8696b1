package projections_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"rolewise/internal/redistest"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
)

// patience bounds what happens at once unless something is broken.
const patience = 30 * time.Second

var server *redistest.Server

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { counted = counted || f.Name == "rapid.checks" })
	projections.LookEvery(100 * time.Millisecond) // builds are promoted at the next look
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

// onRedis returns read models on the real server, which is emptied first: tests do not run in parallel.
func onRedis(t testing.TB) readmodels.Store {
	t.Helper()
	if err := flush(t); err != nil {
		t.Fatal(err)
	}
	store, err := redis.Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// flush empties the real server.
func flush(t testing.TB) error {
	options, err := goredis.ParseURL(server.URL)
	if err != nil {
		return err
	}
	raw := goredis.NewClient(options)
	defer raw.Close()
	return raw.FlushAll(t.Context()).Err()
}

// bounded ends what hangs, with the stacks that a failed test shows.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

var counted bool // the arguments say how many cases

var torture = os.Getenv("ROLEWISE_TORTURE") == "1"

// cases sets how many cases the properties of a test try, twenty times as many when torture is wanted. A count in the
// arguments of the test goes before.
func cases(t *testing.T, n int) {
	t.Helper()
	if counted {
		return
	}
	if torture {
		n *= 20
	}
	setting(t, "rapid.checks", strconv.Itoa(n))
}

// setting changes a flag for the length of a test.
func setting(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}
