package projections_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
)

// crashing is a store on which nobody lives to write down that an order was carried out.
type crashing struct {
	readmodels.Store
	died chan struct{}
}

func (s *crashing) SetRecord(ctx context.Context, name string, was, is []byte) (bool, error) {
	if strings.Contains(string(is), `"done":true`) {
		select {
		case s.died <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return false, ctx.Err()
	}
	return s.Store.SetRecord(ctx, name, was, is)
}

// order gives an order about one stream, as it stands.
func (s *site) order(id string, b readmodels.Build, discard bool, one readmodels.Ordered) {
	s.t.Helper()
	s.change(func(all *readmodels.Builds) {
		all.Orders = append(all.Orders, readmodels.Order{ID: id, Discard: discard, Build: b, Partition: s.parts.Of("acme"), Streams: []readmodels.Ordered{one}})
	})
}

func (s *site) done(id string) readmodels.Order {
	s.t.Helper()
	var found readmodels.Order
	s.until(id+" is carried out", func() bool {
		for _, one := range s.builds().Orders {
			if one.ID == id && one.Done {
				found = one
				return true
			}
		}
		return false
	})
	return found
}

func TestOrders(t *testing.T) {
	// given has a stream of which one run was discarded, and which waits again since a later event.
	given := func(t *testing.T, s *site) (p *tenant, stream string, first eventstore.Position, cure func()) {
		live := build(1, 0)
		p = s.plan("acme")
		stream, cure = s.poison(p, "Ada")
		p.member("Bob")
		s.names("bob")
		parked := func() readmodels.ParkedStream {
			t.Helper()
			all := waiting(t, s.models, s.scope(live, s.parts.Of("acme")))
			if len(all) != 1 || all[0].Stream != stream {
				t.Fatalf("parked are %+v", all)
			}
			return all[0]
		}
		s.order("discard", live, true, readmodels.Ordered{Stream: stream, First: parked().First.Position})
		if one := s.done("discard"); one.Error != "" || len(s.parkedIn(live)) != 0 {
			t.Fatalf("the discard: %+v", one)
		}
		id := strings.TrimPrefix(stream, "member-acme.")
		p.join(p.team("Crew"), domainMember(id))
		s.names("bob")
		return p, stream, parked().First.Position, cure
	}
	onBoth(t, "OPS-5 what is parked is replayed or discarded once, also after a crash before that was written down", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		stop := s.start(1, nil)
		p, stream, first, cure := given(t, s)
		live := build(1, 0)
		stop()
		cure()
		dying := &crashing{models, make(chan struct{}, 1)}
		stop = s.start(1, func(setup *projections.Setup) { setup.Models = dying })
		s.order("replay", live, false, readmodels.Ordered{Stream: stream, First: first})
		select {
		case <-dying.died:
		case <-bounded(t).Done():
			t.Fatal("it was not carried out")
		}
		stop()
		applied := dump(t, models, s.scope(live, s.parts.Of("acme")))
		if len(s.parkedIn(live)) != 0 {
			t.Fatal("nothing was applied")
		}
		s.start(1, nil)
		if one := s.done("replay"); one.Error != "" || len(one.Still) != 0 {
			t.Errorf("repeated: %+v", one)
		}
		if got := dump(t, models, s.scope(live, s.parts.Of("acme"))); !slices.Equal(got, applied) {
			t.Errorf("repeated, it took back what was discarded:\n%s", difference(got, applied))
		}
		s.order("take back", live, false, readmodels.Ordered{Stream: stream})
		if one := s.done("take back"); one.Error != "" {
			t.Errorf("take back: %+v", one)
		}
		p.member("Cleo")
		s.names("cleo")
		s.same(live)
	})
	onBoth(t, "OPS-5 what has changed since the order was given is left, and what still fails is said", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		_, stream, first, _ := given(t, s)
		live := build(1, 0)
		s.order("another run", live, true, readmodels.Ordered{Stream: stream, First: first - 1})
		s.done("another run")
		if got := waiting(t, models, s.scope(live, s.parts.Of("acme"))); len(got) != 1 || got[0].First.Position != first {
			t.Errorf("after an order about another run there wait %+v", got)
		}
		s.order("take back", live, false, readmodels.Ordered{Stream: stream})
		if one := s.done("take back"); len(one.Still) != 0 {
			t.Errorf("what waits is replayed where only what was discarded was meant: %+v", one)
		}
		if got := s.parkedIn(live); !slices.Equal(got, []string{stream}) {
			t.Errorf("what was not meant was discarded: %q", got)
		}
		s.order("replay", live, false, readmodels.Ordered{Stream: stream, First: first})
		if one := s.done("replay"); !slices.Equal(one.Still, []string{stream}) {
			t.Errorf("what fails again: %+v", one)
		}
	})
	t.Run("OPS-5 of several processes the one that has the partition carries it out", func(t *testing.T) {
		s := newSite(t, onRedis(t), 0)
		for range 3 {
			s.start(1, s.shared)
		}
		_, stream, first, cure := given(t, s)
		cure()
		s.order("replay", build(1, 0), false, readmodels.Ordered{Stream: stream, First: first})
		s.order("take back", build(1, 0), false, readmodels.Ordered{Stream: stream})
		for _, id := range []string{"replay", "take back"} {
			if one := s.done(id); one.Error != "" {
				t.Errorf("%s: %+v", id, one)
			}
		}
	})
}
