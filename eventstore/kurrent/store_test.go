package kurrent_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
	"rolewise/eventstore/storetest"
)

// front is a server over a store of its own.
type front struct {
	*kurrenttest.Server
	store *sqlite.Store
}

func startFront(t testing.TB, opts ...kurrenttest.Option) *front {
	t.Helper()
	return startFrontOn(t, filepath.Join(t.TempDir(), "log.db"), opts...)
}

// startFrontOn is a server over the store in a file.
func startFrontOn(t testing.TB, path string, opts ...kurrenttest.Option) *front {
	t.Helper()
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := kurrenttest.Start(context.Background(), store, opts...)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Server: server, store: store}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func open(t testing.TB, address string, opts ...kurrent.Option) *kurrent.Store {
	t.Helper()
	s, err := kurrent.Open(context.Background(), address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// bounded ends what hangs; nothing is measured by it.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func stream(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: "role", Plan: "acme", ID: id}
}

func event(kind string) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: kind, Data: []byte(`{"n":1}`), Metadata: []byte(`{}`)}
}

func events(n int) []eventstore.Event {
	all := make([]eventstore.Event, n)
	for i := range all {
		all[i] = event("Happened")
	}
	return all
}

// secured starts a front with TLS and credentials and returns its connection string with the authority's file.
func secured(t testing.TB, opts ...kurrenttest.Option) (*front, string, *kurrenttest.Authority) {
	t.Helper()
	authority, err := kurrenttest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Server()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	opts = append([]kurrenttest.Option{kurrenttest.TLS(certificate), kurrenttest.Credentials("admin", "s3cr:et/@#?%")}, opts...)
	f := startFront(t, opts...)
	return f, f.ConnectionString() + "&tlsCaFile=" + url.QueryEscape(file), authority
}

// contract runs storetest with the adapter. A reopened store meets the same server again.
func contract(t *testing.T, address func(t *testing.T) string, options ...storetest.Option) {
	var mu sync.Mutex
	addresses := map[eventstore.Store]string{}
	connect := func(t *testing.T, address string) eventstore.Store {
		s := open(t, address)
		mu.Lock()
		defer mu.Unlock()
		addresses[s] = address
		return s
	}
	reopen := func(t *testing.T, s eventstore.Store) eventstore.Store {
		_ = s.Close()
		mu.Lock()
		address := addresses[s]
		mu.Unlock()
		return connect(t, address)
	}
	storetest.Run(t, func(t *testing.T) eventstore.Store { return connect(t, address(t)) },
		append(options, storetest.Reopen(reopen))...)
}

func TestContract(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		contract(t, func(t *testing.T) string { return startFront(t).ConnectionString() })
	})
	t.Run("TLS and credentials, one log for all", func(t *testing.T) {
		_, address, _ := secured(t)
		contract(t, func(*testing.T) string { return address }, storetest.Shared())
	})
}

// TestRealNode runs the contract against the server that a connection string names. Its log may hold anything.
func TestRealNode(t *testing.T) {
	address := os.Getenv("ROLEWISE_TEST_KURRENTDB")
	if address == "" {
		t.Skip("ROLEWISE_TEST_KURRENTDB holds no connection string of a KurrentDB node, such as esdb://localhost:2113?tls=false")
	}
	t.Run("contract", func(t *testing.T) {
		contract(t, func(*testing.T) string { return address }, storetest.Shared())
	})
	t.Run("head", func(t *testing.T) { // whatever the last event of the log is, a follower gets there
		s := open(t, address, kurrent.Idle(200*time.Millisecond))
		info, err := s.Info(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, through := followTo(t, s, info.Head, func(p eventstore.Page) bool { return p.Live }); through < info.Head {
			t.Errorf("the end was reached at %s, the head is %s", through, info.Head)
		}
	})
}
