package readside

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/internal/redistest"
	"rolewise/readmodels"
)

// redisFaults harms the one Redis of two APIs and three projectors, and kills these.
func redisFaults(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	proxy := redistest.StartProxy(t, server)
	w := begin(t, 2, 3, proxy.URL, server.URL)
	raw := rawClient(t, server)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	yesterday, err := server.Snapshot(ctx)
	must(err)
	p := watch(t, w)
	lasting := long(700*time.Millisecond, 4*time.Second)
	w.each(t, p, []fault{
		{name: "processes killed, and a projector that hangs", lasts: lasting,
			inject: func(t *testing.T) {
				w.killMany(t, long(6, 200))
				for _, n := range w.nodes() {
					n.await(t)
				}
				must(syscall.Kill(w.projectors[0].process().PID(), syscall.SIGSTOP))
			},
			end: func(*testing.T) { must(syscall.Kill(w.projectors[0].process().PID(), syscall.SIGCONT)) }},
		{name: "killed and restarted empty", lasts: lasting,
			inject: func(*testing.T) { must(server.Kill()) },
			end:    func(*testing.T) { must(server.Restart()) }},
		{name: "FLUSHALL", inject: func(*testing.T) { must(raw.FlushAll(ctx).Err()) }},
		{name: "yesterday's dump", inject: func(*testing.T) { must(server.RestartFrom(yesterday)) }},
		{name: "maxmemory reached", lasts: lasting,
			inject: func(*testing.T) { must(server.Set(ctx, "maxmemory", "1mb")) },
			end:    func(*testing.T) { must(server.Set(ctx, "maxmemory", "0")) }},
		{name: "500 ms latency", lasts: 2 * lasting,
			inject: func(*testing.T) { must(proxy.Delay(500 * time.Millisecond)) },
			end:    func(*testing.T) { proxy.Mend(ctx) }},
		{name: "partition", lasts: 2 * lasting,
			inject: func(*testing.T) { must(proxy.Part()) },
			end:    func(*testing.T) { proxy.Mend(ctx) }},
		{name: "stopped, and late with what it was told before", lasts: 4 * time.Second, // longer than clients wait
			inject: func(*testing.T) { must(server.Pause()) },
			end:    func(*testing.T) { must(server.Resume()) }},
		{name: "a document of another type", lasts: lasting, finding: untouched,
			inject: func(t *testing.T) { must(spoil(ctx, raw, "rw:*:doc:*")) }},
		{name: "an index of another type", lasts: lasting, finding: untouched,
			inject: func(t *testing.T) { must(spoil(ctx, raw, "rw:*:index:*")) }},
		{name: "a checkpoint of another type", lasts: lasting,
			inject: func(t *testing.T) { must(spoil(ctx, raw, "rw:*:checkpoint")) }},
		{name: "flushed and killed", torture: true, lasts: lasting,
			inject: func(t *testing.T) {
				must(raw.FlushAll(ctx).Err())
				w.killMany(t, 5)
			},
			end: func(t *testing.T) {
				for _, n := range w.nodes() {
					n.await(t)
				}
			}},
	})
	p.end()
	if !t.Failed() {
		w.bites(t, raw)
	}
}

const untouched = "finding: a key of another type is noticed by the next commit to it only; until then queries that read it answer 503"

// killMany kills one process after the other, chosen at random, while commands are accepted.
func (w *world) killMany(t *testing.T, kills int) {
	t.Helper()
	all := w.nodes()
	for range kills {
		all[rand.IntN(len(all))].crash(t)
		w.load.more(t, 1+rand.Int64N(10))
	}
	t.Logf("%d kills; %d answers of killed APIs were lost and asked for again", kills, w.load.lost.Load())
}

// spoil puts a text where all keys of a pattern have been.
func spoil(ctx context.Context, raw *goredis.Client, pattern string) error {
	keys := raw.Scan(ctx, 0, pattern, 1000).Iterator()
	n := 0
	for ; keys.Next(ctx); n++ {
		if err := raw.Set(ctx, keys.Val(), "not what it was", 0).Err(); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("no key is like %s", pattern)
	}
	return keys.Err()
}

func rawClient(t *testing.T, server *redistest.Server) *goredis.Client {
	t.Helper()
	raw := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// bites damages single keys of the real read models and demands that the comparison finds each.
func (w *world) bites(t *testing.T, raw *goredis.Client) {
	t.Helper()
	ctx := t.Context()
	one := func(pattern string) string {
		t.Helper()
		keys, err := raw.Keys(ctx, pattern).Result()
		if err != nil || len(keys) == 0 {
			t.Fatalf("no key is like %s: %v", pattern, err)
		}
		return keys[rand.IntN(len(keys))]
	}
	field := func(key string) (id, value string) {
		t.Helper()
		all, err := raw.HGetAll(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for id, value := range all {
			return id, value
		}
		t.Fatalf("%s is empty", key)
		return "", ""
	}
	want := replay(t, w.log)
	for name, damage := range map[string]func() (mend func() error, err error){
		"a changed document": func() (func() error, error) {
			key := one("rw:*:doc:*")
			id, value := field(key)
			return func() error { return raw.HSet(ctx, key, id, value).Err() }, raw.HSet(ctx, key, id, value+" ").Err()
		},
		"a missing document": func() (func() error, error) {
			key := one("rw:*:doc:*")
			id, value := field(key)
			return func() error { return raw.HSet(ctx, key, id, value).Err() }, raw.HDel(ctx, key, id).Err()
		},
		"an entry too many": func() (func() error, error) {
			key := one("rw:*:index:*")
			return func() error { return raw.ZRem(ctx, key, "zz").Err() }, raw.ZAdd(ctx, key, goredis.Z{Member: "zz"}).Err()
		},
		"another checkpoint": func() (func() error, error) {
			key := one("rw:*:checkpoint")
			was := raw.HGet(ctx, key, "time").Val()
			return func() error { return raw.HSet(ctx, key, "time", was).Err() }, raw.HSet(ctx, key, "time", "2001-01-01T00:00:00Z").Err()
		},
	} {
		mend, err := damage()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(differences(dump(t, w.live), want)); n == 0 || n > 2 {
			t.Errorf("%s: %d differences are found", name, n)
		}
		if err := mend(); err != nil {
			t.Fatal(err)
		}
	}
	key := one("rw:*:doc:*")
	id, value := field(key)
	if err := raw.HSet(ctx, key, id+"'", value).Err(); err != nil {
		t.Fatal(err)
	}
	if n := w.damaged(t); n != 1 {
		t.Errorf("with a document twice, %d scopes say that they are damaged", n)
	}
	if err := raw.HDel(ctx, key, id+"'").Err(); err != nil {
		t.Fatal(err)
	}
	if wrong := differences(dump(t, w.live), want); len(wrong) > 0 {
		t.Errorf("mended, and yet: %q", wrong)
	}
}

// damaged counts the scopes that cannot be dumped, since something in them is not theirs.
func (w *world) damaged(t *testing.T) (n int) {
	t.Helper()
	for _, scope := range scopes() {
		err := w.live.Dump(t.Context(), scope, func(string) error { return nil })
		if damage := (*readmodels.DamagedError)(nil); errors.As(err, &damage) {
			n++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return n
}
