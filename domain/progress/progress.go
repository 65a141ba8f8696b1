// Package progress decides what members and leaders do about a role: select a level, visit, refresh. The standing
// itself is derived by the projections (SPEC PRG-3), never written as an event.
// Streams: progress-<plan>.<member>.<role>; refreshes of several members at once: progress-<plan>.<role>.
package progress

import (
	"rolewise/domain"
	"rolewise/domain/roleiq"
)

// Category is the first part of the stream's name.
const Category = "progress"

// StreamID is the last part of the name of the stream of one member in one role.
func StreamID(m domain.MemberID, r domain.RoleID) string { return string(m) + "." + string(r) }

// Events of a member in a role.
type (
	Event interface{ progress() }

	LevelSelected struct {
		Member domain.MemberID `json:"member"`
		Role   domain.RoleID   `json:"role"`
		Level  roleiq.Level    `json:"level"`
	}
	RoleVisited struct {
		Member domain.MemberID `json:"member"`
		Role   domain.RoleID   `json:"role"`
	}
	// ProgressRefreshed asks for the progress of some members in a role to take in what changed; without members, of all.
	ProgressRefreshed struct {
		Role    domain.RoleID     `json:"role"`
		Members []domain.MemberID `json:"members,omitempty"`
	}
)

func (LevelSelected) progress()     {}
func (RoleVisited) progress()       {}
func (ProgressRefreshed) progress() {}

// Events lists the event types of a member in a role.
var Events = domain.NewCatalog(
	domain.Type[LevelSelected]("LevelSelected"),
	domain.Type[RoleVisited]("RoleVisited"),
	domain.Type[ProgressRefreshed]("ProgressRefreshed"),
)

// Commands about a member in a role. MemberExists and RolePublished are facts.
type (
	Command interface{ command() }

	SelectLevel struct {
		Member        domain.MemberID
		MemberExists  bool
		Role          domain.RoleID
		RolePublished bool
		Level         roleiq.Level
	}
	Visit struct {
		Member        domain.MemberID
		MemberExists  bool
		Role          domain.RoleID
		RolePublished bool
	}
	Refresh struct {
		Role          domain.RoleID
		RolePublished bool
		Members       []domain.MemberID
		Unknown       int // fact: index of the first member that the plan does not have, or -1
	}
)

func (SelectLevel) command() {}
func (Visit) command()       {}
func (Refresh) command()     {}

// State is the level selected last.
type State struct{ Selected roleiq.Level }

// Decider holds the rules of progress (SPEC PRG-1, PRG-3).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case SelectLevel:
		if err := exists(c.MemberExists, c.RolePublished); err != nil {
			return nil, err
		}
		if !roleiq.ValidLevel(c.Level) {
			return nil, domain.Invalidf("/level", "invalid_level", "must be beginner, entry, mid or senior")
		}
		if s.Selected == c.Level {
			return nil, nil
		}
		return []Event{LevelSelected{Member: c.Member, Role: c.Role, Level: c.Level}}, nil
	case Visit:
		if err := exists(c.MemberExists, c.RolePublished); err != nil {
			return nil, err
		}
		return []Event{RoleVisited{Member: c.Member, Role: c.Role}}, nil
	case Refresh:
		if err := exists(true, c.RolePublished); err != nil {
			return nil, err
		}
		if len(c.Members) > 10_000 {
			return nil, domain.Invalidf("/members", "too_many", "at most 10,000 members; leave them out to refresh all")
		}
		if c.Unknown >= 0 {
			return nil, domain.Missing("member").At(domain.ItemPointer("/members", c.Unknown))
		}
		return []Event{ProgressRefreshed{Role: c.Role, Members: c.Members}}, nil
	}
	return nil, nil
}

func exists(member, role bool) error {
	switch {
	case !member:
		return domain.Missing("member").At("/member")
	case !role:
		return domain.Missing("role").At("/role")
	}
	return nil
}

func evolve(s State, e Event) State {
	if e, ok := e.(LevelSelected); ok {
		s.Selected = e.Level
	}
	return s
}
