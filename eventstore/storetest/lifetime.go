package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"rolewise/eventstore"
)

func info(t *testing.T, s *session) {
	before, err := s.Info(s.ctx)
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	if before.ID == "" || before.Epoch < 1 {
		t.Errorf("store has the identity %q, epoch %d", before.ID, before.Epoch)
	}
	p := s.must(t, s.stream("x"), eventstore.NoStream, events(5)...)
	after, err := s.Info(s.ctx)
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	if after.Head < p || after.ID != before.ID || after.Epoch != before.Epoch {
		t.Errorf("after an append at %s: %+v, before: %+v", p, after, before)
	}
	if s.suite.shared {
		return
	}
	other := s.suite.open(t)
	defer func() { _ = other.Close() }()
	if second, err := other.Info(s.ctx); err != nil || second.ID == before.ID {
		t.Errorf("another store has the identity %q too (%v)", second.ID, err)
	}
}

func closing(t *testing.T, s *session) {
	s.must(t, s.stream("x"), eventstore.NoStream, events(5)...)
	head := s.head(t)
	waiting, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := s.follow(head, eventstore.Filter{}, func(p eventstore.Page) bool {
			close(waiting)
			return false
		})
		ended <- err
	}()
	<-waiting
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := <-ended; !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("a follower at the head ended with %v", err)
	}
	if _, err := s.Append(s.ctx, s.stream("x"), 4, event("A", "")); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Info(s.ctx); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("info: %v", err)
	}
	yielded := 0
	for _, err := range s.Read(s.ctx, s.stream("x"), 0) {
		if yielded++; !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	}
	for _, err := range s.Follow(s.ctx, 0, eventstore.Filter{}) {
		if yielded++; !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("follow: %v", err)
		}
	}
	if yielded != 2 {
		t.Errorf("read and follow yielded %d times, want 2", yielded)
	}
	if err := s.Close(); err != nil && !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
}

// closingUnderLoad closes a store that is being written and read: each append was taken or refused, and all calls end.
func closingUnderLoad(t *testing.T, s *session) {
	after := s.head(t)
	const writers = 16
	acknowledged := make([]int, writers)
	var group sync.WaitGroup
	var started sync.WaitGroup
	started.Add(writers)
	for w := range writers {
		group.Go(func() {
			for i := 0; ; i++ {
				_, err := s.Append(s.ctx, s.stream(fmt.Sprint(w)), eventstore.Revision(i-1), event("A", ""))
				if i == 0 {
					started.Done()
				}
				if err != nil {
					var unavailable *eventstore.UnavailableError
					if !errors.Is(err, eventstore.ErrClosed) && !errors.As(err, &unavailable) {
						t.Errorf("append: %v", err)
					}
					return
				}
				acknowledged[w]++
			}
		})
	}
	for range 4 {
		group.Go(func() {
			_, err := s.follow(after, eventstore.Filter{PageSize: 3}, func(eventstore.Page) bool { return false })
			if !errors.Is(err, eventstore.ErrClosed) {
				t.Errorf("follow: %v", err)
			}
		})
	}
	started.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	group.Wait()
	if s.suite.reopen == nil {
		return
	}
	s.Store = s.suite.reopen(t, s.Store)
	for w, n := range acknowledged {
		if got := len(s.read(t, s.stream(fmt.Sprint(w)), 0)); got < n {
			t.Errorf("writer %d had %d events acknowledged, the stream has %d", w, n, got)
		}
	}
}

func reopening(t *testing.T, s *session) {
	if s.suite.reopen == nil {
		t.Skip("this store cannot be reopened by the contract")
	}
	after := s.head(t)
	var want []eventstore.Event
	for i := range 20 {
		batch := events(10)
		s.must(t, s.stream(fmt.Sprint(i%4)), eventstore.Revision(i/4*10-1), batch...)
		want = append(want, batch...)
	}
	before, err := s.Info(s.ctx)
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	for round := range 3 {
		s.Store = s.suite.reopen(t, s.Store)
		now, err := s.Info(s.ctx)
		if err != nil || now.ID != before.ID || now.Epoch != before.Epoch || now.Head < before.Head {
			t.Fatalf("reopened as %+v (%v), was %+v", now, err, before)
		}
		same(t, s.history(t, after, eventstore.Filter{}), want)
		same(t, s.history(t, after, eventstore.Filter{Plan: s.plan, PageSize: 7}), want)
		_, err = s.Append(s.ctx, s.stream("0"), eventstore.NoStream, event("A", ""))
		conflict(t, err, eventstore.NoStream, eventstore.Revision(49+round))
		e := event("A", "")
		s.must(t, s.stream("0"), eventstore.Revision(49+round), e)
		want = append(want, e)
	}
}
