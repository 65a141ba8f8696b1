package commands_test

import (
	"testing"

	"rolewise/commands"
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
		last := r.head()
		for _, e := range r.events(before) {
			if e.Stream.Category != "command" && e.Type != "Released" { // kept answers and former addresses come after all else
				last = e.Position
			}
		}
		if len(answer.Events) == 0 || answer.Stream == "" || answer.Revision < 0 || answer.Position != last.String() {
			t.Errorf("API-1 %s: answer %+v, last event %d", c.About().Name, answer, last)
		}
		if len(r.types(before)) == 0 {
			t.Errorf("%s appended nothing", c.About().Name)
		}
	}
}
