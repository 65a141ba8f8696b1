package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// write appends events to streams of their own from many goroutines, and returns what was acknowledged.
func (s *session) write(t *testing.T, writers, each int) map[uuid.UUID]eventstore.Position {
	var mu sync.Mutex
	acknowledged := map[uuid.UUID]eventstore.Position{}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				e := event("A", fmt.Sprint(i))
				if w%8 == 0 { // slow to be written
					e.Data = bytes.Repeat([]byte("slow "), 4_000)
				}
				p, err := s.Append(s.ctx, s.stream(fmt.Sprintf("writer %d", w)), eventstore.Revision(i-1), e)
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				acknowledged[e.ID] = p
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return acknowledged
}

// commitOrder runs readers at full speed beside many writers: an event whose position was given before its commit
// would be missed by one of them.
func commitOrder(t *testing.T, s *session) {
	after := s.head(t)
	writers, each := 32, volume(100)
	filters := []eventstore.Filter{{}, {PageSize: 1}, {PageSize: 7}, {Plan: s.plan}, {PageSize: 50}}
	idle := len(filters) - 1 // this reader does nothing until all is written
	written := make(chan struct{})
	seen := make([][]eventstore.Recorded, len(filters))
	var group sync.WaitGroup
	for i, filter := range filters {
		group.Go(func() {
			n := 0
			all, err := s.follow(after, filter, func(p eventstore.Page) bool {
				if i == idle {
					<-written
				}
				n += len(p.Events)
				return n >= writers*each
			})
			if err != nil {
				t.Errorf("follow: %v", err)
			}
			seen[i] = all
		})
	}
	acknowledged := s.write(t, writers, each)
	close(written)
	group.Wait()
	all := s.history(t, after, eventstore.Filter{})
	if len(all) != writers*each {
		t.Fatalf("log has %d events, want %d", len(all), writers*each)
	}
	for i, e := range all {
		if acknowledged[e.ID] != e.Position {
			t.Fatalf("event at %s was acknowledged at %s", e.Position, acknowledged[e.ID])
		}
		for reader := range seen {
			if len(seen[reader]) <= i {
				t.Fatalf("reader %d saw %d events, want %d", reader, len(seen[reader]), len(all))
			}
			if seen[reader][i].ID != e.ID || seen[reader][i].Position != e.Position {
				t.Fatalf("reader %d saw another event than the one at %s", reader, e.Position)
			}
		}
	}
}

// historyToLive starts followers while writers write, so that they pass from history to live in motion.
func historyToLive(t *testing.T, s *session) {
	after := s.head(t)
	writers, each := 8, volume(250)
	s.must(t, s.stream("before"), eventstore.NoStream, events(1000)...)
	total := 1000 + writers*each
	var group sync.WaitGroup
	var written atomic.Int64
	wake := make(chan struct{}, total)
	group.Go(func() {
		var inner sync.WaitGroup
		for w := range writers {
			inner.Go(func() {
				for i := range each {
					_, err := s.Append(s.ctx, s.stream(fmt.Sprint(w)), eventstore.Revision(i-1), event("A", ""))
					if err != nil {
						t.Errorf("append: %v", err)
						return
					}
					written.Add(1)
					wake <- struct{}{}
				}
			})
		}
		inner.Wait()
		close(wake)
	})
	results := make(chan []eventstore.Recorded, total)
	started := 0
	for range wake { // a follower for each stretch of what is being written
		if started >= 20 || int(written.Load()) < started*writers*each/20 {
			continue
		}
		started++
		size := 1 + started*13%300
		group.Go(func() {
			n := 0
			all, err := s.follow(after, eventstore.Filter{PageSize: size}, func(p eventstore.Page) bool {
				n += len(p.Events)
				return n >= total
			})
			if err != nil {
				t.Errorf("follow: %v", err)
			}
			results <- all
		})
	}
	group.Wait()
	close(results)
	want := s.history(t, after, eventstore.Filter{})
	if started == 0 || len(want) != total {
		t.Fatalf("%d followers, %d events, want %d", started, len(want), total)
	}
	for got := range results {
		if !slices.EqualFunc(got, want, func(a, b eventstore.Recorded) bool {
			return a.ID == b.ID && a.Position == b.Position && a.Stream == b.Stream && a.Revision == b.Revision
		}) {
			t.Fatalf("a follower saw %d events, or others than the %d of the log", len(got), len(want))
		}
	}
}

func followPages(t *testing.T, s *session) {
	after := s.head(t)
	var want []eventstore.Event
	for i := range 10 {
		batch := events(37)
		s.must(t, s.stream(fmt.Sprint(i)), eventstore.NoStream, batch...)
		want = append(want, batch...)
	}
	for _, size := range []int{0, 1, 2, 7, 36, 37, 38, 369, 370, 371, 10_000} {
		same(t, s.history(t, after, eventstore.Filter{PageSize: size}), want)
	}
	all := s.history(t, after, eventstore.Filter{})
	for _, i := range []int{0, 1, 5, 36, 200, 368, 369} { // a follower resumes anywhere
		same(t, s.history(t, all[i].Position, eventstore.Filter{PageSize: 50}), want[i+1:])
	}
}

// followHead expects one live page at once, and then one for what is committed.
func followHead(t *testing.T, s *session) {
	s.must(t, s.stream("x"), eventstore.NoStream, events(3)...)
	head := s.head(t)
	pages, got := 0, 0
	late := event("Late", "")
	all, err := s.follow(head, eventstore.Filter{}, func(p eventstore.Page) bool {
		pages++
		if got += len(p.Events); pages == 1 {
			if !p.Live || len(p.Events) != 0 {
				t.Errorf("first page at the head: live=%v, %d events", p.Live, len(p.Events))
			}
			s.must(t, s.stream("x"), 2, late)
		}
		return got > 0
	})
	if err != nil {
		t.Fatalf("follow: %v", err)
	}
	same(t, all, []eventstore.Event{late})
}

func followFilter(t *testing.T, s *session) {
	after := s.head(t)
	id := func(category, plan, text string) eventstore.StreamID {
		return eventstore.StreamID{Category: category, Plan: plan, ID: text}
	}
	acme, acme2, acmeX, zeta := s.plan+"acme", s.plan+"acme2", s.plan+"acme-x", s.plan+"zeta"
	streams := []eventstore.StreamID{
		id("role", acme, "1"), id("role", acme2, "1"), id("role", acmeX, "1"), id("roles", acme, "1"),
		id("member", acme, "1"), id("role", acme, "10"), id("member", zeta, "role-"+acme+".1"),
	}
	for i := range 40 {
		for j, stream := range streams {
			s.must(t, stream, eventstore.Revision(i-1), event([]string{"A", "B", "C", "a"}[(i+j)%4], ""))
		}
	}
	all := s.history(t, after, eventstore.Filter{})
	for name, filter := range map[string]eventstore.Filter{
		"a type":                  {Types: []string{"A"}},
		"types":                   {Types: []string{"C", "A", "Unknown"}},
		"an unknown type":         {Types: []string{"Unknown"}},
		"a category":              {Prefixes: []string{"role-"}},
		"a plan's category":       {Prefixes: []string{"role-" + acme + "."}},
		"a prefix of plans":       {Prefixes: []string{"role-" + acme}},
		"prefixes":                {Prefixes: []string{"member-", "roles-"}},
		"a stream's prefix":       {Prefixes: []string{"role-" + acme + ".1"}},
		"an unknown prefix":       {Prefixes: []string{"nobody-"}},
		"the empty prefix":        {Prefixes: []string{"nobody-", ""}},
		"a plan":                  {Plan: acme},
		"an unknown plan":         {Plan: "nobody"},
		"a plan and types":        {Plan: acme, Types: []string{"A", "B"}},
		"a plan and a prefix":     {Plan: acme, Prefixes: []string{"role-"}},
		"all conditions":          {Plan: acme, Types: []string{"B"}, Prefixes: []string{"member-", "roles-"}},
		"conditions none can met": {Plan: acme2, Prefixes: []string{"member-"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, start := range []int{0, 1, 100, len(all) - 1, len(all)} {
				from := after
				if start > 0 {
					from = all[start-1].Position
				}
				var want []eventstore.Event
				for _, e := range all[start:] {
					if passes(filter, e) {
						want = append(want, e.Event)
					}
				}
				for _, size := range []int{0, 1, 3, 1000} {
					filter.PageSize = size
					var through eventstore.Position
					got, err := s.follow(from, filter, func(p eventstore.Page) bool {
						through = p.Through
						return p.Live
					})
					if err != nil {
						t.Fatalf("follow: %v", err)
					}
					same(t, got, want)
					if through < all[len(all)-1].Position {
						t.Fatalf("the end was reached at %s, the last event is at %s", through, all[len(all)-1].Position)
					}
				}
			}
		})
	}
}

func passes(f eventstore.Filter, e eventstore.Recorded) bool {
	name := e.Stream.String()
	return (f.Plan == "" || f.Plan == e.Stream.Plan) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, e.Type)) &&
		(len(f.Prefixes) == 0 || slices.ContainsFunc(f.Prefixes, func(prefix string) bool {
			return len(name) >= len(prefix) && name[:len(prefix)] == prefix
		}))
}

// filterLive expects that events which do not pass move Through all the same.
func filterLive(t *testing.T, s *session) {
	for name, filter := range map[string]eventstore.Filter{
		"type":   {Types: []string{"Wanted"}},
		"prefix": {Prefixes: []string{"member-"}},
		"plan":   {Plan: "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.stream(name)
			target := eventstore.Position(0)
			all, err := s.follow(s.head(t), filter, func(p eventstore.Page) bool {
				if target == 0 {
					target = s.must(t, id, eventstore.NoStream, event("Other", ""))
					return false
				}
				return p.Through >= target
			})
			if err != nil || len(all) != 0 {
				t.Fatalf("got %d events and %v", len(all), err)
			}
		})
	}
}

func manyFollowers(t *testing.T, s *session) {
	after := s.head(t)
	const followers, total = 50, 8 * 25
	var ready, group sync.WaitGroup
	ready.Add(followers)
	for range followers {
		group.Go(func() {
			n, waiting := 0, true
			_, err := s.follow(after, eventstore.Filter{}, func(p eventstore.Page) bool {
				if waiting {
					ready.Done()
					waiting = false
				}
				n += len(p.Events)
				return n >= total
			})
			if err != nil || n != total {
				t.Errorf("follower got %d of %d events and %v", n, total, err)
			}
		})
	}
	ready.Wait()
	s.write(t, 8, 25)
	group.Wait()
}
