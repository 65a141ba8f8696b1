// Package reactor keeps how far each reactor has come, and which effects it could not bring about.
// Stream: reactor-catalog.<reactor>, since a reactor works for all plans.
package reactor

import (
	"maps"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "reactor"

type (
	// Name names a reactor.
	Name string
	// Position is a place in the log, as the event store counts.
	Position uint64
	// Stream is the name of an event stream.
	Stream string
)

// Events of a reactor.
type (
	Event interface{ reactor() }

	// ReactorAdvanced says that whatever the events up to a position called for was done.
	ReactorAdvanced struct {
		Reactor  Name     `json:"reactor"`
		Position Position `json:"position"`
	}
	// ReactionRefused says that what an event called for can never be done.
	ReactionRefused struct {
		Reactor  Name     `json:"reactor"`
		Position Position `json:"position"` // of the event
		Stream   Stream   `json:"stream"`
		Reason   string   `json:"reason" personal:"-"` // what a program could not read, never what it read
	}
)

func (ReactorAdvanced) reactor() {}
func (ReactionRefused) reactor() {}

// Events lists the event types of a reactor.
var Events = domain.NewCatalog(
	domain.Type[ReactorAdvanced]("ReactorAdvanced"),
	domain.Type[ReactionRefused]("ReactionRefused"),
)

// State is how far a reactor has come.
type State struct {
	Position Position
	Refused  map[Position]string // by event: why what it called for can never be done
}

// Evolve applies an event. There is nothing to decide: the reactor writes these events itself.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case ReactorAdvanced:
		s.Position = max(s.Position, e.Position)
	case ReactionRefused:
		refused := maps.Clone(s.Refused) // the state before may be in use
		if refused == nil {
			refused = map[Position]string{}
		}
		refused[e.Position] = e.Reason
		s.Refused = refused
	}
	return s
}
