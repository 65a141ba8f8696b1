package redisleases_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/internal/redistest"
	"rolewise/leases"
	"rolewise/leases/redisleases"
)

// long is a lease time that no test waits for: what happens within patience was told, not waited for.
const long = 5 * time.Minute

func TestSharing(t *testing.T) {
	for name, url := range map[string]string{"one server": server.URL, "a cluster": redistest.StartCluster(t, 3)} {
		t.Run(name, func(t *testing.T) {
			l, c, group := newLedger(t), client(t, url), newGroup(t)
			join := func(name string) *process {
				return l.join(name, 8, redisleases.Options{Client: c, Group: group, Lease: long})
			}
			a := join("a")
			l.await("one holds all", patience, balanced(8, "a"))
			b := join("b")
			l.await("two share", patience, balanced(8, "a", "b"))
			join("c")
			l.await("three share", patience, balanced(8, "a", "b", "c"))
			a.leave(t)
			l.await("one has left", patience, balanced(8, "b", "c"))
			b.leave(t)
			l.await("two have left", patience, balanced(8, "c"))
			if s := a.Stats(); s.GivenAway < 4 || s.Lost != 0 || s.Failures != 0 {
				t.Errorf("the first counts %+v", s)
			}
		})
	}
}

// deaf hears nothing of what others do.
type deaf struct{ goredis.UniversalClient }

func (d deaf) Subscribe(ctx context.Context, _ ...string) *goredis.PubSub {
	return d.UniversalClient.Subscribe(ctx, "silence")
}

func TestSharingDoesNotNeedMessages(t *testing.T) {
	const lease = 2 * time.Second
	l, group := newLedger(t), newGroup(t)
	o := redisleases.Options{Client: deaf{client(t, server.URL)}, Group: group, Lease: lease}
	l.join("a", 8, o)
	l.await("one holds all", patience, balanced(8, "a"))
	began := time.Now()
	b := l.join("b", 8, o)
	l.await("two share", patience, balanced(8, "a", "b"))
	t.Logf("balanced after %s with a lease of %s", time.Since(began), lease)
	b.leave(t)
	began = time.Now()
	l.await("one has left", patience, balanced(8, "a"))
	t.Logf("taken over after %s", time.Since(began))
}

// What others have is looked at when it ends, not only at the next renewal, which is far away here.
func TestLeaseOfTheDeadIsTakenWhenItEnds(t *testing.T) {
	ctx, l, c, group := t.Context(), newLedger(t), client(t, server.URL), newGroup(t)
	ends := func(after time.Duration) int64 {
		now, err := c.Time(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		return now.Add(after).UnixMicro()
	}
	soon, never := ends(time.Second), ends(time.Hour)
	if err := c.HSet(ctx, redisleases.StateKey(group),
		"member dead", fmt.Sprintf("%d %d -", soon, long.Microseconds()),
		"lease 0", fmt.Sprintf("%d %d %d dead", soon, soon, long.Microseconds()),
		"lease 1", fmt.Sprintf("%d %d %d clock-was-set-back", soon, never, long.Microseconds()),
		"lease 2", "nonsense",
	).Err(); err != nil {
		t.Fatal(err)
	}
	l.highest[0], l.highest[1] = uint64(soon), uint64(soon)
	l.join("a", 4, redisleases.Options{Client: c, Group: group, Lease: long})
	l.await("the living takes all", patience, balanced(4, "a"))
}

// A fence stays above all before it, even if the server's clock was ahead once.
func TestFencesGrow(t *testing.T) {
	ctx, l, c, group := t.Context(), newLedger(t), client(t, server.URL), newGroup(t)
	ahead := uint64(time.Now().Add(24 * time.Hour).UnixMicro())
	if err := c.HSet(ctx, redisleases.StateKey(group), "lease 0", fmt.Sprintf("%d 0 0 -", ahead)).Err(); err != nil {
		t.Fatal(err)
	}
	l.highest[0] = ahead
	for range 5 {
		p := l.join("a", 2, redisleases.Options{Client: c, Group: group, Lease: long})
		l.await("held", patience, balanced(2, "a"))
		p.leave(t)
	}
	if got := l.highest[0]; got != ahead+5 {
		t.Errorf("the fence has grown to %d, from %d", got, ahead)
	}
	if got := l.highest[1]; got < ahead-uint64(48*time.Hour/time.Microsecond) {
		t.Errorf("the first fence is %d, not the time", got)
	}
}

func TestMoreProcessesThanPartitions(t *testing.T) {
	l, c, group := newLedger(t), client(t, server.URL), newGroup(t)
	var all []*process
	for i := range 5 {
		all = append(all, l.join(fmt.Sprint(i), 2, redisleases.Options{Client: c, Group: group, Lease: long}))
	}
	l.await("two hold one each", patience, func(holders map[int]string) bool {
		return len(holders) == 2 && holders[0] != holders[1]
	})
	for i, p := range all[:4] {
		p.leave(t)
		l.await(fmt.Sprintf("after %d have left", i+1), patience, func(holders map[int]string) bool { return len(holders) == 2 })
	}
}

func TestGroupsAreApart(t *testing.T) {
	c, group := client(t, server.URL), newGroup(t)
	for _, name := range []string{group, group + "}x", group + ":changed"} {
		l := newLedger(t)
		l.join("a", 4, redisleases.Options{Client: c, Group: name, Lease: long})
		l.await("one holds all", patience, balanced(4, "a"))
	}
}

func TestHoldThatReturnsIsHeldAgain(t *testing.T) {
	l, group := newLedger(t), newGroup(t)
	times := make(chan time.Time, 1000)
	const lease = time.Second
	p := l.joinTo("a", 1, redisleases.Options{Client: client(t, server.URL), Group: group, Lease: lease},
		func(context.Context, int, uint64) { times <- time.Now() })
	var last time.Time
	for i := range 4 {
		select {
		case now := <-times:
			if pause := now.Sub(last); i > 0 && pause < lease/5 {
				t.Errorf("held again after %s", pause)
			}
			last = now
		case <-time.After(patience):
			t.Fatal("not held again")
		}
	}
	p.leave(t)
	if s := p.Stats(); s.Returned < 4 || s.Lost != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestRunWaitsForItsHolds(t *testing.T) {
	l, c, group := newLedger(t), client(t, server.URL), newGroup(t)
	o := redisleases.Options{Client: c, Group: group, Lease: long}
	finish := make(chan struct{})
	a := l.joinTo("a", 2, o, func(ctx context.Context, partition int, _ uint64) {
		<-ctx.Done()
		if partition == 0 {
			<-finish
		}
	})
	l.await("one holds all", patience, balanced(2, "a"))
	a.stop()
	l.join("b", 2, o)
	l.await("what has returned is passed on", patience, func(holders map[int]string) bool { return holders[1] == "b" })
	l.mutex.Lock()
	if _, held := l.writers()[0]; held || len(a.ended) > 0 {
		t.Error("a partition was passed on whose hold goes on")
	}
	l.mutex.Unlock()
	close(finish)
	l.await("all is passed on", patience, balanced(2, "b"))
}

// A healthy group calls once for each process and third of the lease time.
func TestNoBusyPolling(t *testing.T) {
	const lease, watched = 1200 * time.Millisecond, 4 * time.Second
	l, group := newLedger(t), newGroup(t)
	own := redistest.StartServer(t)
	c := client(t, own.URL)
	for _, name := range []string{"a", "b", "c"} {
		l.join(name, 64, redisleases.Options{Client: c, Group: group, Lease: lease})
	}
	l.await("three share", patience, balanced(64, "a", "b", "c"))
	before := calls(t, c)
	time.Sleep(watched)
	n, want := calls(t, c)-before, int(3*watched/(lease/3))
	t.Logf("%d calls in %s, %d expected", n, watched, want)
	if n > 2*want {
		t.Errorf("%d calls in %s, more than twice the %d expected", n, watched, want)
	}
}

// calls counts the scripts that a server has run.
func calls(t *testing.T, c goredis.UniversalClient) (n int) {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if rest, found := strings.CutPrefix(line, "cmdstat_evalsha:calls="); found {
			if _, err := fmt.Sscan(strings.Split(rest, ",")[0], &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

func TestImpossibleOptions(t *testing.T) {
	c := client(t, server.URL)
	for name, o := range map[string]redisleases.Options{
		"no client": {Group: "g"}, "no group": {Client: c}, "a lease too short": {Client: c, Group: "g", Lease: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := redisleases.New(o); err == nil {
				t.Error("accepted")
			}
		})
	}
	k, err := redisleases.New(redisleases.Options{Client: c, Group: "g"})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(t.Context(), 0, nil); err == nil || errors.Is(err, leases.ErrLost) {
		t.Errorf("no partitions: %v", err)
	}
}
