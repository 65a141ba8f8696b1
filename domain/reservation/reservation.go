// Package reservation decides about values that only one owner may hold, such as an e-mail address in a plan. The
// stream is named by a keyed hash of the value, so that the name tells nothing: email-<plan>.<hash>.
package reservation

import "rolewise/domain"

// EmailCategory is the first part of the name of a stream that reserves an e-mail address.
const EmailCategory = "email"

// Events of a value.
type (
	Event interface{ reservation() }

	// Reserved makes the value the owner's. Events is how many events the owner's stream had at that time: the one with
	// which the owner takes the value into use comes right after them, or never.
	Reserved struct {
		Owner  domain.MemberID `json:"owner"`
		Events int             `json:"events,omitempty"`
	}
	Released struct {
		Owner domain.MemberID `json:"owner"`
	}
)

func (Reserved) reservation() {}
func (Released) reservation() {}

// Events lists the event types of a value.
var Events = domain.NewCatalog(
	domain.Type[Reserved]("Reserved", withEvents),
	domain.Type[Released]("Released"),
)

// withEvents leads from schema 1 to 2: at first only invitations reserved, before their member had any events.
func withEvents(data map[string]any) map[string]any {
	data["events"] = 0
	return data
}

// Commands to a value. Free is a fact: the present owner turned out not to use it, now or ever. A release is for an
// owner who used the value no more when their stream had as many events: it is void if they reserved it again since.
type (
	Command interface{ command() }

	Reserve struct {
		Owner  domain.MemberID
		Events int
		Free   bool
	}
	Release struct {
		Owner  domain.MemberID
		Events int
	}
)

func (Reserve) command() {}
func (Release) command() {}

// State is who holds the value, empty for nobody, and how many events their stream had when they reserved it.
type State struct {
	Owner  domain.MemberID
	Events int
}

// Decider holds the rules of reservations (DESIGN rule 14).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide: func(s State, c Command) ([]Event, error) {
		switch c := c.(type) {
		case Reserve:
			switch {
			case s.Owner == c.Owner && s.Events >= c.Events:
				return nil, nil
			case s.Owner != "" && s.Owner != c.Owner && !c.Free:
				return nil, domain.Conflictf("email_taken", "another member has this e-mail address").At("/email")
			}
			return []Event{Reserved{Owner: c.Owner, Events: c.Events}}, nil
		case Release:
			if s.Owner != c.Owner || s.Events >= c.Events {
				return nil, nil
			}
			return []Event{Released{Owner: c.Owner}}, nil
		}
		return nil, nil
	},
	Evolve: func(s State, e Event) State {
		switch e := e.(type) {
		case Reserved:
			s = State(e)
		case Released:
			s = State{}
		}
		return s
	},
}
