package kurrent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc/status"

	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

// The faults of the bare client, each shown in a process of its own, since most of them end or damage it. They are the
// counterpart to the tests of the adapter: a test that the bare client passed too would prove nothing.

const bareVariable = "ROLEWISE_TEST_BARE_CLIENT"

func TestMain(m *testing.M) {
	if name := os.Getenv(bareVariable); name != "" {
		if err := runBare(name); err != nil {
			fmt.Println("FAULT:", err)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, // the proxy leaks some itself
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"))
}

// showsFault runs a scenario in a process of its own and expects a text in what it says.
func showsFault(t *testing.T, name, want string) {
	t.Helper()
	command := exec.CommandContext(bounded(t), os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), bareVariable+"="+name, "TMPDIR="+t.TempDir())
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	_ = command.Run() // some faults end the process
	if !strings.Contains(output.String(), want) {
		t.Fatalf("the bare client no longer shows the fault %q; it said:\n%s", name, output.String())
	}
}

// bareClient is a bare client at a front, in a process that ends soon.
func bareClient() (*kurrenttest.Server, *esdb.Client, error) {
	folder, err := os.MkdirTemp("", "bare")
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlite.Open(context.Background(), filepath.Join(folder, "log.db"))
	if err != nil {
		return nil, nil, err
	}
	server, err := kurrenttest.Start(context.Background(), store)
	if err != nil {
		return nil, nil, err
	}
	config, err := esdb.ParseConnectionString(server.ConnectionString())
	if err != nil {
		return nil, nil, err
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	return server, client, err
}

func bareAppend(ctx context.Context, client *esdb.Client, stream string) error {
	_, err := client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}},
		esdb.EventData{EventID: uuid.New(), EventType: "A", Data: []byte("{}")})
	return err
}

// runBare returns an error that describes the fault, nil when there is none.
func runBare(name string) error {
	kurrent.BareCodec()
	ctx := context.Background()
	server, client, err := bareClient()
	if err != nil {
		return nil // no fault of the client
	}
	if err := bareAppend(ctx, client, "role-acme.1"); err != nil {
		return nil
	}
	switch name {
	case "outage":
		server.Stop()
		for bareAppend(ctx, client, "role-acme.1") == nil {
		}
		for err := error(nil); !isClosed(err); {
			err = bareAppend(ctx, client, "role-acme.1")
		}
		if err := server.Restart(ctx); err != nil {
			return nil
		}
		if err := bareAppend(ctx, client, "role-acme.1"); isClosed(err) {
			return errors.New("closed for good")
		}
	case "hang":
		server.Stop()
		_ = bareAppend(ctx, client, "role-acme.1")
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		returned := make(chan struct{}, 8)
		for range cap(returned) {
			go func() {
				_ = bareAppend(short, client, "role-acme.1")
				returned <- struct{}{}
			}()
		}
		deadline := time.After(5 * time.Second)
		for range cap(returned) {
			select {
			case <-returned:
			case <-deadline:
				return errors.New("calls hang past their context")
			}
		}
	case "close":
		server.Stop()
		_ = bareAppend(ctx, client, "role-acme.1")
		for range 8 { // wait for a connection
			go func() { _ = bareAppend(ctx, client, "role-acme.1") }()
		}
		time.Sleep(100 * time.Millisecond) // the fault needs calls that wait
		_ = client.Close()
		time.Sleep(time.Second)
	case "leak":
		before := runtime.NumGoroutine()
		for range 50 {
			server.Inject(1, kurrenttest.Unavailable().On(kurrenttest.Appends))
			_ = bareAppend(ctx, client, "role-acme.1")
			_ = bareAppend(ctx, client, "role-acme.1")
		}
		if grown := runtime.NumGoroutine() - before; grown > 100 {
			return errors.New("connections leak")
		}
	case "created":
		server.Inject(-1, kurrenttest.WithoutCreated())
		in, err := client.ReadStream(ctx, "role-acme.1", esdb.ReadStreamOptions{}, 1)
		if err == nil {
			_, _ = in.Recv()
		}
	}
	return nil
}

func isClosed(err error) bool {
	var known *esdb.Error
	return errors.As(err, &known) && known.Code() == esdb.ErrorCodeConnectionClosed
}

func TestBareClientHasTheFaults(t *testing.T) {
	for name, want := range map[string]string{
		"outage":  "closed for good",
		"hang":    "calls hang past their context",
		"close":   "send on closed channel",
		"leak":    "connections leak",
		"created": "Failed to parse created date",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			showsFault(t, name, want)
		})
	}
}

// TestBareClientSmallFaults shows what needs no process of its own.
func TestBareClientSmallFaults(t *testing.T) {
	f := startFront(t, kurrenttest.Credentials("admin", "changeit"))
	client := plainClient(t, f.ConnectionString())
	ctx := bounded(t)

	t.Run("credentials are dropped with tls=false", func(t *testing.T) {
		if err := bareAppend(ctx, client, "role-acme.1"); err == nil {
			t.Error("the append was taken")
		}
	})
	open := startFront(t)
	client = plainClient(t, open.ConnectionString())
	t.Run("stream not found comes with the first event", func(t *testing.T) {
		in, err := client.ReadStream(ctx, "role-acme.none", esdb.ReadStreamOptions{}, 1)
		if err != nil {
			t.Fatalf("came at once: %v", err)
		}
		defer in.Close()
		if _, err := in.Recv(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("FromError is inverted and misses wrapped errors", func(t *testing.T) {
		in, err := client.ReadStream(ctx, "role-acme.none", esdb.ReadStreamOptions{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		_, err = in.Recv()
		if _, ok := esdb.FromError(err); ok {
			t.Error("an error is told from none")
		}
		if known, _ := esdb.FromError(fmt.Errorf("wrapped: %w", err)); known.Code() == esdb.ErrorCodeResourceNotFound {
			t.Error("a wrapped error is recognised")
		}
	})
	t.Run("kurrentdb is unknown", func(t *testing.T) {
		if _, err := esdb.ParseConnectionString("kurrentdb://127.0.0.1:2113"); err == nil {
			t.Error("the scheme is known")
		}
	})
	t.Run("a dropped subscription does not come back", func(t *testing.T) {
		subscription, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = subscription.Close() }()
		for open.Streams() == 0 {
			runtime.Gosched()
		}
		open.DropStreams()
		for subscription.Recv().SubscriptionDropped == nil {
		}
		if again := subscription.Recv().SubscriptionDropped; again == nil || status.Code(again.Error) == 0 {
			t.Error("the subscription goes on")
		}
	})
}

func plainClient(t testing.TB, address string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(address)
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
