package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apart gives the events of a log positions that lie apart, as KurrentDB does, and can be cut off.
type apart struct {
	*sqlite.Store
	epoch  int
	cut    atomic.Bool
	change func(*eventstore.Recorded) // what a reader is shown instead; nil: what is there
}

const distance = 1009

func (a *apart) Info(ctx context.Context) (eventstore.Info, error) {
	info, err := a.Store.Info(ctx)
	info.Head *= distance
	info.Epoch += a.epoch
	return info, err
}

func (a *apart) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range a.Store.Follow(ctx, after/distance, f) {
			if a.cut.CompareAndSwap(true, false) {
				yield(eventstore.Page{}, &eventstore.UnavailableError{Err: errors.New("cut off")})
				return
			}
			page.After, page.Through, page.Head = page.After*distance, page.Through*distance, page.Head*distance
			events := append([]eventstore.Recorded(nil), page.Events...)
			for i := range events {
				events[i].Position *= distance
				if a.change != nil {
					a.change(&events[i])
				}
			}
			page.Events = events
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

// source returns a log of 3,000 events of three plans.
func source(t *testing.T) *apart {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "source.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := &apart{Store: s}
	for i := range 300 {
		grow(t, a, i%60, i/60*10, 10)
	}
	return a
}

// grow appends events to one of sixty streams.
func grow(t *testing.T, a *apart, stream, from, n int) {
	t.Helper()
	id := eventstore.StreamID{Category: "role", Plan: fmt.Sprint("plan-", stream%3), ID: fmt.Sprint(stream)}
	events := make([]eventstore.Event, n)
	for i := range events {
		events[i] = eventstore.Event{ID: uuid.New(), Type: fmt.Sprint("T", i%4), Data: fmt.Append(nil, stream, from+i), Metadata: []byte("{}")}
	}
	if _, err := a.Append(t.Context(), id, eventstore.Revision(from-1), events...); err != nil {
		t.Fatal(err)
	}
}

// copyOf opens the copy of a log.
func copyOf(t *testing.T, a *apart, path string) *sqlite.Replica {
	t.Helper()
	info, err := a.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := sqlite.OpenReplica(t.Context(), path, info)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// run copies until the copy has reached the source's head.
func run(t *testing.T, a *apart, r *sqlite.Replica) {
	t.Helper()
	info, err := a.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, a, r, slog.New(slog.DiscardHandler)) }()
	for _, err := range r.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if now, err := r.Info(ctx); err != nil || now.Head == info.Head {
			break
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("run ended with %v", err)
	}
}

func all(t *testing.T, s eventstore.Store, f eventstore.Filter) (events []eventstore.Recorded) {
	t.Helper()
	for page, err := range s.Follow(t.Context(), 0, f) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Events...)
		if page.Live {
			break
		}
	}
	return events
}

// TestAUD4Replica shows that a copy reads as its source does, by every way in, and proves itself.
func TestAUD4Replica(t *testing.T) {
	a := source(t)
	path := filepath.Join(t.TempDir(), "copy.db")
	r := copyOf(t, a, path)
	a.cut.Store(true) // Run waits and begins again
	run(t, a, r)
	for _, f := range []eventstore.Filter{{}, {Plan: "plan-1"}, {Types: []string{"T2"}}, {Plan: "plan-2", Types: []string{"T0", "T3"}}, {Prefixes: []string{"role-plan-0"}}, {Plan: "plan-1", PageSize: 7}} {
		if got, want := all(t, r, f), all(t, a, f); !reflect.DeepEqual(got, want) || len(want) == 0 {
			t.Errorf("filter %+v: the copy gives %d events, the source %d", f, len(got), len(want))
		}
	}
	if n, err := Compare(t.Context(), a, r, nil); err != nil || n != 3000 {
		t.Errorf("compared %d events, %v", n, err)
	}
	v, err := r.Verify(t.Context(), nil)
	if err != nil || v.Events != 3000 || v.Last != 3000*distance || v.Plans != 3 {
		t.Errorf("verified %+v, %v", v, err)
	}
	if _, err := r.Append(t.Context(), eventstore.StreamID{Category: "role", Plan: "plan-1", ID: "x"}, -1, eventstore.Event{ID: uuid.New(), Type: "A"}); err == nil {
		t.Error("a copy took an append")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	// After a restart it goes on where it was.
	grow(t, a, 5, 50, 40)
	r = copyOf(t, a, path)
	if r.Through() != 3000*distance {
		t.Errorf("the copy begins again after %s", r.Through())
	}
	run(t, a, r)
	if got, want := all(t, r, eventstore.Filter{}), all(t, a, eventstore.Filter{}); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart the copy gives %d events, the source %d", len(got), len(want))
	}
}

// TestAUD4Compare shows that a difference between a log and its copy is found.
func TestAUD4Compare(t *testing.T) {
	a := source(t)
	r := copyOf(t, a, filepath.Join(t.TempDir(), "copy.db"))
	run(t, a, r)
	for name, change := range map[string]func(*eventstore.Recorded){
		"data":     func(e *eventstore.Recorded) { e.Data = []byte("x") },
		"id":       func(e *eventstore.Recorded) { e.ID = uuid.New() },
		"type":     func(e *eventstore.Recorded) { e.Type = "X" },
		"revision": func(e *eventstore.Recorded) { e.Revision++ },
		"position": func(e *eventstore.Recorded) { e.Position++ },
		"metadata": func(e *eventstore.Recorded) { e.Metadata = []byte("[]") },
	} {
		a.change = func(e *eventstore.Recorded) {
			if e.Position == 1234*distance {
				change(e)
			}
		}
		var damage *sqlite.DamageError
		if n, err := Compare(t.Context(), a, r, nil); !errors.As(err, &damage) || n != 1233 {
			t.Errorf("%s changed: after %d events %v", name, n, err)
		}
	}
}

func TestReplicaOfAnotherLog(t *testing.T) {
	a, b := source(t), source(t)
	path := filepath.Join(t.TempDir(), "copy.db")
	r := copyOf(t, a, path)
	run(t, a, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	refused := func(info eventstore.Info, path, why string) {
		t.Helper()
		r, err := sqlite.OpenReplica(t.Context(), path, info)
		if err == nil {
			_ = r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
	other, err := b.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refused(other, path, "copy of another log")
	info, err := a.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shorter := info
	shorter.Head -= distance
	refused(shorter, path, "it has lost events")
	if s, err := sqlite.Open(t.Context(), path); err == nil {
		_ = s.Close()
		t.Error("a copy was opened as a log of its own")
	}
	own, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "own.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Append(t.Context(), eventstore.StreamID{Category: "role", Plan: "plan-1", ID: "x"}, -1, eventstore.Event{ID: uuid.New(), Type: "A"}); err != nil {
		t.Fatal(err)
	}
	head, err := own.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Count != 1 {
		t.Errorf("head %+v", head)
	}

	// A new epoch of the same log begins a new copy; the old one is kept.
	a.epoch++
	r = copyOf(t, a, path)
	if r.Through() != 0 {
		t.Errorf("the copy of a new epoch begins after %s", r.Through())
	}
	run(t, a, r)
	if n, err := Compare(t.Context(), a, r, nil); err != nil || n != 3000 {
		t.Errorf("compared %d events, %v", n, err)
	}
	if aside, err := filepath.Glob(path + ".replaced-*"); err != nil || len(aside) == 0 {
		t.Errorf("kept %v, %v", aside, err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReplicaRefusesHoles shows that a copy never has a stream from which an event is missing.
func TestReplicaRefusesHoles(t *testing.T) {
	a := source(t)
	a.change = func(e *eventstore.Recorded) {
		if e.Position > 2000*distance && e.Stream.ID == "7" {
			e.Revision++
		}
	}
	r := copyOf(t, a, filepath.Join(t.TempDir(), "copy.db"))
	err := Run(t.Context(), a, r, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "events of that stream were removed there") {
		t.Errorf("got %v", err)
	}
	if _, err := r.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := r.Copy(t.Context(), eventstore.Page{After: 1 << 40, Through: 1 << 41}); err == nil {
		t.Error("a page that leaves a hole was taken")
	}
}
