package redisleases_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/goleak"

	"rolewise/internal/redistest"
	"rolewise/leases/redisleases"
)

// patience bounds what happens at once unless something is broken.
const patience = 30 * time.Second

var server *redistest.Server

// childVariable holds what a process of its own is to do, see childOrders.
const childVariable = "REDISLEASES_TEST_CHILD"

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{})
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if orders := os.Getenv(childVariable); orders != "" {
		if err := beChild(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
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
	if err := goleak.Find(
		// A link whose proxy was removed waits for its other half for ever.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
	); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// silent keeps the client's own lines about cut connections out of the tests' output.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// connect returns a client to redis://host:port or redis-cluster://host:port,host:port.
func connect(url string) goredis.UniversalClient {
	_, addresses, _ := strings.Cut(url, "://")
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: strings.Split(addresses, ","), IsClusterMode: strings.HasPrefix(url, "redis-cluster"),
		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func client(t testing.TB, url string) goredis.UniversalClient {
	t.Helper()
	c := connect(url)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// newGroup returns a name that no other test has.
func newGroup(t testing.TB) string { return fmt.Sprintf("%s/%d", t.Name(), time.Now().UnixNano()) }

// childOrders tell a process what to hold, and where to write.
type childOrders struct {
	URL, Group, Ledger string
	Lease              time.Duration
	Partitions         int
}

// beChild holds leases and writes for each of its partitions until it is killed.
func beChild(orders string) error {
	var o childOrders
	if err := json.Unmarshal([]byte(orders), &o); err != nil {
		return err
	}
	c := connect(o.URL)
	defer c.Close()
	keeper, err := redisleases.New(redisleases.Options{Client: c, Group: o.Group, Lease: o.Lease})
	if err != nil {
		return err
	}
	l := sharedLedger{connect(o.URL), o.Ledger, "child"}
	defer l.client.Close()
	return keeper.Run(context.Background(), o.Partitions, l.work)
}
