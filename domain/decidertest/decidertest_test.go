package decidertest_test

import (
	"fmt"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
)

// A counter that goes up by steps of at most 3, and never beyond 5.
type (
	step    struct{ By int }
	stepped struct {
		By   int
		Note string
	}
	counter struct{ Seen []int }
)

var decider = domain.Decider[counter, step, stepped]{
	Initial: func() counter { return counter{} },
	Decide: func(s counter, c step) ([]stepped, error) {
		switch {
		case c.By == 8:
			return nil, &domain.Error{Kind: domain.Invalid, Code: "silent", Field: "/by"}
		case c.By == 9:
			return []stepped{{By: c.By}}, domain.Invalidf("/by", "torn", "both refused and accepted")
		case c.By > 3:
			return nil, domain.Invalidf("/by", "out_of_range", "must be at most 3")
		case c.By < 0:
			return nil, fmt.Errorf("no domain error")
		case c.By == 0:
			return nil, nil
		case c.By == 2 && len(s.Seen) > 0: // what a decider must never do
			s.Seen[0] = 99
		}
		return []stepped{{By: c.By}}, nil
	},
	Evolve: func(s counter, e stepped) counter {
		return counter{Seen: append(s.Seen[:len(s.Seen):len(s.Seen)], e.By)}
	},
}

// recorder keeps the failures that a scenario reports.
type recorder struct{ failures []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestScenarioReports(t *testing.T) {
	type outcome = decidertest.Outcome[stepped]
	tests := []struct {
		name   string
		by     int
		demand func(outcome)
		want   []string // parts of the failure; none: it must pass
	}{
		{"events as wanted", 1, func(o outcome) { o.Then(stepped{By: 1}) }, nil},
		{"another value", 1, func(o outcome) { o.Then(stepped{By: 3, Note: "x"}) },
			[]string{"stepped.By: 3", "stepped.By: 1", `stepped.Note: "x"`, `stepped.Note: ""`, "given:", "{By:3 Note:}", "when:", "step{By:1}"}},
		{"an event too few", 1, func(o outcome) { o.Then(stepped{By: 1}, stepped{By: 2}) }, []string{"  - decidertest_test.stepped{By:2"}},
		{"no event wanted", 1, func(o outcome) { o.ThenNothing() }, []string{"want no events"}},
		{"Then without events", 1, func(o outcome) { o.Then() }, []string{"use ThenNothing"}},
		{"events but refused", 4, func(o outcome) { o.Then(stepped{By: 4}) }, []string{"refused: out_of_range at /by"}},
		{"nothing as wanted", 0, func(o outcome) { o.ThenNothing() }, nil},
		{"nothing, where events are wanted", 0, func(o outcome) { o.Then(stepped{By: 1}) }, []string{"  - decidertest_test.stepped{By:1"}},
		{"nothing, where a refusal is wanted", 0, func(o outcome) { o.ThenRefused("out_of_range", "/by") }, []string{"want a refusal"}},
		{"refused as wanted", 4, func(o outcome) { o.ThenRefused("out_of_range", "/by") }, nil},
		{"refused with another code", 4, func(o outcome) { o.ThenRefused("too_many", "/by") }, []string{`want "too_many" at "/by"`}},
		{"refused at another field", 4, func(o outcome) { o.ThenRefused("out_of_range", "/to") }, []string{`want "out_of_range" at "/to"`}},
		{"refused where nothing is wanted", 4, func(o outcome) { o.ThenNothing() }, []string{"want it accepted"}},
		{"an error that is no refusal", -1, func(o outcome) { o.ThenRefused("out_of_range", "/by") }, []string{"no domain error"}},
		{"a refusal without a message", 8, func(o outcome) { o.ThenRefused("silent", "/by") }, []string{"has no message"}},
		{"a refusal with events", 9, func(o outcome) { o.ThenRefused("torn", "/by") }, []string{"and yet there are events", "stepped{By:9"}},
		{"deciding changes the state", 2, func(o outcome) { o.Then(stepped{By: 2}) }, []string{"deciding changed the state", "[]int{99}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			tt.demand(decidertest.Of(r, decider).Given(stepped{By: 3}).When(step{By: tt.by}))
			if len(tt.want) == 0 {
				if len(r.failures) != 0 {
					t.Fatalf("failed: %s", r.failures)
				}
				return
			}
			if len(r.failures) != 1 {
				t.Fatalf("%d failures, want 1: %s", len(r.failures), r.failures)
			}
			for _, part := range tt.want {
				if !strings.Contains(r.failures[0], part) {
					t.Errorf("report lacks %q:\n%s", part, r.failures[0])
				}
			}
		})
	}
}

func TestGivenLeavesItsScenario(t *testing.T) {
	r := &recorder{}
	base := decidertest.Of(r, decider).Given(stepped{By: 1}, stepped{By: 1}, stepped{By: 1})
	one := base.Given(stepped{By: 2})
	base.Given(stepped{By: 3})
	one.When(step{By: 1}).ThenNothing() // fails, and prints what was given
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "{By:2 Note:}") || strings.Contains(r.failures[0], "{By:3 Note:}") {
		t.Errorf("the scenario has the events of another: %s", r.failures)
	}
}

func TestCheck(t *testing.T) {
	type check = decidertest.Case[step, stepped]
	one := []stepped{{By: 1}}
	tests := []struct {
		name  string
		c     check
		fails int
	}{
		{"the events of the table", check{When: step{By: 1}, Then: one}, 0},
		{"other events", check{When: step{By: 3}, Then: one}, 1},
		{"events where the table has none", check{When: step{By: 1}}, 1},
		{"nothing, as the table has it", check{When: step{By: 0}}, 0},
		{"nothing, where the table has events", check{When: step{By: 0}, Then: one}, 1},
		{"the refusal of the table", check{When: step{By: 4}, Refused: decidertest.Invalid("out_of_range", "/by")}, 0},
		{"a refusal of another kind", check{When: step{By: 4}, Refused: decidertest.Conflict("out_of_range", "/by")}, 1},
		{"a refusal of another kind still", check{When: step{By: 4}, Refused: decidertest.Missing("out_of_range", "/by")}, 1},
		{"a refusal where the table has none", check{When: step{By: 4}}, 1},
		{"nothing, where the table has a refusal", check{When: step{By: 0}, Refused: decidertest.Invalid("out_of_range", "/by")}, 2},
		{"deciding on what was given", check{Given: []stepped{{By: 3}}, When: step{By: 2}, Then: []stepped{{By: 2}}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			decidertest.Check(r, decider, tt.c)
			if len(r.failures) != tt.fails {
				t.Errorf("%d failures, want %d: %s", len(r.failures), tt.fails, r.failures)
			}
		})
	}
	t.Run("every case runs", func(t *testing.T) {
		decided := 0
		counting := decider
		counting.Decide = func(s counter, c step) ([]stepped, error) {
			decided++
			return decider.Decide(s, c)
		}
		decidertest.Run(t, counting, []check{{Name: "one", When: step{By: 1}, Then: one}, {Name: "two", When: step{By: 0}}})
		if decided != 2 {
			t.Errorf("%d cases ran, want 2", decided)
		}
	})
}
