// Package team decides about the tree of a plan's teams: one stream for all of them, since names must differ among
// siblings and the tree must have no cycle. Stream: teams-<plan>.plan.
package team

import (
	"maps"
	"strings"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "teams"

// Events of the tree of teams.
type (
	Event interface{ team() }

	TeamCreated struct {
		Team   domain.TeamID `json:"team"`
		Name   string        `json:"name" personal:"-"`
		Parent domain.TeamID `json:"parent,omitempty"`
	}
	TeamRenamed struct {
		Team domain.TeamID `json:"team"`
		Name string        `json:"name" personal:"-"`
	}
	TeamMoved struct {
		Team   domain.TeamID `json:"team"`
		Parent domain.TeamID `json:"parent,omitempty"`
	}
)

func (TeamCreated) team() {}
func (TeamRenamed) team() {}
func (TeamMoved) team()   {}

// Events lists the event types of the tree of teams.
var Events = domain.NewCatalog(
	domain.Type[TeamCreated]("TeamCreated"),
	domain.Type[TeamRenamed]("TeamRenamed"),
	domain.Type[TeamMoved]("TeamMoved"),
)

// Commands to the tree of teams. An empty parent is the top of the tree.
type (
	Command interface{ command() }

	Create struct {
		Team   domain.TeamID
		Name   string
		Parent domain.TeamID
	}
	Rename struct {
		Team domain.TeamID
		Name string
	}
	Move struct{ Team, Parent domain.TeamID }
)

func (Create) command() {}
func (Rename) command() {}
func (Move) command()   {}

// Team is one node of the tree.
type Team struct {
	Name   string
	Parent domain.TeamID
}

// State is the tree.
type State struct{ Teams map[domain.TeamID]Team }

// Has tells whether the plan has a team.
func (s State) Has(t domain.TeamID) bool {
	_, ok := s.Teams[t]
	return ok
}

// Decider holds the rules of teams (SPEC MEM-3).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Create:
		if err := domain.CheckID("/team", c.Team); err != nil {
			return nil, err
		}
		if s.Has(c.Team) {
			return nil, domain.Conflictf("team_exists", "there is a team of this id already").At("/team")
		}
		if c.Parent != "" && !s.Has(c.Parent) {
			return nil, domain.Missing("team").At("/parent")
		}
		if err := s.checkName(c.Team, c.Name, c.Parent); err != nil {
			return nil, err
		}
		return []Event{TeamCreated(c)}, nil
	case Rename:
		team, ok := s.Teams[c.Team]
		if !ok {
			return nil, domain.Missing("team").At("/team")
		}
		if c.Name == team.Name {
			return nil, nil
		}
		if err := s.checkName(c.Team, c.Name, team.Parent); err != nil {
			return nil, err
		}
		return []Event{TeamRenamed(c)}, nil
	case Move:
		return decideMove(s, c)
	}
	return nil, nil
}

func decideMove(s State, c Move) ([]Event, error) {
	team, ok := s.Teams[c.Team]
	switch {
	case !ok:
		return nil, domain.Missing("team").At("/team")
	case c.Parent != "" && !s.Has(c.Parent):
		return nil, domain.Missing("team").At("/parent")
	case c.Parent == team.Parent:
		return nil, nil
	}
	for above := c.Parent; above != ""; above = s.Teams[above].Parent {
		if above == c.Team {
			return nil, domain.Conflictf("team_cycle", "a team cannot be moved below itself").At("/parent")
		}
	}
	if err := s.checkName(c.Team, team.Name, c.Parent); err != nil {
		return nil, err
	}
	return []Event{TeamMoved(c)}, nil
}

func (s State) checkName(id domain.TeamID, name string, parent domain.TeamID) error {
	if err := domain.CheckText("/name", name, 2, 200); err != nil {
		return err
	}
	for other, team := range s.Teams {
		if other != id && team.Parent == parent && strings.EqualFold(team.Name, name) {
			return domain.Conflictf("team_name_taken", "a team beside this one has that name").At("/name")
		}
	}
	return nil
}

func evolve(s State, e Event) State {
	teams := maps.Clone(s.Teams)
	if teams == nil {
		teams = map[domain.TeamID]Team{}
	}
	switch e := e.(type) {
	case TeamCreated:
		teams[e.Team] = Team{Name: e.Name, Parent: e.Parent}
	case TeamRenamed:
		teams[e.Team] = Team{Name: e.Name, Parent: teams[e.Team].Parent}
	case TeamMoved:
		teams[e.Team] = Team{Name: teams[e.Team].Name, Parent: e.Parent}
	}
	return State{Teams: teams}
}
