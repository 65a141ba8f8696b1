package readmodels_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// step moves the scope on by one position.
func step(t *testing.T, store readmodels.Store) {
	t.Helper()
	send(t, store, &readmodels.Batch{Scope: scope})
}

func TestViewOfAQuietScopeRunsOnce(t *testing.T) {
	store := memory.New()
	step(t, store)
	step(t, store)
	runs := 0
	at, err := readmodels.View(t.Context(), store, scope, 2, func(readmodels.Reader) error {
		runs++
		return nil
	})
	if err != nil || at.Position != 2 || runs != 1 {
		t.Fatalf("at %s after %d runs: %v", at.Position, runs, err)
	}
}

func TestViewRunsAgainWhenACommitOvertakesIt(t *testing.T) {
	for overtaken, want := range map[int]struct {
		runs int
		at   eventstore.Position
	}{
		0: {runs: 1, at: 1}, 1: {runs: 2, at: 2}, 2: {runs: 3, at: 3},
		9: {runs: 3, at: 3}, // the last run counts; what it began with is the promise
	} {
		store := memory.New()
		step(t, store)
		runs := 0
		at, err := readmodels.View(t.Context(), store, scope, 0, func(readmodels.Reader) error {
			if runs++; runs <= overtaken {
				step(t, store)
			}
			return nil
		})
		if err != nil || runs != want.runs || at.Position != want.at {
			t.Errorf("overtaken %d times: at %s after %d runs: %v", overtaken, at.Position, runs, err)
		}
	}
}

func TestViewFailsOnlyAtOnePosition(t *testing.T) {
	broken := errors.New("an index names a document that is not there")
	store := memory.New()
	runs := 0
	if _, err := readmodels.View(t.Context(), store, scope, 0, func(readmodels.Reader) error {
		if runs++; runs == 1 {
			step(t, store)
			return broken
		}
		return nil
	}); err != nil || runs != 2 {
		t.Fatalf("a torn run counted: %v after %d runs", err, runs)
	}
	runs = 0
	if at, err := readmodels.View(t.Context(), store, scope, 0, func(readmodels.Reader) error {
		runs++
		return broken
	}); !errors.Is(err, broken) || runs != 1 || at != (readmodels.Checkpoint{}) {
		t.Fatalf("at %+v after %d runs: %v", at, runs, err)
	}
}

func TestViewWaitsForItsPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		step(t, store)
		seen := make(chan readmodels.Checkpoint)
		go func() {
			at, err := readmodels.View(t.Context(), store, scope, 3, func(readmodels.Reader) error { return nil })
			if err != nil {
				t.Error(err)
			}
			seen <- at
		}()
		step(t, store)
		synctest.Wait()
		select {
		case at := <-seen:
			t.Fatalf("did not wait: %+v", at)
		default:
		}
		step(t, store)
		if at := <-seen; at.Position != 3 {
			t.Fatalf("at %+v", at)
		}
	})
}

func TestViewIsBoundedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := readmodels.View(ctx, memory.New(), scope, 1, func(readmodels.Reader) error {
			t.Error("ran before its position")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	})
}

// forgetful is a store that once tells of a position which it then no longer has, as after a failover.
type forgetful struct {
	readmodels.Store
	lied bool
}

func (f *forgetful) Wait(ctx context.Context, s readmodels.Scope, min eventstore.Position) error {
	if !f.lied {
		f.lied = true
		return nil
	}
	return f.Store.Wait(ctx, s, min)
}

func TestViewNeverAnswersFromBelowItsPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		seen := make(chan eventstore.Position)
		go func() {
			at, err := readmodels.View(t.Context(), &forgetful{Store: store}, scope, 1, func(readmodels.Reader) error { return nil })
			if err != nil {
				t.Error(err)
			}
			seen <- at.Position
		}()
		synctest.Wait()
		step(t, store)
		if at := <-seen; at != 1 {
			t.Fatalf("answered at %s", at)
		}
	})
}
