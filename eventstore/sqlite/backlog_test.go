package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"rolewise/eventstore"
)

// TestReadWhileIndexed reads streams while their events move from memory into the indexes: each event once, in its
// place, and none that was acknowledged is missing.
func TestReadWhileIndexed(t *testing.T) {
	const streams, events = 3, 1500
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(5), func(o *options) { o.recent = 0 })
	var group sync.WaitGroup
	for i := range streams {
		stream := role(fmt.Sprint(i))
		acknowledged := make(chan int, events)
		group.Go(func() {
			defer close(acknowledged)
			for n := range events {
				if _, err := s.Append(t.Context(), stream, eventstore.Revision(n-1), event("")); err != nil {
					t.Error(err)
					return
				}
				acknowledged <- n
			}
		})
		group.Go(func() {
			for last := range acknowledged {
				for len(acknowledged) > 0 {
					last = <-acknowledged
				}
				from := eventstore.Revision(max(0, last-20))
				next := from
				for e, err := range s.Read(t.Context(), stream, from) {
					if err != nil || e.Revision != next {
						t.Errorf("read revision %d (%v) where %d was due", e.Revision, err, next)
						return
					}
					next++
				}
				if int(next) <= last {
					t.Errorf("read up to revision %d, but %d was acknowledged", next-1, last)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestFollowPlanWhileIndexed does the same for the log of a plan.
func TestFollowPlanWhileIndexed(t *testing.T) {
	const events = 3000
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(7), func(o *options) { o.recent = 0 })
	var group sync.WaitGroup
	group.Go(func() {
		for n := range events {
			stream := eventstore.StreamID{Category: "role", Plan: fmt.Sprint("plan-", n%2), ID: fmt.Sprint(n % 10)}
			if _, err := s.Append(t.Context(), stream, eventstore.Revision(n/10-1), event("")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for _, filter := range []eventstore.Filter{{Plan: "plan-1", PageSize: 3}, {Plan: "plan-0"}, {Plan: "plan-1", Types: []string{"A"}, PageSize: 10}} {
		group.Go(func() {
			next := 0
			if filter.Plan == "plan-1" {
				next = 1
			}
			for page, err := range s.Follow(t.Context(), 0, filter) {
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range page.Events {
					if int(e.Position) != next+1 {
						t.Errorf("%+v: position %s where %d was due", filter, e.Position, next+1)
						return
					}
					next += 2
				}
				if next >= events {
					return
				}
			}
		})
	}
	group.Wait()
}
