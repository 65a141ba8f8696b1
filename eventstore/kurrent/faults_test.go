package kurrent_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
)

// torture tells whether the long form of a test is wanted.
func torture() bool { return os.Getenv("ROLEWISE_TORTURE") == "1" }

// hung is how much later than its context a call may end on a busy machine before it counts as hung.
const hung = 20 * time.Second

// work writes, reads and follows through one adapter while something is done to the wire, and proves that nothing was
// lost, doubled or left hanging.
type work struct {
	store   *kurrent.Store
	truth   eventstore.Store // the store behind the front
	writers int
	each    int

	mu           sync.Mutex
	ids          map[eventstore.StreamID][]uuid.UUID
	positions    map[uuid.UUID]eventstore.Position
	acknowledged atomic.Int64
	unknown      atomic.Int64
}

func (w *work) total() int { return w.writers * w.each }

// run returns when all is written and followed. disturb runs beside until its context ends.
func (w *work) run(t *testing.T, disturb func(ctx context.Context)) {
	t.Helper()
	w.ids, w.positions = map[eventstore.StreamID][]uuid.UUID{}, map[uuid.UUID]eventstore.Position{}
	ctx := bounded(t)
	info, err := w.store.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	disturbing, calm := context.WithCancel(ctx)
	var disturber, writers, others sync.WaitGroup
	disturber.Go(func() { disturb(disturbing) })
	seen := make([][]eventstore.Recorded, 2)
	for i := range seen {
		others.Go(func() { seen[i] = w.follow(ctx, t, info.Head, eventstore.Filter{PageSize: 1 + 99*i}) })
	}
	for i := range w.writers {
		writers.Go(func() { w.write(ctx, t, stream(fmt.Sprintf("writer %d", i))) })
	}
	done := make(chan struct{})
	others.Go(func() { w.read(ctx, t, done) })
	writers.Wait()
	calm()
	disturber.Wait()
	close(done)
	others.Wait()
	w.prove(t, seen)
}

// write appends events one after the other, each with the same id until it is acknowledged.
func (w *work) write(ctx context.Context, t *testing.T, id eventstore.StreamID) {
	for i := range w.each {
		e := event("Happened")
		w.mu.Lock()
		w.ids[id] = append(w.ids[id], e.ID)
		w.mu.Unlock()
		for {
			limit := time.Duration(rand.IntN(2000)) * time.Millisecond
			p, err := bound(ctx, t, limit, func(ctx context.Context) (eventstore.Position, error) {
				return w.store.Append(ctx, id, eventstore.Revision(i-1), e)
			})
			if err == nil {
				w.mu.Lock()
				w.positions[e.ID] = p
				w.mu.Unlock()
				w.acknowledged.Add(1)
				break
			}
			var unavailable *eventstore.UnavailableError
			switch {
			case errors.As(err, &unavailable):
				if unavailable.Unknown {
					w.unknown.Add(1)
				}
			case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			default:
				t.Errorf("append: %v", err)
				return
			}
		}
	}
}

// bound calls with a deadline and reports a call that goes on long after it.
func bound[T any](ctx context.Context, t *testing.T, limit time.Duration, call func(context.Context) (T, error)) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		value, err = call(ctx)
	}()
	select {
	case <-done:
	case <-time.After(limit + hung):
		t.Errorf("a call hangs past its context")
		<-done
	}
	return value, err
}

func (w *work) follow(ctx context.Context, t *testing.T, after eventstore.Position, filter eventstore.Filter) []eventstore.Recorded {
	var all []eventstore.Recorded
	through := after
	for page, err := range w.store.Follow(ctx, after, filter) {
		if err != nil {
			t.Errorf("follow: %v", err)
			return all
		}
		if page.After != through || page.Through > page.Head || page.Live != (page.Through == page.Head) {
			t.Errorf("page (%s, %s] of %s, live=%v, after one that ended at %s", page.After, page.Through, page.Head, page.Live, through)
		}
		through = page.Through
		if all = append(all, page.Events...); len(all) >= w.total() {
			return all
		}
	}
	return all
}

// read reads streams and asks for the end of the log, with deadlines that may not suffice.
func (w *work) read(ctx context.Context, t *testing.T, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		id := stream(fmt.Sprintf("writer %d", i%w.writers))
		limit := time.Duration(rand.IntN(1000)) * time.Millisecond
		_, err := bound(ctx, t, limit, func(ctx context.Context) (int, error) {
			next := eventstore.Revision(0)
			for e, err := range w.store.Read(ctx, id, 0) {
				if err != nil {
					return 0, err
				}
				if e.Revision != next {
					t.Errorf("read revision %d where %d was due", e.Revision, next)
				}
				next++
			}
			_, err := w.store.Info(ctx)
			return int(next), err
		})
		var unavailable *eventstore.UnavailableError
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &unavailable) {
			t.Errorf("read: %v", err)
			return
		}
	}
}

// prove compares what was acknowledged and followed with what the store behind the front holds.
func (w *work) prove(t *testing.T, seen [][]eventstore.Recorded) {
	t.Helper()
	ctx := bounded(t)
	for id, ids := range w.ids {
		n := 0
		for e, err := range w.truth.Read(ctx, id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if n >= len(ids) || e.ID != ids[n] {
				t.Fatalf("%s holds another event than was appended at %d", id, n)
			}
			n++
		}
		if n != len(ids) {
			t.Errorf("%s has %d events, %d were acknowledged", id, n, len(ids))
		}
	}
	for i, all := range seen {
		if len(all) != w.total() {
			t.Errorf("follower %d saw %d events, want %d", i, len(all), w.total())
		}
		once := map[uuid.UUID]bool{}
		last := eventstore.Position(0)
		for _, e := range all {
			if once[e.ID] || e.Position <= last {
				t.Fatalf("follower %d saw an event twice or out of order at %s", i, e.Position)
			}
			once[e.ID], last = true, e.Position
			if w.positions[e.ID] != e.Position {
				t.Fatalf("follower %d saw at %s what was acknowledged at %s", i, e.Position, w.positions[e.ID])
			}
		}
	}
	t.Logf("%d appends acknowledged, %d unknown on the way", w.acknowledged.Load(), w.unknown.Load())
}

// rounds disturbs again and again, each time after a part of the work was done in spite of it.
func (w *work) rounds(ctx context.Context, each func(round int)) {
	for round := 0; ctx.Err() == nil; round++ {
		each(round)
		for next := w.acknowledged.Load() + int64(w.total()/12); w.acknowledged.Load() < next && ctx.Err() == nil; {
			wait(ctx, 5*time.Millisecond)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// quiet fails when goroutines of the adapter, its client or their connections are left after the store was closed. Those
// of the front and its store come and go with restarts; TestMain looks for them at the end.
func quiet(t *testing.T) {
	t.Helper()
	ours := []string{
		"rolewise/eventstore/kurrent.", "EventStore-Client-Go/v4/esdb", "transport.(*http2Client)", "grpc.(*ClientConn)", "grpc.(*addrConn)",
		"grpcsync.(*CallbackSerializer)", "resolver/dns",
	}
	for deadline := time.Now().Add(hung); ; {
		stacks := make([]byte, 4<<20)
		left := slices.DeleteFunc(strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n"), func(stack string) bool {
			return !slices.ContainsFunc(ours, func(name string) bool { return strings.Contains(stack, name) })
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left, such as\n%s", len(left), strings.Join(left[:min(3, len(left))], "\n\n"))
		}
		time.Sleep(10 * time.Millisecond) // until the last connection is closed
	}
}

// size returns how much each writer appends.
func size() int {
	if torture() {
		return 2000
	}
	return 60
}

// TestWireFaults injects what servers do into a run of writers, readers and followers.
func TestWireFaults(t *testing.T) {
	const appends = kurrenttest.Appends
	always := appends | kurrenttest.Reads | kurrenttest.Subscriptions
	for name, inject := range map[string]func(f *front, round int){
		"unavailable":              func(f *front, _ int) { f.Inject(3, kurrenttest.Unavailable()) },
		"unavailable after commit": func(f *front, _ int) { f.Inject(3, kurrenttest.UnavailableAfterCommit()) },
		"aborted after commit":     func(f *front, _ int) { f.Inject(3, kurrenttest.AbortedAfterCommit()) },
		"not leader":               func(f *front, _ int) { f.Inject(2, notLeader(f)) },
		"not leader, everywhere":   func(f *front, _ int) { f.Inject(2, notLeader(f).On(always)) },
		"leader unknown": func(f *front, _ int) {
			f.Inject(3, kurrenttest.Refused(codes.Unknown, "No leader info available in response"))
		},
		"internal": func(f *front, _ int) {
			f.Inject(3, kurrenttest.Refused(codes.Internal, "stream terminated by RST_STREAM"))
		},
		"dropped streams": func(f *front, _ int) { f.DropStreams() },
		"cut streams":     func(f *front, round int) { f.Inject(2, kurrenttest.Cut(round%5)) },
		"slow":            func(f *front, _ int) { f.Inject(3, kurrenttest.Delay(300*time.Millisecond)) },
		"restarts": func(f *front, _ int) {
			f.Stop()
			time.Sleep(50 * time.Millisecond) // the length of the outage
			if err := f.Restart(context.Background()); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t)
			s := open(t, f.ConnectionString()+"&defaultDeadline=2000", kurrent.Idle(100*time.Millisecond))
			w := &work{store: s, truth: f.store, writers: 8, each: size()}
			w.run(t, func(ctx context.Context) {
				w.rounds(ctx, func(round int) { inject(f, round) })
			})
			f.ClearFaults()
			_ = s.Close()
			quiet(t)
		})
	}
}

// notLeader names the front itself as the leader.
func notLeader(f *front) kurrenttest.Fault {
	host, port, _ := strings.Cut(f.Address(), ":")
	var n int
	_, _ = fmt.Sscan(port, &n)
	return kurrenttest.NotLeader(host, n)
}

// proxied puts a proxy between the adapter and the front.
func proxied(t *testing.T, f *front) (*toxiproxy.Proxy, string) {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "kurrentdb", "127.0.0.1:0", f.Address())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return proxy, strings.Replace(f.ConnectionString(), f.Address(), proxy.Listen, 1) + "&gossipTimeout=1&defaultDeadline=500"
}

// TestWireTrouble runs the same over a network that is slow, breaks and parts.
func TestWireTrouble(t *testing.T) {
	for name, toxic := range map[string]string{
		"latency":         `{"name":"x","type":"latency","attributes":{"latency":100,"jitter":50}}`,
		"reset":           `{"name":"x","type":"reset_peer","attributes":{"timeout":0}}`,
		"reset upstream":  `{"name":"x","type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`,
		"partition":       `{"name":"x","type":"timeout","attributes":{"timeout":0}}`,
		"lost requests":   `{"name":"x","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		"cut in messages": `{"name":"x","type":"limit_data","attributes":{"bytes":3000}}`,
		"slow and small":  `{"name":"x","type":"slicer","attributes":{"average_size":20,"size_variation":10,"delay":100}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t)
			proxy, address := proxied(t, f)
			s := open(t, address, kurrent.Idle(100*time.Millisecond))
			w := &work{store: s, truth: f.store, writers: 8, each: size() / 2}
			w.run(t, func(ctx context.Context) {
				w.rounds(ctx, func(int) {
					if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
						t.Error(err)
					}
					wait(ctx, 100*time.Millisecond)
					if err := proxy.Toxics.RemoveToxic(context.Background(), "x"); err != nil {
						t.Error(err)
					}
				})
			})
			_ = s.Close()
			quiet(t)
		})
	}
}

// TestLeaderChange moves the leadership about while the work goes on, with elections in between.
func TestLeaderChange(t *testing.T) {
	f := startFront(t)
	c, err := kurrenttest.StartCluster(context.Background(), f.store, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	s := open(t, c.ConnectionString()+"&gossipTimeout=1&defaultDeadline=2000", kurrent.Idle(100*time.Millisecond))
	w := &work{store: s, truth: f.store, writers: 8, each: size()}
	w.run(t, func(ctx context.Context) {
		w.rounds(ctx, func(round int) {
			leader := c.Servers()[round%3]
			switch round % 4 {
			case 0:
				c.Lead(nil)
				wait(ctx, 50*time.Millisecond)
				c.Lead(leader)
			case 1:
				c.Lead(leader)
			default:
				old := c.Leader()
				old.Stop()
				c.Lead(leader)
				wait(ctx, 20*time.Millisecond)
				if err := old.Restart(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	})
	_ = s.Close()
	quiet(t)
}

// TestServerAway takes the server away for longer than the client endures: a few seconds, or a minute.
func TestServerAway(t *testing.T) {
	away := 3 * time.Second
	if torture() {
		away = time.Minute
	}
	f := startFront(t)
	s := open(t, f.ConnectionString(), kurrent.Idle(100*time.Millisecond))
	w := &work{store: s, truth: f.store, writers: 8, each: size()}
	w.run(t, func(ctx context.Context) {
		f.Stop()
		time.Sleep(away) // the length of the outage, even if nothing is left to be written
		if err := f.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	})
	_ = s.Close()
	quiet(t)
}
