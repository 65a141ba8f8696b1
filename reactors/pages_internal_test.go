package reactors

import (
	"log/slog"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// TestPages gives a reactor the same log cut into any pages, of which any may come again.
func TestPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var log []eventstore.Recorded
		want := map[eventstore.Position]eventstore.Revision{} // what is open, with what was seen of its stream
		streams := map[string]eventstore.Revision{}
		for i := range rapid.IntRange(1, 30).Draw(rt, "events") {
			id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream")
			kind := rapid.SampledFrom([]string{"Asked", "Begun", "Answered"}).Draw(rt, "type")
			at := eventstore.Position(3*i + 1)
			e := eventstore.Recorded{Stream: eventstore.StreamID{Category: "thing", Plan: "acme", ID: id}, Position: at, Revision: streams[id]}
			e.Type = kind
			streams[id]++
			log = append(log, e)
			if kind == "Asked" {
				want[at] = 0
			}
			for _, before := range log {
				if before.Stream == e.Stream && before.Type == "Asked" {
					want[before.Position] = e.Revision
				}
			}
		}
		r := New(nil, Reactor{Name: "things", Causes: []string{"Asked"}, Resumed: []string{"Begun"}, Due: []string{"Answered"}}, Options{Log: slog.Default()})
		var pages []eventstore.Page
		for from := 0; from < len(log); {
			to := rapid.IntRange(from+1, len(log)).Draw(rt, "end of page")
			pages = append(pages, eventstore.Page{Events: log[from:to], Through: log[to-1].Position})
			r.take(pages[len(pages)-1])
			if again := rapid.IntRange(0, len(pages)).Draw(rt, "comes again"); again < len(pages) {
				r.take(pages[again])
			}
			from = to
		}
		if len(r.open) != len(want) || r.through != log[len(log)-1].Position {
			rt.Fatalf("OPS-6 %d open through %d, want %d", len(r.open), r.through, len(want))
		}
		for at, seen := range want {
			if o := r.open[at]; o == nil || o.Seen != seen {
				rt.Fatalf("OPS-6 at %d: %+v, want revision %d", at, o, seen)
			}
		}
	})
}

// TestNotes tells how far a reactor has come.
func TestNotes(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	asked := func(at eventstore.Position) eventstore.Recorded {
		return eventstore.Recorded{Event: eventstore.Event{Type: "Asked"}, Stream: eventstore.StreamID{Category: "thing", Plan: "acme", ID: at.String()}, Position: at}
	}
	newRunner := func(from eventstore.Position) *Runner {
		r := New(store, Reactor{Name: "things", Causes: []string{"Asked"}}, Options{Log: slog.Default()})
		if err := r.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.through != from {
			t.Errorf("OPS-6 begins after %d, want %d", r.through, from)
		}
		return r
	}
	step := func(r *Runner, noted eventstore.Position) {
		t.Helper()
		if err := r.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at := eventstore.Position(r.notes.state.Position); at != noted {
			t.Errorf("OPS-6 noted %d, want %d", at, noted)
		}
	}
	one, two := newRunner(0), newRunner(0)
	one.take(eventstore.Page{Through: settleEvery - 1})
	step(one, 0) // not yet
	one.take(eventstore.Page{Events: []eventstore.Recorded{asked(settleEvery + 5)}, Through: 3 * settleEvery})
	step(one, settleEvery+4) // before what is open
	two.take(eventstore.Page{Through: settleEvery + 1})
	step(two, settleEvery+4) // another process has come further
	three := newRunner(settleEvery + 4)
	three.take(eventstore.Page{Through: 4 * settleEvery})
	step(three, 4*settleEvery)
	step(one, settleEvery+4)
	newRunner(4 * settleEvery)
	far := newRunner(4 * settleEvery)
	far.take(eventstore.Page{Through: 1000 * settleEvery})
	step(far, 1000*settleEvery)
	far.take(eventstore.Page{Through: 1003 * settleEvery})
	step(far, 1000*settleEvery) // a long log is noted at long distances
	far.take(eventstore.Page{Through: 1004 * settleEvery})
	step(far, 1004*settleEvery)
}
