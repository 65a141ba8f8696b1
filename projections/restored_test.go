package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// late is a store on which something happens right before its first drop.
type late struct {
	readmodels.Store
	before func()
}

func (s *late) Drop(ctx context.Context, scope readmodels.Scope, built readmodels.Checkpoint) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Drop(ctx, scope, built)
}

// replaced is a log that is found to have been restored once its history was read.
type replaced struct{ eventstore.Store }

func (r replaced) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range r.Store.Follow(ctx, after, f) {
			if !yield(page, err) || err != nil {
				return
			}
			if page.Live {
				yield(eventstore.Page{}, fmt.Errorf("follow: %w", eventstore.ErrRestored))
				return
			}
		}
	}
}

// TestRunEndsWhenTheLogWasRestored ends a process whose log is not the one any more that it began with.
func TestRunEndsWhenTheLogWasRestored(t *testing.T) {
	w := newWorld(t, memory.New())
	w.plan("acme")
	r, err := projections.NewRunner(t.Context(), projections.Setup{Events: replaced{w.log}, Models: w.models, Partitions: 1, Log: slog.New(slog.DiscardHandler)}, projections.All()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, eventstore.ErrRestored) {
		t.Errorf("run ended with %v", err)
	}
}

// TestRestored starts two processes after the log was restored from a backup. The second has seen the read model of the
// epoch before when the first has already begun it anew.
func TestRestored(t *testing.T) {
	events := generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 300})
	all := cut(events, 0, len(events))
	old := fixed{ID: "log", Epoch: 1, Head: all.Through}
	now := fixed{ID: "log", Epoch: 2, Head: all.Through}
	onBoth(t, "of two that start at once both go on with one read model", func(t *testing.T, models readmodels.Store) {
		for _, p := range projections.All() {
			straight := memory.New()
			applied(t, starts(t, p, now, straight), all)
			applied(t, starts(t, p, old, models), all)

			half := cut(events, 0, len(events)/2)
			var first *projections.Projector
			second := starts(t, p, now, &late{models, func() {
				first = starts(t, p, now, models)
				applied(t, first, half)
			}})
			if second.Position() != half.Through {
				t.Errorf("%s: the second begins at %s, not %s", p.Scope, second.Position(), half.Through)
			}
			rest := cut(events, len(events)/2, len(events))
			applied(t, second, rest)
			applied(t, first, rest)
			if got, want := dump(t, models, p.Scope), dump(t, straight, p.Scope); !slices.Equal(got, want) {
				t.Errorf("%s differs from one straight pass:\n%s", p.Scope, difference(got, want))
			}
		}
	})
	onBoth(t, "read models that fall back to the epoch before are begun anew", func(t *testing.T, models readmodels.Store) {
		p := projections.All()[0]
		half := cut(events, 0, len(events)/2)
		running := starts(t, p, now, models)
		applied(t, running, all)
		fallBack(t, p, models, old, now, half)
		if lost, err := running.Lost(t.Context()); err != nil || !lost || running.Position() != 0 {
			t.Fatalf("lost %t, %v; goes on at %s", lost, err, running.Position())
		}
		applied(t, running, all)

		fallBack(t, p, models, old, now, half)
		more := all
		more.After, more.Through, more.Events = all.Through, all.Through+1, nil
		if err := running.Apply(t.Context(), more); err == nil || running.Position() != 0 {
			t.Fatalf("a page that does not follow got %v; goes on at %s", err, running.Position())
		}
	})
}

// fallBack puts a read model of an older log where one is, as a server does that comes back with an older snapshot.
func fallBack(t *testing.T, p *projections.Projection, models readmodels.Store, old, now fixed, through eventstore.Page) {
	t.Helper()
	if err := models.Drop(t.Context(), p.Scope, readmodels.Checkpoint{StoreID: now.ID, Epoch: now.Epoch}); err != nil {
		t.Fatal(err)
	}
	applied(t, starts(t, p, old, models), through)
}

func starts(t *testing.T, p *projections.Projection, log fixed, models readmodels.Store) *projections.Projector {
	t.Helper()
	projector, err := projections.NewProjector(t.Context(), p, log, models)
	if err != nil {
		t.Fatal(err)
	}
	return projector
}

func applied(t *testing.T, to *projections.Projector, page eventstore.Page) {
	t.Helper()
	if err := to.Apply(t.Context(), page); err != nil {
		t.Fatal(err)
	}
}

// cut is a page of some events of a log, from one number to another.
func cut(events []eventstore.Recorded, from, to int) eventstore.Page {
	p := eventstore.Page{Events: events[from:to], Through: events[to-1].Position, Head: events[len(events)-1].Position}
	if from > 0 {
		p.After = events[from-1].Position
	}
	return p
}
