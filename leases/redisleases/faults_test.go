package redisleases_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"rolewise/internal/redistest"
	"rolewise/leases"
	"rolewise/leases/redisleases"
)

// short is the lease time of tests that wait for the end of leases.
const short = 2 * time.Second

// busy is what a busy machine may add to the promise of the lease time and a second.
const busy = 5 * time.Second

// child is a process of its own that holds partitions.
type child struct {
	*exec.Cmd
	ledger sharedLedger
}

func startChild(t *testing.T, o childOrders) *child {
	t.Helper()
	orders, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{exec.Command(os.Args[0], "-test.run=^$"), sharedLedger{client(t, o.URL), o.Ledger, "parent"}}
	c.Env = append(os.Environ(), childVariable+"="+string(orders))
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// awaitCount waits until a count of the shared ledger is at least so much.
func (c *child) awaitCount(t *testing.T, name string, atLeast int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		n, _ := strconv.Atoi(c.ledger.read(t)[name])
		if n >= atLeast {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has only come to %d, not %d", name, n, atLeast)
		}
	}
}

// besideChild runs a child and a process here that share partitions, both writing to a shared ledger.
func besideChild(t *testing.T, partitions int) (*ledger, *child) {
	t.Helper()
	group := newGroup(t)
	c := startChild(t, childOrders{URL: server.URL, Group: group, Ledger: "ledger " + group, Lease: short, Partitions: partitions})
	c.awaitCount(t, "written child", 1)
	l := newLedger(t)
	l.joinTo("parent", partitions, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: short}, c.ledger.work)
	l.await("both share", patience, func(holders map[int]string) bool { return len(holders) == partitions/2 })
	return l, c
}

// idle logs how long partitions were held by nobody, and fails if that was longer than promised.
func idle(t *testing.T, since time.Time, lease time.Duration) {
	t.Helper()
	took := time.Since(since)
	t.Logf("all taken over %s after the stop, promised within %s", took.Round(time.Millisecond), lease+time.Second)
	if took > lease+time.Second+busy {
		t.Errorf("taken over after %s", took)
	}
}

func TestPartitionsOfTheDeadAreTakenOver(t *testing.T) {
	t.Parallel()
	l, c := besideChild(t, 8)
	since := time.Now()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	l.await("the living takes all", patience, balanced(8, "parent"))
	idle(t, since, short)
	if clash := c.ledger.read(t)["clash"]; clash != "" {
		t.Errorf("%s writes of two under one fence", clash)
	}
}

func TestStoppedProcessNotices(t *testing.T) {
	t.Parallel()
	l, c := besideChild(t, 8)
	since := time.Now()
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.await("the other takes all", patience, balanced(8, "parent"))
	idle(t, since, short)
	written, _ := strconv.Atoi(c.ledger.read(t)["written child"])
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.await("both share again", patience, func(holders map[int]string) bool { return len(holders) == 4 })
	c.awaitCount(t, "written child", written+100)
	counts := c.ledger.read(t)
	// A write that was under way when the process was stopped is refused; none is begun afterwards.
	if refused, _ := strconv.Atoi(counts["refused child"]); refused > 4 || counts["clash"] != "" || counts["refused parent"] != "" {
		t.Errorf("the ledger has counted %v", counts)
	}
	t.Logf("refused after the stop: %q", counts["refused child"])
}

// proxied returns a proxy in front of a server, and the URL through it.
func proxied(t *testing.T, s *redistest.Server) (*toxiproxy.Proxy, string) {
	t.Helper()
	front := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(front, "redis", "127.0.0.1:0", s.Addr())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return proxy, "redis://" + proxy.Listen
}

func toxic(t *testing.T, proxy *toxiproxy.Proxy, text string) {
	t.Helper()
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

// A hold that goes on after its lease is over holds up nobody: not when its process was cut off, and not when the
// partition was to be given away.
func TestHoldThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		proxy, through := proxied(t, server)
		l, group, finish := newLedger(t), newGroup(t), make(chan struct{})
		a := l.joinTo("a", 8, redisleases.Options{Client: client(t, through), Group: group, Lease: short},
			func(ctx context.Context, _ int, _ uint64) { <-ctx.Done(); <-finish })
		defer sync.OnceFunc(func() { close(finish) })()
		l.await("one holds all", patience, balanced(8, "a"))
		toxic(t, proxy, `{"name":"cut","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
		since := time.Now()
		l.join("b", 8, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: short})
		l.await("the other takes all", patience, balanced(8, "b"))
		idle(t, since, short)
		if s := a.Stats(); s.Lost != 8 || s.Held != 0 || s.Failures == 0 {
			t.Errorf("who was cut off counts %+v", s)
		}
		if err := proxy.Toxics.RemoveToxic(t.Context(), "cut"); err != nil {
			t.Fatal(err)
		}
		awaitMembers(t, group, 2)
		time.Sleep(short) // in which nothing is to happen
		l.await("the other keeps all", patience, balanced(8, "b"))
	})
	t.Run("cut off and back", func(t *testing.T) {
		t.Parallel()
		proxy, through := proxied(t, server)
		l, group, finish := newLedger(t), newGroup(t), make(chan struct{})
		l.joinTo("a", 8, redisleases.Options{Client: client(t, through), Group: group, Lease: short},
			func(ctx context.Context, _ int, _ uint64) { <-ctx.Done(); <-finish })
		done := sync.OnceFunc(func() { close(finish) })
		defer done()
		l.await("one holds all", patience, balanced(8, "a"))
		toxic(t, proxy, `{"name":"cut","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
		l.join("b", 8, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: short})
		l.await("the other takes all", patience, balanced(8, "b"))
		if err := proxy.Toxics.RemoveToxic(t.Context(), "cut"); err != nil {
			t.Fatal(err)
		}
		done()
		l.await("both share", patience, balanced(8, "a", "b"))
	})
	t.Run("given away", func(t *testing.T) {
		t.Parallel()
		l, group, finish := newLedger(t), newGroup(t), make(chan struct{})
		c := client(t, server.URL)
		l.joinTo("a", 8, redisleases.Options{Client: c, Group: group, Lease: short},
			func(ctx context.Context, _ int, _ uint64) { <-ctx.Done(); <-finish })
		defer close(finish)
		l.await("one holds all", patience, balanced(8, "a"))
		since := time.Now()
		l.join("b", 8, redisleases.Options{Client: c, Group: group, Lease: short})
		l.await("the other has its share", patience, balanced(8, "a", "b"))
		idle(t, since, short)
	})
}

// Who is cut off while answers come late knows before anybody else that its leases are over: the ledger sees to it.
func TestLateAnswersDoNotMakeLeasesLonger(t *testing.T) {
	t.Parallel()
	proxy, through := proxied(t, server)
	toxic(t, proxy, `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":200}}`)
	l, group := newLedger(t), newGroup(t)
	a := l.join("a", 8, redisleases.Options{Client: client(t, through), Group: group, Lease: short})
	l.await("one holds all", patience, balanced(8, "a"))
	time.Sleep(short) // so that leases were renewed too
	l.join("b", 1, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: short})
	awaitMembers(t, group, 2)
	toxic(t, proxy, `{"name":"cut","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
	l.await("the other takes it", patience, func(holders map[int]string) bool { return holders[0] == "b" })
	if s := a.Stats(); s.Lost == 0 {
		t.Errorf("counted %+v", s)
	}
}

// awaitMembers waits until a group has so many members.
func awaitMembers(t *testing.T, group string, want int) {
	t.Helper()
	c := client(t, server.URL)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		all, err := c.HKeys(t.Context(), redisleases.StateKey(group)).Result()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, field := range all {
			if strings.HasPrefix(field, "member ") {
				n++
			}
		}
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d members, not %d", n, want)
		}
	}
}

func TestRedisLosesItsData(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, harm := range map[string]func(s *redistest.Server, key string) error{
		"flushed": func(s *redistest.Server, _ string) error {
			c := connect(s.URL)
			defer c.Close()
			return c.FlushAll(ctx).Err()
		},
		"restarted empty": func(s *redistest.Server, _ string) error { return s.Restart() },
		"wrong type": func(s *redistest.Server, key string) error {
			c := connect(s.URL)
			defer c.Close()
			return c.Set(ctx, key, "not a hash", 0).Err()
		},
		"scripts forgotten": func(s *redistest.Server, key string) error {
			c := connect(s.URL)
			defer c.Close()
			return errors.Join(c.ScriptFlush(ctx).Err(), c.Del(ctx, key).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartServer(t)
			l, c, group := newLedger(t), client(t, s.URL), newGroup(t)
			l.lossy = true
			for _, name := range []string{"a", "b"} {
				l.join(name, 8, redisleases.Options{Client: c, Group: group, Lease: short})
			}
			l.await("two share", patience, balanced(8, "a", "b"))
			l.mutex.Lock()
			l.causes = nil
			l.mutex.Unlock()
			if err := harm(s, redisleases.StateKey(group)); err != nil {
				t.Fatal(err)
			}
			l.await("all leases were lost", patience, func(map[int]string) bool {
				lost := 0
				for _, cause := range l.causesNow() {
					if errors.Is(cause, leases.ErrLost) {
						lost++
					}
				}
				return lost >= 8
			})
			l.await("two share again", patience, balanced(8, "a", "b"))
		})
	}
}

func (l *ledger) causesNow() []error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return append([]error(nil), l.causes...)
}

func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ leave, back func(*redistest.Server) error }{
		"dead":    {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"hanging": {(*redistest.Server).Pause, (*redistest.Server).Resume},
		"full":    {limit("1"), limit("0")}, // refuses at once
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartServer(t)
			l, group := newLedger(t), newGroup(t)
			l.lossy = true
			hasty := goredis.NewClient(&goredis.Options{Addr: s.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
			t.Cleanup(func() { _ = hasty.Close() })
			o := redisleases.Options{Client: hasty, Group: group, Lease: short}
			a := l.join("a", 8, o)
			l.await("one holds all", patience, balanced(8, "a"))
			since := time.Now()
			if err := c.leave(s); err != nil {
				t.Fatal(err)
			}
			l.await("all holds ended", patience, func(holders map[int]string) bool { return len(holders) == 0 })
			t.Logf("ended after %s", time.Since(since).Round(time.Millisecond))
			if got := a.Stats(); got.Lost != 8 || got.Held != 0 || got.Failures == 0 {
				t.Errorf("counted %+v", got)
			}
			l.join("b", 8, o) // begins while redis is away
			time.Sleep(short / 2)
			if err := c.back(s); err != nil {
				t.Fatal(err)
			}
			since = time.Now()
			l.await("two share", patience, balanced(8, "a", "b"))
			failures := a.Stats().Failures
			if failures > 50 { // about ten are expected
				t.Errorf("tried %d times in vain", failures)
			}
			t.Logf("shared %s after its return, tried %d times in vain", time.Since(since).Round(time.Millisecond), failures)
		})
	}
}

// limit sets how many bytes a server may have; 0: any.
func limit(bytes string) func(*redistest.Server) error {
	return func(s *redistest.Server) error {
		c := connect(s.URL)
		defer c.Close()
		return c.ConfigSet(context.Background(), "maxmemory", bytes).Err()
	}
}

// A process leaves in time also when Redis does not answer.
func TestLeavingWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.StartServer(t)
	l := newLedger(t)
	a := l.join("a", 8, redisleases.Options{Client: client(t, s.URL), Group: newGroup(t), Lease: short})
	l.await("one holds all", patience, balanced(8, "a"))
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	a.leave(t)
	took := time.Since(since)
	t.Logf("left after %s", took.Round(time.Millisecond))
	if took > short+busy {
		t.Errorf("left only after %s", took)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	proxy, through := proxied(t, server)
	toxic(t, proxy, `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":500}}`)
	l, group := newLedger(t), newGroup(t)
	o := redisleases.Options{Client: client(t, through), Group: group} // with the lease time that is the default
	a := l.join("a", 8, o)
	l.await("one holds all", patience, balanced(8, "a"))
	b := l.join("b", 8, o)
	l.await("two share", patience, balanced(8, "a", "b"))
	time.Sleep(redisleases.DefaultLease + time.Second) // in which nothing is to happen
	if a.Stats().Lost+b.Stats().Lost != 0 {
		t.Errorf("leases were lost: %+v and %+v", a.Stats(), b.Stats())
	}
	b.leave(t)
	l.await("one has left", patience, balanced(8, "a"))
}

// Processes come, go and are cut off at random, and holds return slowly: at no time do two have a partition, and in the
// end it is shared evenly.
func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	const lease, partitions = 500 * time.Millisecond, 16
	l, group := newLedger(t), newGroup(t)
	work := func(ctx context.Context, partition int, fence uint64) {
		for ctx.Err() == nil {
			if !l.write(partition, fence) && ctx.Err() == nil {
				l.t.Errorf("fenced off under a lease")
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
		if rand.IntN(3) == 0 {
			time.Sleep(rand.N(lease))
		}
	}
	type slot struct {
		*process
		proxy *toxiproxy.Proxy
		cut   bool
	}
	slots := make([]*slot, 4)
	for step := range 60 {
		i := rand.IntN(len(slots))
		switch s := slots[i]; {
		case s == nil:
			proxy, through := proxied(t, server)
			slots[i] = &slot{process: l.joinTo(fmt.Sprint(i, "/", step), partitions,
				redisleases.Options{Client: client(t, through), Group: group, Lease: lease}, work), proxy: proxy}
		case s.cut:
			if err := s.proxy.Toxics.RemoveToxic(t.Context(), "cut"); err != nil {
				t.Fatal(err)
			}
			s.cut = false
		case rand.IntN(2) == 0:
			toxic(t, s.proxy, `{"name":"cut","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
			s.cut = true
		default:
			s.leave(t)
			slots[i] = nil
		}
		time.Sleep(rand.N(lease / 2))
	}
	for i, s := range slots {
		if s != nil && s.cut {
			s.leave(t)
			slots[i] = nil
		}
	}
	l.joinTo("last", partitions, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: lease}, work)
	l.await("all is held", patience, func(holders map[int]string) bool { return len(holders) == partitions })
	n := 1
	for _, s := range slots {
		if s != nil {
			n++
		}
	}
	l.await("all is shared evenly", patience, func(holders map[int]string) bool {
		count := map[string]int{}
		for _, process := range holders {
			count[process]++
		}
		for _, held := range count {
			if held < partitions/n || held > (partitions+n-1)/n {
				return false
			}
		}
		return len(holders) == partitions && len(count) == n
	})
}
