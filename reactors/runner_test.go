package reactors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/reactors"
)

func TestMain(m *testing.M) {
	reactors.Pauses(20*time.Millisecond, time.Second) // many failures in a row are tried in a moment
	goleak.VerifyTestMain(m)
}

func newStore(t testing.TB) eventstore.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

var quiet = slog.New(slog.DiscardHandler)

// start runs a reactor until the test ends or stop is called.
func start(t testing.TB, store eventstore.Store, r reactors.Reactor, alone bool) (runner *reactors.Runner, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	runner = reactors.New(store, r, reactors.Options{Alone: alone, Log: quiet})
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the reactor ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return runner, stop
}

func stream(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: "thing", Plan: "acme", ID: id}
}

// add appends an event of a type to a thing.
func add(t testing.TB, store eventstore.Store, id string, revision eventstore.Revision, kind string) eventstore.Position {
	t.Helper()
	at, err := store.Append(t.Context(), stream(id), revision, eventstore.Event{
		ID: uuid.New(), Type: kind, Data: []byte("{}"), Metadata: eventstore.Metadata{Plan: "acme", Schema: 1}.Encode(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// count tells how many events of a type the log has.
func count(t testing.TB, store eventstore.Store, kind string) int {
	t.Helper()
	n := 0
	for page, err := range store.Follow(t.Context(), 0, eventstore.Filter{Types: []string{kind}}) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.Events)
		if page.Live {
			break
		}
	}
	return n
}

// things is a reactor to events of the tests; act is told the id of the stream.
func things(act func(ctx context.Context, id string) error) reactors.Reactor {
	return reactors.Reactor{
		Name: "things", Stream: "thing-", Causes: []string{"Asked"}, Resumed: []string{"Begun"}, Due: []string{"Answered"},
		Act: func(ctx context.Context, c reactors.Cause) error { return act(ctx, c.Stream.ID) },
	}
}

// receive waits for what a reactor tells.
func receive(t testing.TB, told <-chan string) string {
	t.Helper()
	select {
	case id := <-told:
		return id
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		return ""
	}
}

// await asks again until something is so; nothing depends on how long it takes.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

func TestOneEffect(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	add(t, store, "a", eventstore.NoStream, "Asked")
	add(t, store, "other", eventstore.NoStream, "Told")
	told := make(chan string, 10)
	runner, _ := start(t, store, things(func(_ context.Context, id string) error { told <- id; return nil }), false)
	t.Run("OPS-6 an effect for a cause of the past, and one to come", func(t *testing.T) {
		if id := receive(t, told); id != "a" {
			t.Errorf("told of %s", id)
		}
		add(t, store, "b", eventstore.NoStream, "Asked")
		if id := receive(t, told); id != "b" {
			t.Errorf("told of %s", id)
		}
	})
	t.Run("OPS-6 nothing is left open", func(t *testing.T) {
		last := add(t, store, "end", eventstore.NoStream, "Told")
		await(t, "the end of the log", func() bool { return runner.Status().Position >= last })
		await(t, "nothing open", func() bool { return runner.Status().Open == 0 })
		if len(told) > 0 {
			t.Errorf("told again of %s", <-told)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	for _, id := range []string{"bad", "good", "worse"} {
		add(t, store, id, eventstore.NoStream, "Asked")
	}
	told := make(chan string, 100)
	act := func(_ context.Context, id string) error {
		told <- id
		if id != "good" {
			return fmt.Errorf("act: %w", &reactors.RefusedError{Reason: "cannot be read", Err: errors.New("in detail")})
		}
		return nil
	}
	one, stopOne := start(t, store, things(act), true)
	two, stopTwo := start(t, store, things(act), true)
	t.Run("OPS-5 what can never be done is recorded once, by whomever, and visible; others flow on", func(t *testing.T) {
		for _, r := range []*reactors.Runner{one, two} {
			await(t, "all settled", func() bool { s := r.Status(); return s.Position > 0 && s.Open == 0 && s.Refused == 2 && s.Fault == nil })
		}
		if n := count(t, store, "ReactionRefused"); n != 2 {
			t.Errorf("recorded %d times, want 2", n)
		}
	})
	stopOne()
	stopTwo()
	for len(told) > 0 {
		<-told
	}
	t.Run("OPS-5 it is not tried again by the next process", func(t *testing.T) {
		runner, _ := start(t, store, things(act), true)
		if id := receive(t, told); id != "good" { // the notes tell of no position yet
			t.Errorf("told of %s", id)
		}
		await(t, "all settled", func() bool { s := runner.Status(); return s.Open == 0 && s.Refused == 2 })
		if len(told) > 0 {
			t.Errorf("tried %s again", <-told)
		}
	})
}

func TestTransient(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	for _, id := range []string{"late", "panics", "good"} {
		add(t, store, id, eventstore.NoStream, "Asked")
	}
	told := make(chan string, 100)
	var mu sync.Mutex
	tries := map[string]int{}
	gate := make(chan struct{})
	runner, _ := start(t, store, things(func(_ context.Context, id string) error {
		mu.Lock()
		tries[id]++
		n := tries[id]
		mu.Unlock()
		switch {
		case id == "good" || n == 3:
			told <- id
			return nil
		case n == 2:
			<-gate
		}
		if id == "panics" {
			panic("as the test wants it")
		}
		return errors.New("as the test wants it")
	}), true)
	t.Run("OPS-5 trouble with one does not hold up another, and is seen", func(t *testing.T) {
		if id := receive(t, told); id != "good" {
			t.Errorf("told of %s", id)
		}
		await(t, "a fault", func() bool { return runner.Status().Fault != nil })
	})
	t.Run("OPS-5 it is tried again until it is done", func(t *testing.T) {
		close(gate)
		if ids := map[string]bool{receive(t, told): true, receive(t, told): true}; !ids["late"] || !ids["panics"] {
			t.Errorf("told of %v", ids)
		}
		await(t, "all settled", func() bool { s := runner.Status(); return s.Open == 0 && s.Fault == nil && s.Refused == 0 })
	})
}

func TestPatience(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	add(t, store, "left", eventstore.NoStream, "Asked")
	told := make(chan string, 100)
	patient := things(func(_ context.Context, id string) error { told <- id; return nil })
	patient.Patience = time.Hour
	t.Run("OPS-6 a cause is left to the process that made it until it says that it is done", func(t *testing.T) {
		runner, stop := start(t, store, patient, false)
		await(t, "seen", func() bool { return runner.Status().Open == 1 })
		add(t, store, "left", 0, "Begun")
		last := add(t, store, "mine", eventstore.NoStream, "Asked")
		await(t, "seen", func() bool { return runner.Status().Position >= last })
		if len(told) > 0 {
			t.Fatalf("acted on %s too early", <-told)
		}
		add(t, store, "mine", 0, "Answered")
		if id := receive(t, told); id != "mine" {
			t.Errorf("told of %s", id)
		}
		stop()
	})
	t.Run("OPS-6 an only process does not wait for one that is gone", func(t *testing.T) {
		runner, _ := start(t, store, patient, true)
		if ids := map[string]bool{receive(t, told): true, receive(t, told): true}; !ids["left"] || !ids["mine"] {
			t.Errorf("told of %v", ids)
		}
		last := add(t, store, "new", eventstore.NoStream, "Asked")
		await(t, "seen", func() bool { return runner.Status().Position >= last })
		if len(told) > 0 {
			t.Errorf("acted on %s, which its own process may be at", <-told)
		}
	})
	t.Run("OPS-6 what another is at is left alone, and seen anew", func(t *testing.T) {
		store := newStore(t)
		add(t, store, "a", eventstore.NoStream, "Asked")
		seen := make(chan eventstore.Revision, 1)
		r := things(nil)
		r.Patience = time.Millisecond
		r.Act = func(_ context.Context, c reactors.Cause) error {
			select {
			case seen <- c.Seen:
			default: // one is enough
			}
			if c.Seen == 0 {
				return reactors.ErrElsewhere
			}
			return nil
		}
		runner, _ := start(t, store, r, false)
		<-seen
		add(t, store, "a", 0, "Begun")
		await(t, "settled", func() bool { s := runner.Status(); return s.Open == 0 && s.Fault == nil })
	})
}
