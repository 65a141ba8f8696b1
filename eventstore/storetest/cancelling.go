package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"rolewise/eventstore"
)

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
