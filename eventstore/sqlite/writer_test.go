package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

func role(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: "role", Plan: "acme", ID: id}
}

func event(data string) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "A", Data: []byte(data), Metadata: []byte("{}")}
}

func must(t testing.TB, s *Store, id eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) eventstore.Position {
	t.Helper()
	p, err := s.Append(t.Context(), id, expected, events...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return p
}

// history returns all events, and fails unless positions are 1 to n.
func history(t testing.TB, s *Store) (all []eventstore.Recorded) {
	t.Helper()
	for page, err := range s.Follow(t.Context(), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		all = append(all, page.Events...)
		if page.Live {
			break
		}
	}
	for i, e := range all {
		if e.Position != eventstore.Position(i+1) {
			t.Fatalf("event %d stands at position %s", i+1, e.Position)
		}
	}
	return all
}

// while holds the writer between two commits, until what is waiting for it has been set up.
func while(t testing.TB, s *Store, waiting int, setUp func(*sync.WaitGroup)) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	s.writer.moves.chores <- func(connection) error {
		close(held)
		<-release
		return nil
	}
	<-held
	var group sync.WaitGroup
	setUp(&group)
	for len(s.writer.requests) < waiting {
		if t.Context().Err() != nil {
			t.Fatal("the appends never came")
		}
		runtime.Gosched()
	}
	close(release)
	group.Wait()
}

// inWriter runs a chore in the writer, between two commits.
func inWriter(s *Store, chore func(connection) error) {
	done := make(chan struct{})
	s.writer.moves.chores <- func(c connection) error {
		defer close(done)
		return chore(c)
	}
	<-done
}

func TestGroupCommit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	before := event("before")
	first := must(t, s, role("taken"), eventstore.NoStream, before)
	const writers = 40
	positions, errs := make([]eventstore.Position, writers), make([]error, writers)
	var conflict, repeat error
	var repeated eventstore.Position
	while(t, s, writers+2, func(group *sync.WaitGroup) {
		for i := range writers {
			group.Go(func() {
				positions[i], errs[i] = s.Append(t.Context(), role(fmt.Sprint(i)), eventstore.NoStream, event(""))
			})
		}
		group.Go(func() { _, conflict = s.Append(t.Context(), role("taken"), eventstore.NoStream, event("")) })
		group.Go(func() { repeated, repeat = s.Append(t.Context(), role("taken"), eventstore.NoStream, before) })
	})
	if s.writer.commits != 2 {
		t.Errorf("%d commits, want one for each of the two batches", s.writer.commits)
	}
	for i, err := range errs {
		if err != nil {
			t.Errorf("append %d: %v", i, err)
		}
	}
	var c *eventstore.ConflictError
	if !errors.As(conflict, &c) {
		t.Errorf("the conflicting append: %v", conflict)
	}
	if repeat != nil || repeated != first {
		t.Errorf("the repeated append: %s, %v", repeated, repeat)
	}
	if all := history(t, s); len(all) != writers+1 {
		t.Errorf("log has %d events, want %d", len(all), writers+1)
	}
}

// faulty fails a statement once armed, as a disk would.
type faulty struct {
	connection
	statement string
	code      int
	armed     *atomic.Bool
}

type diskError struct{ code int }

func (e diskError) Error() string { return fmt.Sprintf("disk I/O error (%d)", e.code) }
func (e diskError) Code() int     { return e.code }

func (f faulty) exec(query string, args ...any) error {
	if f.armed.Load() && strings.HasPrefix(query, f.statement) {
		return diskError{f.code}
	}
	return f.connection.exec(query, args...)
}

func TestFailingDisk(t *testing.T) {
	for _, test := range []struct {
		statement string
		code      int
		unknown   bool
		recovers  bool
	}{
		{"COMMIT", 1034, true, false}, // SQLITE_IOERR_FSYNC
		{"INSERT INTO events", 778, false, false},
		{"BEGIN", codeIO, false, false},
		{"COMMIT", codeFull, true, true},
		{"INSERT INTO streams", codeFull, false, true},
		{"BEGIN", codeBusy, false, true},
	} {
		t.Run(fmt.Sprintf("%d at %s", test.code, test.statement), func(t *testing.T) {
			var armed atomic.Bool
			path := filepath.Join(t.TempDir(), "events.db")
			s := open(t, path, func(o *options) {
				o.wrap = func(c connection) connection { return faulty{c, test.statement, test.code, &armed} }
			})
			must(t, s, role("x"), eventstore.NoStream, event("1"), event("2"))
			armed.Store(true)
			var errs [3]error
			tries := []eventstore.Event{event("x"), event("y"), event("conflict")}
			while(t, s, 3, func(group *sync.WaitGroup) {
				group.Go(func() { _, errs[0] = s.Append(t.Context(), role("x"), 1, tries[0]) })
				group.Go(func() { _, errs[1] = s.Append(t.Context(), role("y"), eventstore.NoStream, tries[1]) })
				group.Go(func() { _, errs[2] = s.Append(t.Context(), role("x"), 7, tries[2]) })
			})
			for _, err := range errs {
				var unavailable *eventstore.UnavailableError
				if !errors.As(err, &unavailable) || unavailable.Unknown != test.unknown {
					t.Errorf("got %v (unknown %v), want unavailable (unknown %v)", err, unavailable != nil && unavailable.Unknown, test.unknown)
				}
			}
			armed.Store(false)
			if all := history(t, s); len(all) != 2 {
				t.Errorf("log has %d events, want the 2 from before", len(all))
			}
			_, err := s.Append(t.Context(), role("x"), 1, tries[0])
			var unavailable *eventstore.UnavailableError
			if test.recovers != (err == nil) || !test.recovers && !errors.As(err, &unavailable) {
				t.Fatalf("the next append: %v", err)
			}
			if test.recovers {
				must(t, s, role("y"), eventstore.NoStream, tries[1])
			}
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			s = open(t, path)
			must(t, s, role("x"), 1, tries[0])
			must(t, s, role("y"), eventstore.NoStream, tries[1])
			if all := history(t, s); len(all) != 4 {
				t.Errorf("log has %d events, want 4", len(all))
			}
		})
	}
}

// TestFullDisk lets SQLite itself run out of room.
func TestFullDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	must(t, s, role("x"), eventstore.NoStream, event("1"))
	inWriter(s, func(c connection) error { return c.exec("PRAGMA max_page_count = 30") })
	large := event(strings.Repeat("x", 500_000))
	_, err := s.Append(t.Context(), role("x"), 0, large)
	var unavailable *eventstore.UnavailableError
	if !errors.As(err, &unavailable) || unavailable.Unknown || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("got %v", err)
	}
	must(t, s, role("x"), 0, event("small"))
	inWriter(s, func(c connection) error { return c.exec("PRAGMA max_page_count = 1000000") })
	must(t, s, role("x"), 1, large)
	if all := history(t, s); len(all) != 3 {
		t.Errorf("log has %d events, want 3", len(all))
	}
}

// TestBackstop makes the writer misremember the end of a stream: the index does not take what its memory let through.
func TestBackstop(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(1))
	must(t, s, role("x"), eventstore.NoStream, event("1"), event("2"))
	inWriter(s, func(connection) error {
		head, _ := s.writer.streams.get(role("x"))
		head.revision--
		s.writer.streams.put(role("x"), head)
		return nil
	})
	must(t, s, role("x"), 0, event("twice at revision 1"))
	_, err := s.Append(t.Context(), role("y"), eventstore.NoStream, event(""))
	if err == nil || !strings.Contains(err.Error(), "contradicts itself") {
		t.Fatalf("a revision was given twice, and the next append got %v", err)
	}
}

// TestForgetfulWriter runs with memories far smaller than what is written to.
func TestForgetfulWriter(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	inWriter(s, func(connection) error {
		s.writer.streams, s.writer.plans = newCache[eventstore.StreamID, streamHead](3), newCache[string, planHead](2)
		s.writer.types, s.names.types = newCache[string, int64](2), newCache[int64, string](2)
		s.names.streams, s.names.numbers = newCache[int64, eventstore.StreamID](2), newCache[eventstore.StreamID, int64](2)
		return nil
	})
	const streams, rounds = 50, 5
	for round := range rounds {
		for i := range streams {
			e := event("")
			e.Type = fmt.Sprint("T", i%7)
			must(t, s, eventstore.StreamID{Category: "role", Plan: fmt.Sprint("plan-", i%10), ID: fmt.Sprint(i)}, eventstore.Revision(round-1), e)
		}
	}
	forget(s)
	for i, e := range history(t, s) {
		if e.Stream.ID != fmt.Sprint(i%streams) || e.Type != fmt.Sprint("T", i%streams%7) || e.Revision != eventstore.Revision(i/streams) {
			t.Fatalf("event %d is %s of %s at %d", i, e.Type, e.Stream, e.Revision)
		}
	}
}

func TestAppendAfterContextEnds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	while(t, s, 1, func(group *sync.WaitGroup) {
		group.Go(func() { _, err = s.Append(ctx, role("x"), eventstore.NoStream, event("")) })
		for len(s.writer.requests) == 0 {
			if t.Context().Err() != nil {
				return
			}
			runtime.Gosched()
		}
		cancel()
	})
	if err != nil {
		t.Errorf("an append that was with the writer got %v instead of its outcome", err)
	}
}

// handing tells whether an append is on its way into the writer's channel.
func handing(s *Store) bool {
	if s.enqueue.TryLock() {
		s.enqueue.Unlock()
		return false
	}
	return true
}

func TestCrowdedWriter(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	ctx, cancel := context.WithCancel(t.Context())
	var refused error
	while(t, s, commitRequests, func(group *sync.WaitGroup) {
		for i := range commitRequests {
			group.Go(func() {
				if _, err := s.Append(t.Context(), role(fmt.Sprint(i)), eventstore.NoStream, event("")); err != nil {
					t.Errorf("append: %v", err)
				}
			})
		}
		for len(s.writer.requests) < commitRequests || handing(s) {
			runtime.Gosched()
		}
		late := make(chan struct{})
		go func() {
			defer close(late)
			_, refused = s.Append(ctx, role("late"), eventstore.NoStream, event(""))
		}()
		for !handing(s) {
			runtime.Gosched()
		}
		cancel()
		<-late
	})
	if !errors.Is(refused, context.Canceled) {
		t.Errorf("an append that found no room got %v", refused)
	}
	if n := len(history(t, s)); n != commitRequests {
		t.Errorf("log has %d events, want %d", n, commitRequests)
	}
}
