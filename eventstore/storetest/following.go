package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

func cancellation(t *testing.T, s *session) {
	id := s.stream("x")
	s.must(t, id, eventstore.NoStream, events(1000)...)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	t.Run("before the call", func(t *testing.T) {
		if _, err := s.Append(ended, id, 999, event("A", "")); !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v", err)
		}
		if _, err := s.Info(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("info: %v", err)
		}
		n := 0
		for _, err := range s.Read(ended, id, 0) {
			if n++; !errors.Is(err, context.Canceled) {
				t.Errorf("read: %v", err)
			}
		}
		for _, err := range s.Follow(ended, 0, eventstore.Filter{}) {
			if n++; !errors.Is(err, context.Canceled) {
				t.Errorf("follow: %v", err)
			}
		}
		if n != 2 {
			t.Errorf("read and follow yielded %d times, want 2", n)
		}
		if n := len(s.read(t, id, 0)); n != 1000 {
			t.Errorf("stream has %d events, want 1000", n)
		}
	})
	t.Run("in history", func(t *testing.T) {
		for stop := 1; stop < 40; stop++ {
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			pages := 0
			var last error
			for _, err := range s.Follow(ctx, 0, eventstore.Filter{PageSize: 20}) {
				last = err
				if pages++; pages == stop {
					cancel()
				}
			}
			if !errors.Is(last, context.Canceled) || pages != stop+1 {
				t.Fatalf("follow canceled at page %d went to %d and ended with %v", stop, pages, last)
			}
		}
	})
	t.Run("waiting for events", func(t *testing.T) {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		var last error
		for page, err := range s.Follow(ctx, s.head(t), eventstore.Filter{}) {
			if last = err; err == nil && page.Live {
				go cancel()
			}
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("follow ended with %v", last)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(s.ctx, 1)
		defer cancel()
		var last error
		for _, err := range s.Follow(ctx, s.head(t), eventstore.Filter{}) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("follow ended with %v", last)
		}
	})
	t.Run("a deadline that has passed", func(t *testing.T) {
		passed, cancel := context.WithDeadline(s.ctx, time.Unix(1, 0))
		defer cancel()
		if _, err := s.Append(passed, id, 999, event("A", "")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("append: %v", err)
		}
		for _, err := range s.Read(passed, id, 0) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
		}
	})
	t.Run("in a stream", func(t *testing.T) { cancelReads(t, s, id) })
	t.Run("in the middle of a page", func(t *testing.T) { cancelPages(t, s) })
	t.Run("after the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(s.ctx)
		e := event("A", "")
		p, err := s.Append(ctx, id, 999, e)
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		cancel()
		if got := s.read(t, id, 1000); len(got) != 1 || got[0].ID != e.ID || got[0].Position != p {
			t.Errorf("of an append whose context ended later there is %v", got)
		}
	})
	t.Run("appends at any moment", func(t *testing.T) { cancelAppends(t, s) })
}

// cancelReads cancels reads of a stream of 1,000 events at many places: each yields the rest, or says that it does not.
func cancelReads(t *testing.T, s *session, id eventstore.StreamID) {
	for _, stop := range []int{1, 2, 3, 10, 99, 100, 255, 256, 257, 500, 512, 998, 999, 1000} {
		ctx, cancel := context.WithCancel(s.ctx)
		n, failed := 0, 0
		for e, err := range s.Read(ctx, id, 0) {
			if err != nil {
				if failed++; !errors.Is(err, context.Canceled) {
					t.Errorf("read: %v", err)
				}
				continue
			}
			if e.Revision != eventstore.Revision(n) || failed > 0 {
				t.Fatalf("event %d is revision %d, after %d errors", n, e.Revision, failed)
			}
			if n++; n == stop {
				cancel()
			}
		}
		cancel()
		if n != 1000 && failed != 1 {
			t.Errorf("read canceled at event %d yielded %d of 1000 events and %d errors", stop, n, failed)
		}
	}
}

// cancelPages cancels followers from elsewhere while pages are made: each has seen a beginning of the log without a gap.
func cancelPages(t *testing.T, s *session) {
	want := s.history(t, 0, eventstore.Filter{})
	for round := range 40 {
		ctx, cancel := context.WithCancel(s.ctx)
		begun, start := make(chan struct{}), sync.Once{}
		go func() {
			<-begun
			for range round * round { // later each time, up to the head
				runtime.Gosched()
			}
			cancel()
		}()
		var got []eventstore.Recorded
		var last error
		c := checker{}
		for page, err := range s.Follow(ctx, 0, eventstore.Filter{PageSize: 1 + round*7}) {
			start.Do(func() { close(begun) })
			if last != nil {
				t.Fatalf("after its error the follow yielded a page through %s, %v", page.Through, err)
			}
			if last = err; err != nil {
				continue
			}
			if err := c.check(page); err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Events...)
		}
		cancel()
		if !errors.Is(last, context.Canceled) || len(got) > len(want) {
			t.Fatalf("follow ended with %v after %d of %d events", last, len(got), len(want))
		}
		for i, e := range got {
			if e.ID != want[i].ID || e.Position != want[i].Position {
				t.Fatalf("event %d is at %s, want %s", i, e.Position, want[i].Position)
			}
		}
	}
}

// cancelAppends cancels appends at every moment: each was taken or not, and a repeat under the same ids settles which.
func cancelAppends(t *testing.T, s *session) {
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			id := s.stream(fmt.Sprintf("canceled %d", w))
			for i := range 50 {
				e := event("A", fmt.Sprint(i))
				ctx, cancel := context.WithCancel(s.ctx)
				go cancel()
				first, err := s.Append(ctx, id, eventstore.Revision(i-1), e)
				var unavailable *eventstore.UnavailableError
				if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &unavailable) {
					t.Errorf("append: %v", err)
				}
				cancel()
				p, err := s.Append(s.ctx, id, eventstore.Revision(i-1), e)
				if err != nil {
					t.Errorf("repeat: %v", err)
					return
				}
				if first != 0 && p != first {
					t.Errorf("appended at %s, the repeat says %s", first, p)
				}
			}
		})
	}
	group.Wait()
	for w := range 8 {
		if n := len(s.read(t, s.stream(fmt.Sprintf("canceled %d", w)), 0)); n != 50 {
			t.Errorf("stream has %d events, want 50", n)
		}
	}
}
