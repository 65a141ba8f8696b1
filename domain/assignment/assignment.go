// Package assignment decides which roles a holder was given: a member directly, or a team as a whole.
// Stream: assignment-<plan>.<holder>, the holder being a member or a team.
//
// Each path is kept by itself (SPEC ASG-2). What a member holds through teams is not written down anywhere: it follows
// from the team's assignments and the member's teams.
package assignment

import (
	"maps"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "assignment"

// Events of a holder.
type (
	Event interface{ assignment() }

	MemberAssigned struct {
		Member  domain.MemberID `json:"member"`
		Role    domain.RoleID   `json:"role"`
		Message string          `json:"message,omitempty" personal:"member"`
		Notify  bool            `json:"notify"`
	}
	MemberUnassigned struct {
		Member  domain.MemberID `json:"member"`
		Role    domain.RoleID   `json:"role"`
		Message string          `json:"message,omitempty" personal:"member"`
		Notify  bool            `json:"notify"`
	}
	TeamAssigned struct {
		Team    domain.TeamID `json:"team"`
		Role    domain.RoleID `json:"role"`
		Message string        `json:"message,omitempty" personal:"-"` // to a team, about no single person
		Notify  bool          `json:"notify"`
	}
	TeamUnassigned struct {
		Team    domain.TeamID `json:"team"`
		Role    domain.RoleID `json:"role"`
		Message string        `json:"message,omitempty" personal:"-"`
		Notify  bool          `json:"notify"`
	}
)

func (MemberAssigned) assignment()   {}
func (MemberUnassigned) assignment() {}
func (TeamAssigned) assignment()     {}
func (TeamUnassigned) assignment()   {}

// Events lists the event types of a holder.
var Events = domain.NewCatalog(
	domain.Type[MemberAssigned]("MemberAssigned"),
	domain.Type[MemberUnassigned]("MemberUnassigned"),
	domain.Type[TeamAssigned]("TeamAssigned"),
	domain.Type[TeamUnassigned]("TeamUnassigned"),
)

// Holder is a member or a team; exactly one is set. Exists is a fact.
type Holder struct {
	Member domain.MemberID
	Team   domain.TeamID
	Exists bool
}

// Commands to a holder. RolePublished is a fact: the role exists, for this plan, and can be assigned.
type (
	Command interface{ command() }

	Assign struct {
		Holder        Holder
		Role          domain.RoleID
		RolePublished bool
		Message       string
		Notify        bool
	}
	Unassign struct {
		Holder  Holder
		Role    domain.RoleID
		Message string
		Notify  bool
	}
)

func (Assign) command()   {}
func (Unassign) command() {}

// State is the set of roles on the holder's path.
type State struct{ Roles map[domain.RoleID]bool }

// Decider holds the rules of assignment (SPEC ASG-1 to ASG-3).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Assign:
		if err := c.Holder.check(); err != nil {
			return nil, err
		}
		if err := domain.CheckLines("/message", c.Message, 2000); err != nil {
			return nil, err
		}
		if !c.RolePublished {
			return nil, domain.Missing("role").At("/role")
		}
		if s.Roles[c.Role] {
			return nil, nil
		}
		if c.Holder.Team != "" {
			return []Event{TeamAssigned{Team: c.Holder.Team, Role: c.Role, Message: c.Message, Notify: c.Notify}}, nil
		}
		return []Event{MemberAssigned{Member: c.Holder.Member, Role: c.Role, Message: c.Message, Notify: c.Notify}}, nil
	case Unassign:
		if err := c.Holder.check(); err != nil {
			return nil, err
		}
		if err := domain.CheckLines("/message", c.Message, 2000); err != nil {
			return nil, err
		}
		if !s.Roles[c.Role] {
			return nil, nil
		}
		if c.Holder.Team != "" {
			return []Event{TeamUnassigned{Team: c.Holder.Team, Role: c.Role, Message: c.Message, Notify: c.Notify}}, nil
		}
		return []Event{MemberUnassigned{Member: c.Holder.Member, Role: c.Role, Message: c.Message, Notify: c.Notify}}, nil
	}
	return nil, nil
}

func (h Holder) check() error {
	if h.Exists {
		return nil
	}
	if h.Team != "" {
		return domain.Missing("team")
	}
	return domain.Missing("member")
}

func evolve(s State, e Event) State {
	roles := maps.Clone(s.Roles)
	if roles == nil {
		roles = map[domain.RoleID]bool{}
	}
	switch e := e.(type) {
	case MemberAssigned:
		roles[e.Role] = true
	case TeamAssigned:
		roles[e.Role] = true
	case MemberUnassigned:
		delete(roles, e.Role)
	case TeamUnassigned:
		delete(roles, e.Role)
	}
	return State{Roles: roles}
}
