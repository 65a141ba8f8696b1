package projections_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// shaky is a store whose commits may take until they are let go, and then fail as told.
type shaky struct {
	readmodels.Store
	mu     sync.Mutex
	faults []fault // of the next commits
	gate   chan struct{}
}

func (s *shaky) Commit(ctx context.Context, b readmodels.Batch) error {
	s.mu.Lock()
	mode, gate := none, s.gate
	if len(s.faults) > 0 {
		mode, s.faults = s.faults[0], s.faults[1:]
	}
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if mode == lost {
		return errOutage
	}
	if err := s.Store.Commit(ctx, b); err != nil || mode == none {
		return err
	}
	return errOutage
}

func (s *shaky) set(gate chan struct{}, faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate, s.faults = gate, faults
}

func TestCommitsOnTheirWay(t *testing.T) {
	t.Run("pages folded while the one before is committed give the read models of one straight pass, whatever fails", func(t *testing.T) {
		cases(t, 40)
		hs := newHistories(t)
		rapid.Check(t, func(r *rapid.T) {
			events := hs.random(r, 40, 120).events()
			for _, p := range projections.All() {
				checkAhead(r, p, events)
			}
		})
	})
	t.Run("a page is folded while the one before is on its way, and waits for it; who waits no longer ends it", func(t *testing.T) {
		events := generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 200})
		p := projections.All()[0]
		store := &shaky{Store: memory.New()}
		d := &delivery{ctx: t.Context(), projection: p, events: events, cuts: []eventstore.Position{0}}
		for _, e := range events {
			d.cuts = append(d.cuts, e.Position)
		}
		projector, err := projections.NewProjector(t.Context(), p, fixed(d.info()), store)
		if err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		store.set(gate)
		first, second := d.page(0, d.cuts[5]), d.page(d.cuts[5], d.cuts[9])
		if err := projector.ApplyAhead(t.Context(), first); err != nil || projector.Position() != 0 || projector.Ahead() != first.Through {
			t.Fatalf("stands at %s, ahead at %s: %v", projector.Position(), projector.Ahead(), err)
		}
		short, cancel := context.WithCancel(t.Context())
		cancel()
		if err := projector.ApplyAhead(short, second); !errors.Is(err, context.Canceled) || projector.Ahead() != 0 {
			t.Fatalf("ahead at %s: %v", projector.Ahead(), err)
		}
		close(gate)
		for _, page := range []eventstore.Page{first, second} {
			if err := projector.ApplyAhead(t.Context(), page); err != nil {
				t.Fatal(err)
			}
		}
		if err := projector.Land(t.Context()); err != nil || projector.Position() != second.Through {
			t.Errorf("stands at %s: %v", projector.Position(), err)
		}
	})
}

func checkAhead(t *rapid.T, p *projections.Projection, events []eventstore.Recorded) {
	d := &delivery{T: t, ctx: context.Background(), projection: p, events: events, cuts: []eventstore.Position{0}}
	for _, e := range events {
		d.cuts = append(d.cuts, e.Position)
	}
	straight, into := memory.New(), memory.New()
	defer straight.Close()
	defer into.Close()
	want, wantAt := d.straight(straight)
	store := &shaky{Store: into}
	var projector *projections.Projector
	begin := func() {
		made, err := projections.NewProjector(d.ctx, p, fixed(d.info()), store)
		if err != nil {
			t.Fatal(err)
		}
		projector = made
	}
	begin()
	for range number(t, 5, 30, "steps") {
		var faults []fault
		for range number(t, 0, 2, "faults") {
			faults = append(faults, fault(number(t, int(none), int(unknown), "fault")))
		}
		store.set(nil, faults...)
		switch number(t, 0, 7, "step") {
		case 0:
			begin() // while a commit of the one before may be on its way
		case 1:
			_ = projector.Apply(d.ctx, d.next(projector.Ahead()))
		case 2: // from an earlier position on
			_ = projector.ApplyAhead(d.ctx, d.next(d.cuts[number(t, 0, slices.Index(d.cuts, projector.Ahead()), "from")]))
		case 3:
			_ = projector.Land(d.ctx)
		default:
			_ = projector.ApplyAhead(d.ctx, d.next(projector.Ahead()))
		}
	}
	_ = projector.Land(d.ctx)
	store.set(nil)
	for tries := 0; projector.Position() < d.head(); tries++ {
		if err := projector.Apply(d.ctx, d.next(projector.Ahead())); err != nil && tries > 200 {
			t.Fatal(err)
		}
	}
	if got := dump(t, into, p.Scope); !slices.Equal(got, want) {
		t.Fatalf("%s differs from one straight pass:\n%s", p.Scope, difference(got, want))
	}
	if at, err := into.Checkpoint(d.ctx, p.Scope); err != nil || at.Position != wantAt.Position || !at.Time.Equal(wantAt.Time) {
		t.Fatalf("%s stands at %+v (%v), after one straight pass at %+v", p.Scope, at, err, wantAt)
	}
}
