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

	// Reserved makes the value the owner's. Events, of an e-mail address, is how many events the owner's stream had at
	// that time: the one with which the owner takes the value into use comes right after them, or never.
	Reserved struct {
		Owner  Owner `json:"owner"`
		Events int   `json:"events,omitempty"`
	}
	Released struct {
		Owner Owner `json:"owner"`
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

// Commands to a value. Free is a fact: the present owner turned out not to use it, now or ever. Events is how many events
// the owner's stream has; for the title of a role it is left out.
type (
	Command interface{ command() }

	Reserve struct {
		Owner  Owner
		Events int
		Free   bool
	}
	Release struct {
		Owner  Owner
		Events int
	}
)

func (Reserve) command() {}
func (Release) command() {}

// State is who holds the value, empty for nobody, and how many events their stream had when they reserved it.
type State struct {
	Owner  Owner
	Events int
}

// Deciders by what is reserved (DESIGN rule 14). They differ in how they refuse, and in which commands of the present
// owner count:
//
//   - of an e-mail address those decided on more events of the owner's than its reservation was. To reserve it once more
//     for the same events changes nothing, and a release is void if the owner reserved it again since;
//   - of a title each. A new reservation makes whoever has found the title free meanwhile look once more, and a release
//     is written only at the revision that its reservation had (docs/adr/0020).
var (
	Emails = decider(domain.Conflictf("email_taken", "another member has this e-mail address").At("/email"),
		func(s State, events int) bool { return s.Events < events })
	Titles = decider(domain.Conflictf("title_taken", "another role has this title").At("/title"),
		func(State, int) bool { return true })
)

func decider(taken *domain.Error, counts func(s State, events int) bool) domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide: func(s State, c Command) ([]Event, error) {
			switch c := c.(type) {
			case Reserve:
				switch {
				case s.Owner == c.Owner && !counts(s, c.Events):
					return nil, nil
				case s.Owner != "" && s.Owner != c.Owner && !c.Free:
					return nil, taken
				}
				return []Event{Reserved{Owner: c.Owner, Events: c.Events}}, nil
			case Release:
				if s.Owner != c.Owner || !counts(s, c.Events) {
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
}
