// Package reservation decides about values that only one owner in a plan may hold, such as an e-mail address or the
// title of a role. The stream is named by a keyed hash of the value, so that the name tells nothing:
// <category>-<plan>.<hash>.
package reservation

import "rolewise/domain"

// The first part of the name of a stream says what it reserves.
const (
	EmailCategory = "email" // an e-mail address, for a member
	TitleCategory = "title" // the title of a live role, for the role
)

// Owner is the id of what holds a value: a member or a role, by category.
type Owner string

// Events of a value.
type (
	Event interface{ reservation() }

	Reserved struct {
		Owner Owner `json:"owner"`
	}
	Released struct {
		Owner Owner `json:"owner"`
	}
)

func (Reserved) reservation() {}
func (Released) reservation() {}

// Events lists the event types of a value.
var Events = domain.NewCatalog(
	domain.Type[Reserved]("Reserved"),
	domain.Type[Released]("Released"),
)

// Commands to a value. Free is a fact: the present owner turned out not to use it. Again reserves also what the owner
// holds: whoever has found it free meanwhile has to look once more.
type (
	Command interface{ command() }

	Reserve struct {
		Owner Owner
		Free  bool
		Again bool
	}
	Release struct{ Owner Owner }
)

func (Reserve) command() {}
func (Release) command() {}

// State is who holds the value; empty: nobody.
type State struct{ Owner Owner }

// Deciders by what is reserved: they differ in how they refuse (DESIGN rule 14).
var (
	Emails = decider(domain.Conflictf("email_taken", "another member has this e-mail address").At("/email"))
	Titles = decider(domain.Conflictf("title_taken", "another role has this title").At("/title"))
)

func decider(taken *domain.Error) domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide: func(s State, c Command) ([]Event, error) {
			switch c := c.(type) {
			case Reserve:
				switch {
				case s.Owner == c.Owner && !c.Again:
					return nil, nil
				case s.Owner != "" && s.Owner != c.Owner && !c.Free:
					return nil, taken
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
}
