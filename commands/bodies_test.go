package commands_test

import (
	"slices"
	"testing"

	"rolewise/commands"
	"rolewise/eventstore"
)

// The tables of the other tests rest on it: a command without a body there would go untested.
func TestFixtureHasEveryCommand(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	bodies := f.bodies()
	all := commands.All()
	if len(bodies) != len(all) {
		t.Fatalf("%d bodies for %d commands", len(bodies), len(all))
	}
	for i, c := range bodies {
		equal(t, "command", c.About(), all[i].About())
		before := r.head()
		answer := r.do(f.plan, c)
		// Kept answers, titles given back and former addresses come after all else.
		events := slices.DeleteFunc(r.events(before), func(e eventstore.Recorded) bool {
			return e.Stream.Category == "title" || e.Stream.Category == "command" || e.Type == "Released"
		})
		if len(events) == 0 {
			t.Fatalf("%s appended nothing", c.About().Name)
		}
		last := events[len(events)-1].Position
		if len(answer.Events) == 0 || answer.Stream == "" || answer.Revision < 0 || answer.Position != last.String() {
			t.Errorf("API-1 %s: answer %+v, its last event is at %d", c.About().Name, answer, last)
		}
	}
}
