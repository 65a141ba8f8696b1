package decidertest

import (
	"testing"

	"rolewise/domain"
)

// Case is one line of a table. Without Then and Refused, the command is to change nothing.
type Case[C, E any] struct {
	Name    string
	Given   []E
	When    C
	Then    []E
	Refused Refusal
}

// Refusal is what a refused command is answered with.
type Refusal struct {
	Kind  domain.Kind
	Code  string
	Field string
}

// Invalid is a refusal of a field's value.
func Invalid(code, field string) Refusal { return Refusal{domain.Invalid, code, field} }

// Missing is a refusal of a reference to what is not there.
func Missing(code, field string) Refusal { return Refusal{domain.NotFound, code, field} }

// Conflict is a refusal of what does not fit the state.
func Conflict(code, field string) Refusal { return Refusal{domain.Conflict, code, field} }

// Run runs each case of a table as a subtest.
func Run[S, C, E any](t *testing.T, decider domain.Decider[S, C, E], cases []Case[C, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			Check(t, decider, c)
		})
	}
}

// Check demands what one case says.
func Check[S, C, E any](report Reporter, decider domain.Decider[S, C, E], c Case[C, E]) {
	report.Helper()
	outcome := Of(report, decider).Given(c.Given...).When(c.When)
	switch {
	case c.Refused != Refusal{}:
		if kind := outcome.ThenRefused(c.Refused.Code, c.Refused.Field); kind != c.Refused.Kind {
			report.Errorf("refused with kind %d, want %d", kind, c.Refused.Kind)
		}
	case len(c.Then) > 0:
		outcome.Then(c.Then...)
	default:
		outcome.ThenNothing()
	}
}
