// Package domain holds what all aggregates share: the shape of a decider, the catalog of event types, errors, ids.
//
// Everything below domain is pure: standard library only, no clock, no ids made, no I/O. Facts that a rule needs from
// outside its own stream arrive inside the command.
package domain

// Decider is an aggregate: three functions over its state S, its commands C and its events E.
type Decider[S, C, E any] struct {
	// Initial returns the state before the first event.
	Initial func() S
	// Decide returns what happens if the command is accepted, nothing if it changes nothing, or an *Error.
	Decide func(S, C) ([]E, error)
	// Evolve applies an event. It is total: a fact cannot be refused.
	Evolve func(S, E) S
}

// Fold returns the state after events.
func (d Decider[S, C, E]) Fold(events ...E) S {
	state := d.Initial()
	for _, event := range events {
		state = d.Evolve(state, event)
	}
	return state
}
