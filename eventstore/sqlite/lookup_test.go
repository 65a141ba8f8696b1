package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"rolewise/eventstore"
)

// TestLateLook hands the writer what was read of a stream before the stream was written, as a slow caller does.
func TestLateLook(t *testing.T) {
	for name, forget := range map[string]func(*Store){
		"remembered": func(*Store) {},
		"forgotten":  func(s *Store) { s.heads.clear() },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "events.db"))
			r := &request{stream: role("one"), expected: eventstore.NoStream, events: []eventstore.Event{event("late")}, done: make(chan result, 1)}
			if r.found = s.look(t.Context(), r.stream); r.found == nil || r.found.head.number != 0 {
				t.Fatalf("found %+v", r.found)
			}
			must(t, s, r.stream, eventstore.NoStream, event("first"))
			forget(s)
			if err := s.hand(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			var conflict *eventstore.ConflictError
			if outcome := <-r.done; !errors.As(outcome.err, &conflict) || conflict.Have != 0 {
				t.Errorf("position %s, %v; want a conflict with revision 0", outcome.position, outcome.err)
			}
		})
	}
}

// TestLookFinds reads a stream that the writer has forgotten, out of the index and out of what is not indexed yet.
func TestLookFinds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"), indexAfter(2))
	must(t, s, role("one"), eventstore.NoStream, event("0"), event("1"))
	for next := range 10 {
		s.heads.clear()
		if f := s.look(t.Context(), role("one")); f == nil || f.head != (streamHead{1, eventstore.Revision(next + 1)}) {
			t.Fatalf("found %+v", f)
		}
		must(t, s, role("one"), eventstore.Revision(next+1), event("more"))
	}
	if f := s.look(t.Context(), role("one")); f != nil {
		t.Errorf("looked for what the writer knows: %+v", f)
	}
}
