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
		if len(answer.Events) == 0 || answer.Stream == "" || answer.Revision < 0 || answer.Position != r.head().String() {
			t.Errorf("API-1 %s: answer %+v, head %d", c.About().Name, answer, r.head())
		}
		if len(r.types(before)) == 0 {
			t.Errorf("%s appended nothing", c.About().Name)
		}
	}
}
