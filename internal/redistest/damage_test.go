package redistest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rolewise/internal/redistest"
)

func TestRestartFrom(t *testing.T) {
	ctx := t.Context()
	s := redistest.StartServer(t)
	r := client(t, s.URL)
	set := func(value string) {
		t.Helper()
		if err := r.Set(ctx, "key", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("yesterday")
	dump, err := s.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	set("today")
	if err := s.RestartFrom(dump); err != nil {
		t.Fatal(err)
	}
	if got, err := client(t, s.URL).Get(ctx, "key").Result(); err != nil || got != "yesterday" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got, err := client(t, s.URL).Get(ctx, "key").Result(); !errors.Is(err, redis.Nil) {
		t.Fatalf("the dump is used again: %q, %v", got, err)
	}
}

func TestProxy(t *testing.T) {
	ctx := t.Context()
	p := redistest.StartProxy(t, redistest.StartServer(t))
	ask := func() (time.Duration, error) {
		bound, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		o, err := redis.ParseURL(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		o.ContextTimeoutEnabled, o.MaxRetries, o.Protocol, o.DisableIdentity = true, -1, 2, true
		c := redis.NewClient(o)
		defer c.Close()
		begin := time.Now()
		err = c.Ping(bound).Err()
		return time.Since(begin), err
	}
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := p.Delay(200 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took, err := ask(); err != nil || took < 200*time.Millisecond {
		t.Fatalf("delayed: %s, %v", took, err)
	}
	p.Mend(ctx)
	if err := p.Part(); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(); err == nil {
		t.Fatal("an answer through a parted network")
	}
	p.Mend(ctx)
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
}

// TestReplicated moves slots, cuts a replica off and lets it take over without what it missed.
func TestReplicated(t *testing.T) {
	ctx := t.Context()
	c := redistest.StartReplicated(t, 3, 500*time.Millisecond)
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{c.Nodes[0].Addr()}, DialerRetries: 1, ClusterStateReloadInterval: 100 * time.Millisecond,
	})
	defer cluster.Close()
	for n := range 30 {
		if err := cluster.Set(ctx, fmt.Sprintf("{tag}%d", n), "old", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	from, _, err := c.Busiest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	masters, err := c.Masters(ctx)
	if err != nil || len(masters) != 3 {
		t.Fatalf("%d masters, %v", len(masters), err)
	}
	to := masters[0]
	if to == from {
		to = masters[1]
	}
	if slots, keys, err := c.MoveSlots(ctx, from, to, 5); err != nil || slots != 1 || keys != 30 {
		t.Fatalf("moved %d slots, %d keys, %v", slots, keys, err)
	}
	master, replica, err := c.Busiest(ctx)
	if err != nil || master != to || replica == nil {
		t.Fatalf("the keys are on %v, %v", master, err)
	}
	if err := cluster.Wait(ctx, 1, time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { n, err := size(ctx, replica); return err == nil && n == 30 })
	if err := redistest.CutReplica(ctx, master, replica); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Set(ctx, "{tag}0", "new", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		value, err := cluster.Get(ctx, "{tag}0").Result()
		if value == "new" {
			t.Fatal("a replica that was cut off has what was written since")
		}
		return err == nil && value == "old"
	})
	if err := master.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := redistest.MendReplica(ctx, replica); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitWhole(ctx); err != nil {
		t.Fatal(err)
	}
	if now, _, err := c.Busiest(ctx); err != nil || now != replica {
		t.Fatalf("the keys are on %v, %v", now, err)
	}
}

func size(ctx context.Context, s *redistest.Server) (int64, error) {
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer c.Close()
	return c.DBSize(ctx).Result()
}

// await returns when something has come about; the bound ends a test that would hang.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatal("did not come about")
		}
		<-time.After(20 * time.Millisecond)
	}
}
