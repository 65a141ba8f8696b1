// Package reservation decides about values that only one owner may hold, such as an e-mail address in a plan. The
// stream is named by a keyed hash of the value, so that the name tells nothing: email-<plan>.<hash>.
package reservation

import "rolewise/domain"

// EmailCategory is the first part of the name of a stream that reserves an e-mail address.
const EmailCategory = "email"

// Events of a value.
type (
	Event interface{ reservation() }

	Reserved struct {
		Owner domain.MemberID `json:"owner"`
	}
	Released struct {
		Owner domain.MemberID `json:"owner"`
	}
)

func (Reserved) reservation() {}
func (Released) reservation() {}

// Events lists the event types of a value.
var Events = domain.NewCatalog(
	domain.Type[Reserved]("Reserved"),
	domain.Type[Released]("Released"),
)

// Commands to a value. Free is a fact: the present owner turned out never to have come to be.
type (
	Command interface{ command() }

	Reserve struct {
		Owner domain.MemberID
		Free  bool
	}
	Release struct{ Owner domain.MemberID }
)

func (Reserve) command() {}
func (Release) command() {}

// State is who holds the value; empty: nobody.
type State struct{ Owner domain.MemberID }

// Decider holds the rules of reservations (DESIGN rule 14).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide: func(s State, c Command) ([]Event, error) {
		switch c := c.(type) {
		case Reserve:
			switch {
			case s.Owner == c.Owner:
				return nil, nil
			case s.Owner != "" && !c.Free:
				return nil, domain.Conflictf("email_taken", "another member has this e-mail address").At("/email")
			}
			return []Event{Reserved{Owner: c.Owner}}, nil
		case Release:
			if s.Owner != c.Owner {
				return nil, nil
			}
			return []Event{Released(c)}, nil
		}
		return nil, nil
	},
	Evolve: func(s State, e Event) State {
		switch e := e.(type) {
		case Reserved:
			s.Owner = e.Owner
		case Released:
			s.Owner = ""
		}
		return s
	},
}
