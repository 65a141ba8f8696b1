package durability

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// story is one history: clients at work, and faults that come to the store after some of their operations.
type story struct {
	plan       string
	store      streams
	clients    int
	operations int
	faults     []int // after how many operations
	fault      func() error
}

// tell lets the clients work and the faults come, and returns the history.
func (s story) tell(ctx context.Context, seed uint64) (*record, error) {
	history := newRecord(s.operations)
	var names []eventstore.StreamID
	for n := range 4 {
		names = append(names, eventstore.StreamID{Category: "role", Plan: s.plan, ID: fmt.Sprint(n)})
	}
	ended := make(chan error, 1)
	go func() {
		ended <- clients(ctx, s.store, seed, history, s.clients, names)
		close(history.ticks)
	}()
	slices.Sort(s.faults)
	done, due, err := 0, s.faults, error(nil)
	for range history.ticks {
		done++
		for len(due) > 0 && done >= due[0] && err == nil {
			due = due[1:]
			err = s.fault()
		}
	}
	return history, errors.Join(err, <-ended)
}

// illegal complains of a history, and lays a picture of it into a file if that is wished.
func illegal(t *testing.T, history *record, result porcupine.CheckResult, err error) {
	t.Helper()
	where := "set ROLEWISE_KEEP to get a picture of it"
	if os.Getenv("ROLEWISE_KEEP") != "" {
		_, info := porcupine.CheckOperationsVerbose(model, history.operations, patience)
		file, failure := os.CreateTemp("", "rolewise-history-*.html")
		if failure == nil {
			where, failure = file.Name(), errors.Join(porcupine.Visualize(model, info, file), file.Close())
		}
		if failure != nil {
			t.Error(failure)
		}
	}
	t.Errorf("the history is %s, %v: %s", result, err, where)
}

// tally is what a number of histories had in them.
type tally struct{ histories, operations, conflicts, repeats, unknown, faults int }

func (n *tally) add(h *record, faults int) {
	n.histories++
	n.operations += len(h.operations)
	n.conflicts += h.conflicts
	n.repeats += h.repeats
	n.unknown += h.unknown
	n.faults += faults
}

// TestLinearizable makes histories of clients that append to few streams, in each other's way, and read them, with
// latency, while the store is closed and opened or its process is killed. An append without an answer is repeated with
// the same ids until it has one. Every history must be one that a store could have that does one thing after the other.
func TestLinearizable(t *testing.T) {
	random, seed := seeded(t)
	path := filepath.Join(t.TempDir(), storeName)
	if tortured() {
		prefill(t, path)
	}
	var total tally
	for n := range cycles(3, 100) {
		s := story{plan: fmt.Sprintf("history-%d", n), clients: 4 + random.IntN(9), operations: cycles(400, 1000)}
		for range random.IntN(4) + n%2 {
			s.faults = append(s.faults, random.IntN(s.operations))
		}
		var end func()
		if n%2 == 0 {
			r, err := openRevolving(t.Context(), path, "")
			if err != nil {
				t.Fatal(err)
			}
			s.store, s.fault = r, func() error { return r.turn(t.Context()) }
			end = func() {
				sameFollowed(t, r.store, s.plan)
				if err := r.store.Close(); err != nil {
					t.Error(err)
				}
			}
		} else {
			r := &remote{service: service{Path: path}}
			r.start(t)
			s.store, s.fault = r, func() error { r.kill(t); r.start(t); return nil }
			end = func() { r.kill(t) }
		}
		history, err := s.tell(t.Context(), seed+uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		end()
		total.add(history, len(s.faults))
		if result, err := history.verdict(); result != porcupine.Ok {
			illegal(t, history, result, err)
		}
	}
	t.Logf("%+v", total)
	if total.conflicts == 0 || total.repeats == 0 || total.unknown == 0 {
		t.Error("the histories lack what makes them hard")
	}
}

// prefill puts events into a store until the next ones make it begin to sort a run into its indexes.
func prefill(t *testing.T, path string) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 32 {
		stream := eventstore.StreamID{Category: "role", Plan: "before", ID: fmt.Sprint(n)}
		in := call{Stream: stream, At: eventstore.NoStream}
		for i := range 500 {
			in.IDs = append(in.IDs, uuid.NewSHA1(space, fmt.Append(nil, stream, i)))
		}
		if _, err := store.Append(t.Context(), stream, in.At, eventsOf(in)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// sameFollowed demands that the log of a plan has, stream by stream, what reading them yields.
func sameFollowed(t *testing.T, store *sqlite.Store, plan string) {
	t.Helper()
	followed := map[eventstore.StreamID][]uuid.UUID{}
	for page, err := range store.Follow(t.Context(), 0, eventstore.Filter{Plan: plan}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			followed[e.Stream] = append(followed[e.Stream], e.ID)
		}
		if page.Live {
			break
		}
	}
	if len(followed) == 0 {
		t.Errorf("nothing of plan %s is in the log", plan)
	}
	for stream, want := range followed {
		var got []uuid.UUID
		for e, err := range store.Read(t.Context(), stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: read %v, followed %v", stream, got, want)
		}
	}
}

// TestLinearizableIsNoticed makes the same histories with stores that have a fault, each of which must be found.
func TestLinearizableIsNoticed(t *testing.T) {
	for _, bad := range bads {
		t.Run(bad, func(t *testing.T) {
			random, seed := seeded(t)
			const most = 20
			for n := range most {
				r, err := openRevolving(t.Context(), filepath.Join(t.TempDir(), storeName), bad)
				if err != nil {
					t.Fatal(err)
				}
				s := story{plan: "history", store: r, clients: 8, operations: 200,
					faults: []int{random.IntN(200)}, fault: func() error { return r.turn(t.Context()) }}
				history, err := s.tell(t.Context(), seed+uint64(n))
				if err = errors.Join(err, r.store.Close()); err != nil {
					t.Fatal(err)
				}
				if result, err := history.verdict(); result == porcupine.Illegal {
					t.Logf("found in history %d: %v", n+1, err)
					return
				}
			}
			t.Errorf("%d histories were not noticed", most)
		})
	}
	t.Run("a kill takes it back to an earlier one", func(t *testing.T) {
		_, seed := seeded(t)
		path := filepath.Join(t.TempDir(), storeName)
		r := &remote{service: service{Path: path}}
		r.start(t)
		kept := ""
		s := story{plan: "history", store: r, clients: 8, operations: 300, faults: []int{60, 200}, fault: func() error {
			r.kill(t)
			var err error
			if kept == "" {
				kept = t.TempDir()
				err = os.CopyFS(kept, os.DirFS(filepath.Dir(path)))
			} else {
				err = putBack(kept, filepath.Dir(path))
			}
			r.start(t)
			return err
		}}
		history, err := s.tell(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		r.kill(t)
		if result, err := history.verdict(); result != porcupine.Illegal {
			t.Errorf("the history is %s, %v", result, err)
		}
	})
}

// putBack lays the files of one folder over those of another.
func putBack(from, to string) error {
	old, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if strings.HasSuffix(path, ".lock") {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
