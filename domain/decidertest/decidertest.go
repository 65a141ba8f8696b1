// Package decidertest states the rules of an aggregate as given/when/then: given what happened, when a command comes,
// then these events follow, or a refusal, or nothing.
//
//	decidertest.Of(t, team.Decider).
//		Given(team.TeamCreated{Team: sales, Name: "Sales"}).
//		When(team.Create{Team: other, Name: "sales"}).
//		ThenRefused("team_name_taken", "/name")
//
// Beside what it is asked, every When checks that deciding left the state as it was.
package decidertest

import (
	"errors"
	"reflect"

	"rolewise/domain"
)

// Reporter is what a scenario needs of a *testing.T.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// Scenario is a decider and what happened before the command.
type Scenario[S, C, E any] struct {
	report  Reporter
	decider domain.Decider[S, C, E]
	given   []E
}

// Of starts a scenario in which nothing has happened.
func Of[S, C, E any](report Reporter, decider domain.Decider[S, C, E]) Scenario[S, C, E] {
	return Scenario[S, C, E]{report: report, decider: decider}
}

// Given adds to what happened before. The scenario it is called on stays as it is.
func (s Scenario[S, C, E]) Given(events ...E) Scenario[S, C, E] {
	s.given = append(s.given[:len(s.given):len(s.given)], events...)
	return s
}

// Outcome is the answer of a decider to one command.
type Outcome[E any] struct {
	report  Reporter
	given   []E
	command any
	events  []E
	err     error
}

// When decides a command on what was given.
func (s Scenario[S, C, E]) When(command C) Outcome[E] {
	s.report.Helper()
	state := s.decider.Fold(s.given...)
	events, err := s.decider.Decide(state, command)
	o := Outcome[E]{report: s.report, given: s.given, command: command, events: events, err: err}
	if before := s.decider.Fold(s.given...); !reflect.DeepEqual(state, before) {
		o.fail("deciding changed the state it was given:\n%s", difference(before, state))
	}
	return o
}

// Then demands exactly these events, in this order.
func (o Outcome[E]) Then(want ...E) {
	o.report.Helper()
	switch {
	case len(want) == 0:
		o.fail("Then needs an event; use ThenNothing")
	case o.err != nil:
		o.fail("refused: %v\nwant:\n%s", o.err, list(want))
	case !reflect.DeepEqual(o.events, want):
		o.fail("%s", eventsDifference(want, o.events))
	}
}

// ThenNothing demands that the command is accepted and changes nothing.
func (o Outcome[E]) ThenNothing() {
	o.report.Helper()
	switch {
	case o.err != nil:
		o.fail("refused: %v\nwant it accepted, without events", o.err)
	case len(o.events) != 0:
		o.fail("want no events, got:\n%s", list(o.events))
	}
}

// ThenRefused demands a refusal with this code and, as JSON pointer, this field. It returns the refusal's kind, 0 if
// there was none.
func (o Outcome[E]) ThenRefused(code, field string) domain.Kind {
	o.report.Helper()
	var refusal *domain.Error
	if !errors.As(o.err, &refusal) {
		o.fail("want a refusal %q at %q, got error %v and events:\n%s", code, field, o.err, list(o.events))
		return 0
	}
	if refusal.Code != code || refusal.Field != field {
		o.fail("refused with %q at %q, want %q at %q", refusal.Code, refusal.Field, code, field)
	}
	if refusal.Message == "" {
		o.fail("the refusal %q has no message", refusal.Code)
	}
	if len(o.events) != 0 {
		o.fail("refused, and yet there are events:\n%s", list(o.events))
	}
	return refusal.Kind
}

func (o Outcome[E]) fail(format string, args ...any) {
	o.report.Helper()
	o.report.Errorf("given:\n%swhen:\n%s"+format, append([]any{list(o.given), list([]any{o.command})}, args...)...)
}
