package redistest_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"rolewise/internal/redistest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The proxy leaves some of its own behind.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"))
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStartTakesArguments(t *testing.T) {
	c := client(t, redistest.Start(t, "--maxmemory-policy", "volatile-lru"))
	settings, err := c.ConfigGet(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"maxmemory-policy": "volatile-lru", "save": "", "appendonly": "no", "bind": "127.0.0.1",
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
}

func TestServersAreApart(t *testing.T) {
	ctx := t.Context()
	one, two := client(t, redistest.Start(t)), client(t, redistest.Start(t))
	if err := one.Set(ctx, "key", "one", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Get(ctx, "key").Result(); !errors.Is(err, redis.Nil) {
		t.Fatalf("the other server has it too: %v", err)
	}
}

func TestKillAndRestart(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		keeps bool
	}{
		"without persistence":   {nil, false},
		"with every write kept": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := redistest.StartServer(t, c.args...)
			r := client(t, s.URL)
			if err := r.Set(ctx, "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := r.Ping(ctx).Err(); err == nil {
				t.Fatal("a killed server answers")
			}
			url := s.URL
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			if s.URL != url {
				t.Fatalf("moved from %s to %s", url, s.URL)
			}
			if _, err := client(t, url).Get(ctx, "key").Result(); (err == nil) != c.keeps {
				t.Fatalf("after the restart: %v", err)
			}
		})
	}
}

func TestCloseEndsTheProcess(t *testing.T) {
	s, err := redistest.Run()
	if err != nil {
		t.Fatal(err)
	}
	pid := s.PID()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("not running: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("still there: %v", err)
	}
	if err := s.Pause(); err == nil {
		t.Fatal("paused what does not run")
	}
}

func TestBadArgumentsGiveTheServersReason(t *testing.T) {
	if s, err := redistest.Run("--no-such-option", "1"); err == nil {
		_ = s.Close()
		t.Fatal("started")
	}
}

func TestMissingServerSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := redistest.Run(); !errors.Is(err, redistest.ErrNotInstalled) {
		t.Fatalf("got %v", err)
	}
}

func TestCluster(t *testing.T) {
	ctx := t.Context()
	c, err := redistest.RunCluster(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.Nodes[2].Addr()}})
	defer cluster.Close()
	masters := make(chan string, 10)
	if err := cluster.ForEachMaster(ctx, func(_ context.Context, client *redis.Client) error {
		masters <- client.Options().Addr
		return nil
	}); err != nil || len(masters) != 3 {
		t.Fatalf("%d masters and %v", len(masters), err)
	}
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := cluster.Set(ctx, key, key, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("nodes.conf"); err == nil {
		t.Fatal("a node wrote outside its folder")
	}
}
