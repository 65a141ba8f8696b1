package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// testAtomic moves two documents and one entry together while readers look on.
func testAtomic(t *testing.T, s *suite) {
	const commits, readers = 300, 4
	// Two documents of different collections, with so many others between them that the request is long: a server
	// may well serve someone else in the middle of a long one.
	first, second := alice, coders
	keys := []readmodels.Key{first}
	for i := range 2_000 {
		keys = append(keys, readmodels.Key{Plan: "acme", Collection: "between", ID: fmt.Sprintf("%036d", i)})
	}
	keys = append(keys, second)
	entry := func(n int) readmodels.Entry { return readmodels.Entry{Index: names, Value: strconv.Itoa(n)} }
	step := func(n int) readmodels.Batch {
		b := s.batch(eventstore.Position(n), eventstore.Position(n+1))
		b.Put[first], b.Put[second] = []byte(strconv.Itoa(n)), []byte(strconv.Itoa(n))
		if n%10 == 9 {
			b.Put[first], b.Put[second] = nil, nil
		}
		b.Add, b.Remove = []readmodels.Entry{entry(n)}, []readmodels.Entry{entry(n - 1)}
		return b
	}
	s.commit(t, step(0))
	done := make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				documents, err := s.Get(s.ctx, s.scope, keys...)
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				if a, b := documents[0], documents[len(keys)-1]; string(a) != string(b) || (a == nil) != (b == nil) {
					t.Errorf("one read saw %q and %q", a, b)
					return
				}
				if values, err := s.Entries(s.ctx, s.scope, names, readmodels.Range{}); err != nil || len(values) != 1 {
					t.Errorf("one read saw %q and %v", values, err)
					return
				}
			}
		})
	}
	for n := 1; n < commits; n++ {
		if err := s.Commit(s.ctx, step(n)); err != nil {
			t.Errorf("commit: %v", err)
			break
		}
	}
	close(done)
	all.Wait()
}

func testWait(t *testing.T, s *suite) {
	if err := s.Wait(s.ctx, s.scope, 0); err != nil {
		t.Fatalf("wait for the beginning: %v", err)
	}
	s.commit(t, s.batch(0, 1<<63+5))
	for _, min := range []eventstore.Position{0, 1, 1<<63 + 4, 1<<63 + 5} {
		if err := s.Wait(s.ctx, s.scope, min); err != nil {
			t.Fatalf("wait for %d: %v", min, err)
		}
	}
}

// watched is a context that tells when somebody first listens for its end, as a wait does that has not been satisfied.
type watched struct {
	context.Context
	once     sync.Once
	listened chan struct{}
}

func watch(ctx context.Context) *watched {
	return &watched{Context: ctx, listened: make(chan struct{})}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.listened) })
	return w.Context.Done()
}

// wait starts a wait for a position that is not reached yet, and returns when it has begun.
func (s *suite) wait(ctx context.Context, t *testing.T, min eventstore.Position) <-chan error {
	t.Helper()
	w, result := watch(ctx), make(chan error, 1)
	go func() { result <- s.Wait(w, s.scope, min) }()
	select {
	case <-w.listened:
	case <-time.After(patience):
		t.Fatal("the wait did not begin")
	}
	return result
}

func ended(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("the wait did not end")
		return nil
	}
}

func testWake(t *testing.T, s *suite) {
	const rounds = 20
	for round := range eventstore.Position(rounds) {
		near, far := s.wait(s.ctx, t, 2*round+1), s.wait(s.ctx, t, 2*round+2)
		// Waits that begin at the moment of the commit, so that either comes first at times.
		racing := make(chan error, 2)
		go func() { racing <- s.Wait(s.ctx, s.scope, 2*round+1) }()
		go func() { racing <- s.Wait(s.ctx, s.scope, 2*round+2) }()
		s.commit(t, s.batch(2*round, 2*round+1))
		if err := ended(t, near); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s.commit(t, s.batch(2*round+1, 2*round+2))
		if err := errors.Join(ended(t, far), ended(t, racing), ended(t, racing)); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func testWaitBounded(t *testing.T, s *suite) {
	s.commit(t, s.batch(0, 5))
	short, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	if err := s.Wait(short, s.scope, 6); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	stopped, stop := context.WithCancel(s.ctx)
	result := s.wait(stopped, t, 6)
	stop()
	if err := ended(t, result); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}

	// Neither another scope's commit nor one that falls short ends a wait.
	short, cancel = context.WithTimeout(s.ctx, 50*time.Millisecond)
	defer cancel()
	result = s.wait(short, t, 7)
	other := &suite{Store: s.Store, ctx: s.ctx, scope: NewScope()}
	other.commit(t, other.batch(0, 100))
	s.commit(t, s.batch(5, 6))
	if err := ended(t, result); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func testContext(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	b.Put[alice] = []byte("x")
	s.commit(t, b)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for name, call := range calls(s.Store, s.scope) {
		if err := call(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	equal(t, "position", s.position(t), 1)
}

// calls is every call of a store that stands at 1, with something to do.
func calls(store readmodels.Store, scope readmodels.Scope) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error {
			_, err := store.Get(ctx, scope, alice)
			return err
		},
		"Get of two collections": func(ctx context.Context) error {
			_, err := store.Get(ctx, scope, alice, coders)
			return err
		},
		"Entries": func(ctx context.Context) error {
			_, err := store.Entries(ctx, scope, names, readmodels.Range{})
			return err
		},
		"Checkpoint": func(ctx context.Context) error {
			_, err := store.Checkpoint(ctx, scope)
			return err
		},
		"Commit": func(ctx context.Context) error {
			return store.Commit(ctx, readmodels.Batch{Scope: scope, After: 1, Checkpoint: readmodels.Checkpoint{Position: 2}})
		},
		"Wait": func(ctx context.Context) error { return store.Wait(ctx, scope, 9) },
		"Dump": func(ctx context.Context) error {
			return store.Dump(ctx, scope, func(string) error { return nil })
		},
	}
}

func testClose(t *testing.T, s *suite) {
	store := s.open(t)
	own := &suite{Store: store, ctx: s.ctx, scope: s.scope}
	own.commit(t, own.batch(0, 1))
	result := own.wait(s.ctx, t, 2)
	for range 2 { // closing twice is one closing
		if err := store.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if err := ended(t, result); !errors.Is(err, readmodels.ErrClosed) {
		t.Fatalf("wait: %v", err)
	}
	for name, call := range calls(store, s.scope) {
		if err := call(s.ctx); !errors.Is(err, readmodels.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
