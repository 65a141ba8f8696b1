package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/leases"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// broken is read models that do not answer in one way or the other.
type broken struct {
	readmodels.Store
	commits, checkpoints atomic.Bool
	refused              chan struct{} // has an element for each commit refused, as far as there is room
}

func newBroken() *broken { return &broken{Store: memory.New(), refused: make(chan struct{}, 100)} }

func (b *broken) Commit(ctx context.Context, batch readmodels.Batch) error {
	if b.commits.Load() {
		select {
		case b.refused <- struct{}{}:
		default:
		}
		return errors.New("the disk is full")
	}
	return b.Store.Commit(ctx, batch)
}

func (b *broken) Checkpoint(ctx context.Context, scope readmodels.Scope) (readmodels.Checkpoint, error) {
	if b.checkpoints.Load() {
		return readmodels.Checkpoint{}, errors.New("no answer")
	}
	return b.Store.Checkpoint(ctx, scope)
}

// of returns one projection.
func of(scope readmodels.Scope) *projections.Projection {
	for _, p := range projections.All() {
		if p.Scope == scope {
			return p
		}
	}
	panic("no such projection")
}

func TestFaultStays(t *testing.T) {
	t.Run("OPS-5 a projection that stands still says so once, for as long as it does", func(t *testing.T) {
		models := newBroken()
		w := newWorld(t, models)
		_, goOn := busy(w)
		r := run(t, w.log, models, of(readmodels.Directory))
		reached(t, models, head(t, w.log), readmodels.Directory)
		models.commits.Store(true)
		goOn()
		r.saysOnce(t, models)
	})
	t.Run("OPS-5 also one that catches up", func(t *testing.T) {
		models := newBroken()
		w := newWorld(t, models)
		p := w.plan("acme")
		for i := range 1200 { // more than a page, and than what is gathered for a commit
			p.team(fmt.Sprintf("Team %d", i))
		}
		models.commits.Store(true)
		run(t, w.log, models, of(readmodels.Directory)).saysOnce(t, models)
	})
}

// saysOnce lets commits fail for a while, and then heal.
func (r *running) saysOnce(t *testing.T, models *broken) {
	t.Helper()
	bound := bounded(t)
	for range 10 {
		select {
		case <-models.refused:
		case <-bound.Done():
			t.Fatal("nothing is tried again")
		}
	}
	said := map[string]int{}
	for len(r.told) > 0 {
		said[<-r.told]++
	}
	for text, times := range said { // more than one: pages were added meanwhile
		if times > 1 {
			t.Errorf("%q was said %d times", text, times)
		}
	}
	if len(said) == 0 {
		t.Error("nothing was said")
	}
	models.commits.Store(false)
	without(t, r.Runner)
}

// without waits until nothing stands still.
func without(t *testing.T, r *projections.Runner) {
	t.Helper()
	for bound := bounded(t); len(r.Faults()) > 0; {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-bound.Done():
			t.Fatalf("still %v", r.Faults())
		}
	}
}

// handing is a keeper that holds partition 0 for as long as the contexts that it is given.
type handing struct{ given chan context.Context }

func (h handing) Run(ctx context.Context, _ int, hold func(context.Context, int, uint64)) error {
	for {
		select {
		case given := <-h.given:
			hold(given, 0, 1)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (handing) Stats() leases.Stats { return leases.Stats{} }

func TestFaultOfOthers(t *testing.T) {
	models := newBroken()
	w := newWorld(t, models)
	busy(w)
	keeper := handing{make(chan context.Context)}
	r, err := projections.NewRunner(t.Context(), projections.Setup{
		Events: w.log, Models: models, Partitions: 1, Leases: keeper, Log: slog.New(slog.DiscardHandler),
	}, of(readmodels.Directory))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("OPS-5 what a partition stood still at is no fault of a process that gave it up", func(t *testing.T) {
		models.checkpoints.Store(true)
		lease, end := context.WithCancel(t.Context())
		keeper.given <- lease
		for bound := bounded(t); len(r.Faults()) == 0; {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-bound.Done():
				t.Fatal("it stands still and says nothing")
			}
		}
		end()
		models.checkpoints.Store(false)
		without(t, r)
	})
}

func TestTwoNewerVersions(t *testing.T) {
	s := newSite(t, memory.New(), 0)
	s.start(1, nil)()
	program := func(version int) {
		t.Helper()
		setup := projections.Setup{Events: s.log, Models: s.models, Partitions: s.parts, Log: slog.New(slog.DiscardHandler)}
		if _, err := projections.NewRunner(t.Context(), setup, s.of(version)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("OPS-4 programs of two newer versions do not give up each other's build again and again", func(t *testing.T) {
		for _, version := range []int{2, 3, 2, 3} {
			program(version)
		}
		b := s.builds()
		if b.Next == nil || b.Next.Build != build(3, 0) {
			t.Errorf("there is %s", text(t, b))
		}
		if len(b.Leaving) > 1 {
			t.Errorf("%d builds were given up: %s", len(b.Leaving), text(t, b))
		}
	})
	t.Run("OPS-4 once the newer one is given up, the other is built", func(t *testing.T) {
		s.change(func(b *readmodels.Builds) {
			if err := b.Drop(build(3, 0)); err != nil {
				t.Error(err)
			}
		})
		program(3)
		program(2)
		if b := s.builds(); b.Next == nil || b.Next.Version != build(2, 0).Version {
			t.Errorf("there is %s", text(t, b))
		}
	})
}
