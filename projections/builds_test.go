package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// someHistory is more than two pages of events.
const someHistory = 3200

// watch asks for the members over and over, while others are added, until stop is called: what was seen once is never
// missing later, and no position is lower than one before.
func (s *site) watch() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		most, position := 0, eventstore.Position(0)
		for ctx.Err() == nil {
			page, at, err := s.ask.Members(ctx, "acme", readmodels.MemberFilter{Search: "watched"}, readmodels.Want{Limit: 1000})
			switch {
			case err != nil && ctx.Err() == nil:
				s.t.Errorf("while builds change: %v", err)
				return
			case err == nil && (len(page.Items) < most || at.Position < position):
				s.t.Errorf("%d members at %s after %d at %s", len(page.Items), at.Position, most, position)
				return
			case err == nil:
				most, position = len(page.Items), at.Position
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func TestRebuild(t *testing.T) {
	beside := func(t *testing.T, s *site, with func(*projections.Setup)) {
		s.start(1, with)
		s.start(1, with)
		p := s.plan("acme")
		for i := range 20 {
			p.member(fmt.Sprintf("Watched %d", i))
		}
		s.caughtUp(build(1, 0))
		stop := s.watch()
		defer stop()
		next := s.rebuild(readmodels.Next{Promote: true})
		for i := 20; s.builds().Live != next; i++ {
			at := p.member(fmt.Sprintf("Watched %d", i))
			if got := s.names("watched"); len(got) != i+1 { // what is written is read at once
				t.Fatalf("%d members after %s, not %d", len(got), at, i+1)
			}
			if i > 900 {
				t.Fatal("it is never promoted")
			}
		}
		p.member("Watched in the end")
		s.names("watched")
		stop()
		s.same(next)
		s.same(build(1, 0))
	}
	t.Run("OPS-4 a rebuild runs beside the live model, and readers never see half of it", func(t *testing.T) {
		t.Run("memory", func(t *testing.T) { beside(t, newSite(t, memory.New(), someHistory), nil) })
		t.Run("redis", func(t *testing.T) {
			s := newSite(t, onRedis(t), someHistory)
			beside(t, s, s.shared)
		})
	})
	onBoth(t, "OPS-4 a rebuild goes on where it stopped", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, someHistory)
		numbered := newGate(models, func(scope readmodels.Scope) bool { return scope.Number != 0 })
		stop := s.start(1, func(setup *projections.Setup) { setup.Models = numbered })
		s.caughtUp(build(1, 0))
		next := s.rebuild(readmodels.Next{Promote: true})
		numbered.pass <- struct{}{} // the first page of some partition
		stands := map[readmodels.Scope]eventstore.Position{}
		s.until("one page is committed", func() bool {
			for i := range s.parts.Count() {
				at, err := models.Checkpoint(t.Context(), s.scope(next, i))
				if err != nil {
					t.Fatal(err)
				}
				if at.Position > 0 {
					stands[s.scope(next, i)] = at.Position
				}
			}
			return len(stands) > 0
		})
		stop()
		if b := s.builds(); b.Live != build(1, 0) || b.Next == nil || b.Next.Build != next {
			t.Errorf("when the process has ended there is %s", text(t, b))
		}
		later := newGate(models, func(readmodels.Scope) bool { return false })
		s.start(1, func(setup *projections.Setup) { setup.Models = later })
		s.live(next)
		later.mu.Lock()
		for scope, at := range stands {
			if later.first[scope] != at || at == head(t, s.log) {
				t.Errorf("%s goes on at %s, it stood at %s", scope, later.first[scope], at)
			}
		}
		later.mu.Unlock()
		s.same(next)
	})
	onBoth(t, "OPS-4 a rebuild goes at its rate, is paused, and dropped", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, someHistory)
		stop := s.start(1, nil)
		s.caughtUp(build(1, 0))
		before := dump(t, models, s.scope(build(1, 0), 1))
		slow := s.rebuild(readmodels.Next{Promote: true, Rate: 1}) // one page in 17 minutes
		p := s.plan("acme")
		s.until("a page is committed", func() bool {
			at, err := models.Checkpoint(t.Context(), s.scope(slow, 1))
			return err == nil && at.Position > 0
		})
		p.member("Ada")
		if got := s.names("ada"); !slices.Equal(got, []string{"Ada"}) {
			t.Errorf("beside it queries find %q", got)
		}
		for i := range s.parts.Count() {
			if at, err := models.Checkpoint(t.Context(), s.scope(slow, i)); err != nil || at.Position > 1100 {
				t.Errorf("at one event a second it has come to %s, %v", at.Position, err)
			}
		}
		s.change(func(b *readmodels.Builds) {
			if err := b.Drop(slow); err != nil {
				t.Error(err)
			}
		})
		s.gone(slow)
		if b := s.builds(); b.Live != build(1, 0) || b.Before != nil || b.Next != nil {
			t.Errorf("after the drop there is %s", text(t, b))
		}
		if s.parts.Of("acme") != 1 && !slices.Equal(dump(t, models, s.scope(build(1, 0), 1)), before) {
			t.Error("the drop changed the live build")
		}
		s.rebuild(readmodels.Next{Rate: 1})
		stop() // whatever the rate: it does not wait for the next page
		s.same1(t)
	})
	onBoth(t, "OPS-4 a paused build stands still until it is resumed", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		waits := newGate(models, func(scope readmodels.Scope) bool { return scope.Number == 0 })
		close(waits.pass)
		stop := s.start(1, func(setup *projections.Setup) { setup.Models = waits })
		p := s.plan("acme")
		s.caughtUp(build(1, 0))
		next := s.rebuild(readmodels.Next{})
		s.caughtUp(next)
		s.change(func(b *readmodels.Builds) { b.Paused = append(b.Paused, next); b.Next.Promote = true })
		stop()
		s.start(1, nil)
		p.member("Ada")
		s.caughtUp(build(1, 0))
		at, err := models.Checkpoint(t.Context(), s.scope(next, s.parts.Of("acme")))
		if b := s.builds(); err != nil || at.Position >= head(t, s.log) || b.Live == next {
			t.Errorf("paused, it stands at %s, %v: %s", at.Position, err, text(t, b))
		}
		s.change(func(b *readmodels.Builds) { b.Paused = nil })
		s.live(next)
		s.same(next)
	})
	onBoth(t, "OPS-4 a build is promoted when every partition has caught up, not before", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, someHistory)
		last := newGate(models, func(scope readmodels.Scope) bool { return scope.Number != 0 && scope.Partition == s.parts.Count()-1 })
		last.refuses = true
		s.start(1, func(setup *projections.Setup) { setup.Models = last })
		s.caughtUp(build(1, 0))
		next := s.rebuild(readmodels.Next{Promote: true})
		for i := range s.parts.Count() - 1 {
			reached(t, models, head(t, s.log), s.scope(next, i))
		}
		for range 2 { // it was looked once whether it has, and was not promoted when it is looked again
			select {
			case <-last.asked:
			case <-bounded(t).Done():
				t.Fatal("nobody looks")
			}
		}
		if b := s.builds(); b.Live != build(1, 0) {
			t.Errorf("there is %s", text(t, b))
		}
		close(last.pass)
		s.live(next)
	})
	onBoth(t, "OPS-4 back and forth between two builds, and the one before the last goes", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		p := s.plan("acme")
		first := build(1, 0)
		second := s.rebuild(readmodels.Next{Promote: true})
		s.live(second)
		for i, want := range []readmodels.Build{first, second, first, second} {
			s.change((*readmodels.Builds).Rollback)
			s.live(want)
			p.member(fmt.Sprintf("Member %d", i))
			if got := s.names("member"); len(got) != i+1 {
				t.Errorf("with %s live queries find %q", want, got)
			}
			s.caughtUp(first) // both go on
			s.caughtUp(second)
		}
		third := s.rebuild(readmodels.Next{Promote: true})
		s.live(third)
		s.gone(first)
		if b := s.builds(); b.Before == nil || *b.Before != second {
			t.Errorf("there is %s", text(t, b))
		}
		s.same(second)
		s.same(third)
	})
}

// same1 checks that the first build is that of one straight pass, up to where it was brought.
func (s *site) same1(t *testing.T) {
	t.Helper()
	s.start(1, nil)
	s.same(build(1, 0))
}

func TestRebuildStops(t *testing.T) {
	onBoth(t, "OPS-5 a rebuild stops at the first failure, and goes on after the repair", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		p := s.plan("acme")
		s.caughtUp(build(1, 0))
		stream, cure := s.poison(p, "Ada")
		p.member("Bob")
		s.caughtUp(build(1, 0))
		if got := s.parkedIn(build(1, 0)); !slices.Equal(got, []string{stream}) {
			t.Fatalf("the live build parks %q", got)
		}
		next := s.rebuild(readmodels.Next{Promote: true})
		s.until("it has stopped", func() bool { return s.builds().Next.Fault != "" })
		fault := s.builds().Next.Fault
		if !strings.Contains(fault, "not today") || !strings.Contains(fault, s.scope(next, s.parts.Of("acme")).String()) {
			t.Errorf("it has stopped at %q", fault)
		}
		p.member("Cleo") // the live one flows on
		if got := s.names(""); !slices.Contains(got, "Cleo") || len(s.parkedIn(next)) != 0 {
			t.Errorf("beside it queries find %q", got)
		}
		s.change(func(b *readmodels.Builds) { b.Next.Fault = "" }) // it stops there again
		s.until("it has stopped again", func() bool { return s.builds().Next.Fault != "" })
		cure()
		s.change(func(b *readmodels.Builds) { b.Next.Fault = "" })
		s.live(next)
		s.same(next)
		if got := s.names("ada"); !slices.Equal(got, []string{"Ada"}) {
			t.Errorf("after the repair queries find %q", got)
		}
	})
	onBoth(t, "OPS-5 a rebuild that parks is promoted, and parks as a live one", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		p := s.plan("acme")
		first, _ := s.poison(p, "Ada")
		next := s.rebuild(readmodels.Next{Promote: true})
		s.until("it has stopped", func() bool { return s.builds().Next.Fault != "" })
		s.change(func(b *readmodels.Builds) { b.Next.Fault, b.Next.Park = "", true })
		s.live(next)
		second, _ := s.poison(p, "Bob")
		p.member("Cleo")
		if got := s.names("cleo"); !slices.Equal(got, []string{"Cleo"}) {
			t.Errorf("queries find %q", got)
		}
		if got := s.parkedIn(next); !slices.Equal(got, sorted(first, second)) {
			t.Errorf("it parks %q", got)
		}
	})
	onBoth(t, "OPS-5 a build that was made without a failure parks once it is live", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		p := s.plan("acme")
		next := s.rebuild(readmodels.Next{Promote: true})
		s.live(next)
		stream, _ := s.poison(p, "Ada")
		p.member("Bob")
		if got := s.names("bob"); !slices.Equal(got, []string{"Bob"}) || !slices.Equal(s.parkedIn(next), []string{stream}) {
			t.Errorf("queries find %q, parked are %q", got, s.parkedIn(next))
		}
	})
}

func sorted(all ...string) []string { slices.Sort(all); return all }

func TestChangedProjection(t *testing.T) {
	onBoth(t, "OPS-4 a changed projection is built and promoted by itself", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, someHistory)
		stop := s.start(1, nil)
		s.caughtUp(build(1, 0))
		stop()
		s.start(2, nil)
		s.live(build(2, 0))
		s.same(build(2, 0))
		if b := s.builds(); b.Before == nil || *b.Before != build(1, 0) || b.Next != nil {
			t.Errorf("there is %s", text(t, b))
		}
	})
	onBoth(t, "OPS-4 an older program goes on with its own build", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		p := s.plan("acme")
		s.caughtUp(build(1, 0))
		stop := s.start(2, nil)
		s.live(build(2, 0))
		p.member("Ada")
		s.same(build(1, 0))
		s.same(build(2, 0))
		if got := s.names("ada"); !slices.Equal(got, []string{"Ada"}) { // by a reader of version 1
			t.Errorf("an older reader finds %q", got)
		}
		stop()
		s.change((*readmodels.Builds).Rollback) // the older one is live again, and the newer is not begun again
		stop = s.start(2, nil)
		s.caughtUp(build(2, 0))
		s.change(func(b *readmodels.Builds) {
			if err := b.Drop(build(2, 0)); err != nil {
				t.Error(err)
			}
		})
		s.gone(build(2, 0))
		stop()
		s.start(2, nil)
		s.caughtUp(build(1, 0))
		if b := s.builds(); b.Live != build(1, 0) || b.Next != nil || b.Before != nil {
			t.Errorf("there is %s", text(t, b))
		}
	})
	onBoth(t, "OPS-4 it is left to the operator where that is wished, or where it was given up", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		s.caughtUp(build(1, 0))
		unchanged := func(when string) {
			t.Helper()
			if b := s.builds(); b.Next != nil || b.Live != build(1, 0) || b.Before != nil {
				t.Errorf("%s there is %s", when, text(t, b))
			}
		}
		s.start(2, func(setup *projections.Setup) { setup.Manual = true })
		unchanged("with Manual")
		s.change(func(b *readmodels.Builds) { b.Rebuild(readmodels.Next{Build: build(2, 0)}) })
		s.caughtUp(build(2, 0))
		s.change(func(b *readmodels.Builds) {
			if err := b.Drop(build(2, 0)); err != nil {
				t.Error(err)
			}
		})
		s.start(2, nil)
		s.gone(build(2, 0))
		unchanged("after it was given up")
	})
	onBoth(t, "OPS-4 no build is begun beside one of another log", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		stop := s.start(1, nil)
		s.caughtUp(build(1, 0))
		stop()
		other := openLog(t)
		_, err := projections.NewRunner(t.Context(), projections.Setup{
			Events: other, Models: models, Partitions: s.parts, Log: slog.New(slog.DiscardHandler),
		}, s.of(2))
		if b := s.builds(); err == nil || !strings.Contains(err.Error(), "another or a longer log") || b.Next != nil {
			t.Errorf("%v; there is %s", err, text(t, b))
		}
	})
}

func TestLostRecord(t *testing.T) {
	onBoth(t, "OPS-4 builds whose names were lost are removed", func(t *testing.T, models readmodels.Store) {
		s := newSite(t, models, 0)
		s.start(1, nil)
		second := s.rebuild(readmodels.Next{Promote: true})
		s.live(second)
		s.caughtUp(second)
		s.until("the names are lost", func() bool {
			records, err := models.Records(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			done, err := models.SetRecord(t.Context(), members, records[members], nil)
			return err == nil && done
		})
		s.live(build(1, 0))
		s.same(build(1, 0))
		s.until("the data of the other is gone", func() bool {
			for i := range s.parts.Count() {
				if at, err := models.Checkpoint(t.Context(), s.scope(second, i)); err != nil || at.StoreID != "" {
					return false
				}
			}
			return true
		})
	})
}

// TestLostNames empties Redis while a numbered build is live, with two processes at work.
func TestLostNames(t *testing.T) {
	store := onRedis(t)
	s := newSite(t, store, someHistory)
	s.start(1, s.shared)
	s.start(1, s.shared)
	second := s.rebuild(readmodels.Next{Promote: true})
	s.live(second)
	s.names("")
	if err := flush(t); err != nil {
		t.Fatal(err)
	}
	s.until("OPS-4 the first build is live again", func() bool { b := s.builds(); return b != nil && b.Live == build(1, 0) })
	s.same(build(1, 0))
	s.until("OPS-4 the numbered build leaves nothing behind", func() bool {
		for i := range s.parts.Count() {
			at, err := store.Checkpoint(t.Context(), s.scope(second, i))
			if err != nil || at != (readmodels.Checkpoint{}) || len(dump(t, store, s.scope(second, i))) > 0 {
				return false
			}
		}
		return true
	})
}
