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

// pointed is read models of roles with some builds, and queries on them.
type pointed struct {
	*testing.T
	store readmodels.Store
	ask   *readmodels.Queries
}

func newPointed(t *testing.T, b readmodels.Builds) *pointed {
	t.Helper()
	p := &pointed{t, memory.New(), nil}
	p.ask = readmodels.NewQueries(p.store, 1)
	p.point(func(is *readmodels.Builds) { *is = b })
	return p
}

// point changes the builds, and lets the time pass in which queries may not have noticed.
func (p *pointed) point(change func(*readmodels.Builds)) {
	p.Helper()
	_, err := readmodels.ChangeBuilds(p.Context(), p.store, "roles", func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b == nil {
			b = &readmodels.Builds{}
		}
		change(b)
		return b, nil
	})
	if err != nil {
		p.Fatal(err)
	}
	time.Sleep(time.Second)
}

// commit brings a build to a position.
func (p *pointed) commit(build readmodels.Build, after, through int) {
	p.Helper()
	err := p.store.Commit(p.Context(), readmodels.Batch{
		Scope: readmodels.Roles.Of(build), After: eventstore.Position(after), Checkpoint: readmodels.Checkpoint{Position: eventstore.Position(through), StoreID: "log"},
	})
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pointed) at(want int) {
	p.Helper()
	if _, at, err := p.ask.Roles(p.Context(), "acme", readmodels.RoleFilter{}, readmodels.Want{Limit: 1}); err != nil || at.Position != eventstore.Position(want) {
		p.Errorf("at %s, %v, want %d", at.Position, err, want)
	}
}

func (p *pointed) rebuilding(build readmodels.Build, have, want int) {
	p.Helper()
	_, _, err := p.ask.Roles(p.Context(), "acme", readmodels.RoleFilter{}, readmodels.Want{Limit: 1})
	var is *readmodels.RebuildingError
	if !errors.As(err, &is) || is.Scope != readmodels.Roles.Of(build) || is.Have != eventstore.Position(have) || is.Want != eventstore.Position(want) {
		p.Errorf("got %v, want rebuilding of %s: %d of %d", err, build, have, want)
	}
}

func TestPointers(t *testing.T) {
	v := readmodels.Roles.Version
	first, second, newer, newest := readmodels.Build{Version: v}, readmodels.Build{Version: v, Number: 7}, readmodels.Build{Version: v + 1}, readmodels.Build{Version: v + 2}
	inTime := func(name string, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
	inTime("OPS-4 queries read the live build, and after a promotion the other, and back", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: first, Next: &readmodels.Next{Build: second}})
		p.commit(first, 0, 5)
		p.commit(second, 0, 3)
		p.at(5)
		p.commit(second, 3, 6)
		p.point((*readmodels.Builds).Promote)
		p.at(6)
		p.commit(first, 5, 8)
		p.at(6)
		p.point((*readmodels.Builds).Rollback)
		p.at(8)
	})
	inTime("OPS-4 a promoted build that lies behind answers when it has come up", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: first, Next: &readmodels.Next{Build: second}})
		p.commit(first, 0, 5)
		p.at(5)
		p.commit(second, 0, 3)
		p.point((*readmodels.Builds).Promote)
		begun := time.Now()
		p.rebuilding(second, 3, 5)
		if waited := time.Since(begun); waited != 2*time.Second {
			t.Errorf("it was waited for %s", waited)
		}
		go func() {
			time.Sleep(time.Second)
			p.commit(second, 3, 5)
		}()
		p.at(5)
	})
	inTime("OPS-4 what is expected after a start is not waited for", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: second})
		p.ask.Expect(5)
		p.commit(second, 0, 3)
		begun := time.Now()
		p.rebuilding(second, 3, 5)
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("it was waited for %s", waited)
		}
	})
	inTime("OPS-4 a program reads builds by its own rules only", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: newer, Before: &second})
		p.commit(newer, 0, 9)
		p.commit(second, 0, 4)
		p.at(4)
		p.point(func(b *readmodels.Builds) { b.Live, b.Before, b.Next = newest, &newer, &readmodels.Next{Build: first} })
		p.commit(first, 0, 2)
		p.rebuilding(first, 2, 4)
		p.point(func(b *readmodels.Builds) { b.Next = nil })
		p.rebuilding(first, 2, 4) // its first build would be the next
		p.commit(first, 2, 6)
		p.point(func(b *readmodels.Builds) { b.Next = &readmodels.Next{Build: first}; b.Promote() })
		p.at(6)
	})
	inTime("OPS-4 without a record there is the first build", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: second})
		p.commit(second, 0, 4)
		p.at(4)
		records, err := p.store.Records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if done, err := p.store.SetRecord(t.Context(), "roles", records["roles"], nil); err != nil || !done {
			t.Fatal(done, err)
		}
		time.Sleep(time.Second)
		p.rebuilding(first, 0, 4)
		p.commit(first, 0, 4)
		p.at(4)
	})
	inTime("OPS-4 a build that is emptied while it is read does not answer", func(t *testing.T) {
		p := newPointed(t, readmodels.Builds{Live: first})
		p.commit(first, 0, 5)
		p.at(5)
		shifting := &shifting{Store: p.store}
		shifting.then = []func(){
			func() { p.commit(first, 5, 6) },
			func() { p.commit(first, 6, 7) },
			func() { p.drop(first) },
		}
		ask := readmodels.NewQueries(shifting, 1)
		ask.Expect(5)
		_, at, err := ask.Roles(t.Context(), "acme", readmodels.RoleFilter{}, readmodels.Want{Limit: 1})
		var rebuilding *readmodels.RebuildingError
		if !errors.As(err, &rebuilding) {
			t.Errorf("what was being emptied is answered at %s: %v", at.Position, err)
		}
	})
}

// shifting is a store in which something happens after the reads of each query.
type shifting struct {
	readmodels.Store
	then []func()
}

func (s *shifting) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	entries, err := s.Store.Entries(ctx, scope, index, r)
	if len(s.then) > 0 {
		next := s.then[0]
		s.then = s.then[1:]
		next()
	}
	return entries, err
}

func (p *pointed) drop(build readmodels.Build) {
	p.Helper()
	if err := p.store.Drop(p.Context(), readmodels.Roles.Of(build), readmodels.Checkpoint{StoreID: "log"}); err != nil {
		p.Fatal(err)
	}
}
