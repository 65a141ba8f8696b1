package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
	"rolewise/readmodels/storetest"
)

// TestDropCutOff cuts a drop off between its steps: nobody takes what is left for the whole, and the next drop ends it.
func TestDropCutOff(t *testing.T) {
	s, scope := open(t, server.URL), storetest.NewScope()
	c := raw(t, server.URL)
	key := readmodels.Key{Plan: "acme", Collection: "members", ID: "1"}
	b := batch(scope, 0, 5)
	b.Put[key], b.Checkpoint.StoreID, b.Checkpoint.Epoch = []byte("x"), "store", 2
	commit(t, s, b)
	if err := c.Do(t.Context(), "ACL", "SETUSER", "timid", "on", ">secret", "~*", "&*", "+@all", "-unlink").Err(); err != nil {
		t.Fatal(err)
	}
	timid := open(t, strings.Replace(server.URL, "redis://", "redis://timid:secret@", 1))
	if err := timid.Drop(t.Context(), scope, b.Checkpoint); err == nil {
		t.Fatal("dropped without the right to")
	}
	at, err := s.Checkpoint(t.Context(), scope)
	if err != nil || at.Position != 0 || at.StoreID != "store" || at.Epoch != 2 {
		t.Errorf("cut off, the scope stands at %+v, %v", at, err)
	}
	var busy *readmodels.UnavailableError
	if err := s.Commit(t.Context(), batch(scope, 0, 1)); !errors.As(err, &busy) {
		t.Errorf("a commit over what is left got %v", err)
	}
	s.SetTakeOver(time.Hour) // the drop that failed has said so
	if err := s.Drop(t.Context(), scope, b.Checkpoint); err != nil {
		t.Fatal(err)
	}
	if at, err := s.Checkpoint(t.Context(), scope); err != nil || at != (readmodels.Checkpoint{}) {
		t.Errorf("dropped, the scope stands at %+v, %v", at, err)
	}
	if values, err := s.Get(t.Context(), scope, key); err != nil || values[0] != nil {
		t.Errorf("dropped, a document is left: %q, %v", values, err)
	}
}

// held is a drop that stands still before one of its steps.
type held struct {
	reached, free chan struct{}
	let           sync.Once
	ended         chan error
}

// hold begins a drop and returns when it stands before a step.
func hold(t *testing.T, s *redis.Store, scope readmodels.Scope, built readmodels.Checkpoint, step string) *held {
	t.Helper()
	h := &held{reached: make(chan struct{}), free: make(chan struct{}), ended: make(chan error, 1)}
	t.Cleanup(h.goOn)
	var once sync.Once
	s.BeforeDropStep(func(next string) {
		if next == step {
			once.Do(func() {
				close(h.reached)
				<-h.free
			})
		}
	})
	go func() { h.ended <- s.Drop(context.WithoutCancel(t.Context()), scope, built) }()
	select {
	case <-h.reached:
	case <-time.After(patience):
		t.Fatalf("the drop did not come to %q", step)
	}
	return h
}

func (h *held) goOn() { h.let.Do(func() { close(h.free) }) }

// end lets the drop go on and waits for it.
func (h *held) end(t *testing.T) {
	t.Helper()
	h.goOn()
	if err := ended(t, h.ended); err != nil {
		t.Fatal(err)
	}
}

// epoch returns a page of an epoch that gives every one of many plans a document.
func epoch(scope readmodels.Scope, number int, after, through eventstore.Position) readmodels.Batch {
	b := batch(scope, after, through)
	b.Checkpoint.StoreID, b.Checkpoint.Epoch = "store", number
	for i := range 2_500 { // keys for more than one call of a scan
		b.Put[readmodels.Key{Plan: fmt.Sprint(i), Collection: "members", ID: through.String()}] = fmt.Appendf(nil, "of %d", number)
	}
	return b
}

// stands checks that a scope holds what the batches gave and nothing else.
func stands(t *testing.T, s *redis.Store, batches ...readmodels.Batch) {
	t.Helper()
	last := batches[len(batches)-1]
	if at, err := s.Checkpoint(t.Context(), last.Scope); err != nil || at != last.Checkpoint {
		t.Errorf("the scope stands at %+v, %v, not %+v", at, err, last.Checkpoint)
	}
	want := map[string]bool{}
	for _, b := range batches {
		for key, value := range b.Put {
			want[fmt.Sprintf("doc %q %q %q %s", key.Plan, key.Collection, key.ID, value)] = true
		}
	}
	lines := storetest.Lines(t.Context(), t, s, last.Scope)
	for _, line := range lines {
		if !want[line] {
			t.Fatalf("%s is left over", line)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d documents are left of %d", len(lines), len(want))
	}
}

// TestDropKeepsOthersAway holds a drop where another process begins the same and would commit.
func TestDropKeepsOthersAway(t *testing.T) {
	for _, step := range []string{"unlink", "end"} {
		t.Run("before "+step, func(t *testing.T) {
			a, b, scope := open(t, server.URL), open(t, server.URL), storetest.NewScope()
			before := epoch(scope, 1, 0, 9)
			commit(t, a, before)
			slow := hold(t, b, scope, before.Checkpoint, step)

			var busy *readmodels.UnavailableError
			for _, after := range []eventstore.Position{0, 9} {
				if err := a.Commit(t.Context(), epoch(scope, 2, after, 10)); !errors.As(err, &busy) {
					t.Errorf("a commit after %s got %v", after, err)
				}
			}
			at, err := a.Checkpoint(t.Context(), scope)
			if err != nil || at.Position != 0 || at.StoreID != "store" || at.Epoch != 1 {
				t.Errorf("half dropped, the scope stands at %+v, %v", at, err)
			}

			impatient, cancel := context.WithCancel(t.Context())
			asked := make(chan string, 1000)
			a.BeforeDropStep(func(step string) { asked <- step })
			second := make(chan error, 1)
			go func() { second <- a.Drop(impatient, scope, before.Checkpoint) }()
			for range 2 { // who asks again was told to wait
				select {
				case next := <-asked:
					if next != "begin" {
						t.Fatalf("the second drop went on to %q", next)
					}
				case err := <-second:
					t.Fatalf("the second drop did not wait: %v", err)
				}
			}
			cancel()
			if err := ended(t, second); !errors.Is(err, context.Canceled) {
				t.Errorf("the second drop got %v", err)
			}
			go func() { second <- a.Drop(context.WithoutCancel(t.Context()), scope, before.Checkpoint) }()
			slow.end(t)
			if err := ended(t, second); err != nil {
				t.Fatal(err)
			}
			first, next := epoch(scope, 2, 0, 3), epoch(scope, 2, 3, 4)
			commit(t, a, first)
			commit(t, a, next)
			stands(t, a, first, next)
		})
	}
}

// TestDropTakenOver holds a drop for so long that another takes it over, ends it and builds the scope anew. When the
// first goes on it must not touch what was built, even if that was built only in part of its scan.
func TestDropTakenOver(t *testing.T) {
	for _, step := range []string{"begin", "unlink", "end"} {
		t.Run("before "+step, func(t *testing.T) {
			a, b, scope := open(t, server.URL), open(t, server.URL), storetest.NewScope()
			before := epoch(scope, 1, 0, 9)
			commit(t, a, before)
			slow := hold(t, b, scope, before.Checkpoint, step)
			a.SetTakeOver(0)
			if err := a.Drop(t.Context(), scope, before.Checkpoint); err != nil {
				t.Fatal(err)
			}
			first, next := epoch(scope, 2, 0, 3), epoch(scope, 2, 3, 4)
			commit(t, a, first)
			slow.end(t)
			commit(t, a, next)
			stands(t, a, first, next)
		})
	}
}

// TestDropGoesOnAfterTakeOver takes a drop over and fails: the first, still alive, begins again.
func TestDropGoesOnAfterTakeOver(t *testing.T) {
	a, b, scope := open(t, server.URL), open(t, server.URL), storetest.NewScope()
	before := epoch(scope, 1, 0, 9)
	commit(t, a, before)
	slow := hold(t, b, scope, before.Checkpoint, "end")
	a.SetTakeOver(0)
	ctx, cancel := context.WithCancel(t.Context())
	a.BeforeDropStep(func(step string) {
		if step == "unlink" {
			cancel()
		}
	})
	if err := a.Drop(ctx, scope, before.Checkpoint); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	slow.end(t)
	first := epoch(scope, 2, 0, 3)
	commit(t, a, first)
	stands(t, a, first)
}
