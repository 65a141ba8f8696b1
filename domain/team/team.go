// Package team decides about the tree of a plan's teams: one stream for all of them, since names must differ among
// siblings and the tree must have no cycle. Stream: teams-<plan>.plan.
package team

import (
	"strings"

	"rolewise/domain"
	"rolewise/domain/immutable"
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
	// TeamDeleted ends the team for good, and with it the team roles of its members and the paths of its roles: both
	// count only as long as the team is there.
	TeamDeleted struct {
		Team domain.TeamID `json:"team"`
	}
)

func (TeamCreated) team() {}
func (TeamRenamed) team() {}
func (TeamMoved) team()   {}
func (TeamDeleted) team() {}

// Events lists the event types of the tree of teams.
var Events = domain.NewCatalog(
	domain.Type[TeamCreated]("TeamCreated"),
	domain.Type[TeamRenamed]("TeamRenamed"),
	domain.Type[TeamMoved]("TeamMoved"),
	domain.Type[TeamDeleted]("TeamDeleted"),
)

// MaxDepth is how many teams may stand one below the other.
const MaxDepth = 32

// Commands to the tree of teams. An empty parent is the top of the tree. Twin is a fact: a team beside it has a name
// that is written otherwise, and yet the same once normalised (NFKC, case folding).
type (
	Command interface{ command() }

	Create struct {
		Team   domain.TeamID
		Name   string
		Parent domain.TeamID
		Twin   bool
	}
	Rename struct {
		Team domain.TeamID
		Name string
		Twin bool
	}
	Move struct {
		Team, Parent domain.TeamID
		Twin         bool
	}
	Delete struct{ Team domain.TeamID }
)

func (Create) command() {}
func (Rename) command() {}
func (Move) command()   {}
func (Delete) command() {}

// Team is one node of the tree, or was one.
type Team struct {
	Name    string
	Parent  domain.TeamID
	Deleted bool
}

// State is the tree. Deleted teams stay in it, so that nobody gets their ids.
type State struct {
	Teams immutable.Map[domain.TeamID, Team]
}

// Has tells whether the plan has a team.
func (s State) Has(id domain.TeamID) bool {
	_, ok := s.Get(id)
	return ok
}

// Get returns a team that the plan has.
func (s State) Get(id domain.TeamID) (Team, bool) {
	team, known := s.Teams.Get(id)
	return team, known && !team.Deleted
}

// Beside tells whether a team below a parent, other than one, fulfils something.
func (s State) Beside(parent, except domain.TeamID, is func(Team) bool) bool {
	for id, team := range s.Teams.All() {
		if id != except && !team.Deleted && team.Parent == parent && is(team) {
			return true
		}
	}
	return false
}

// depth returns how many teams stand from the top down to one, 0 for the top itself.
func (s State) depth(id domain.TeamID) int {
	n := 0
	for ; id != ""; n++ {
		team, _ := s.Get(id)
		id = team.Parent
	}
	return n
}

// height returns how many teams stand one below the other from one down, itself included.
func (s State) height(id domain.TeamID) int {
	above, deepest := s.depth(id), 0
	for other, team := range s.Teams.All() {
		if !team.Deleted && s.under(other, id) {
			deepest = max(deepest, s.depth(other))
		}
	}
	return deepest - above + 1
}

// under tells whether a team is another, or stands below it.
func (s State) under(id, top domain.TeamID) bool {
	for id != "" && id != top {
		team, _ := s.Get(id)
		id = team.Parent
	}
	return id == top
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
		return decideCreate(s, c)
	case Rename:
		team, ok := s.Get(c.Team)
		if !ok {
			return nil, domain.Missing("team").At("/team")
		}
		if c.Name == team.Name {
			return nil, nil
		}
		if err := s.checkName(c.Team, c.Name, team.Parent, c.Twin); err != nil {
			return nil, err
		}
		return []Event{TeamRenamed{Team: c.Team, Name: c.Name}}, nil
	case Move:
		return decideMove(s, c)
	case Delete:
		switch {
		case !s.Has(c.Team):
			return nil, domain.Missing("team").At("/team")
		case s.Beside(c.Team, "", func(Team) bool { return true }):
			return nil, domain.Conflictf("team_has_teams", "there are teams below this one; move or delete them first").At("/team")
		}
		return []Event{TeamDeleted(c)}, nil
	}
	return nil, nil
}

func decideCreate(s State, c Create) ([]Event, error) {
	if err := domain.CheckID("/team", c.Team); err != nil {
		return nil, err
	}
	if s.Teams.Has(c.Team) {
		return nil, domain.Conflictf("team_exists", "there is, or was, a team of this id already").At("/team")
	}
	if c.Parent != "" && !s.Has(c.Parent) {
		return nil, domain.Missing("team").At("/parent")
	}
	if s.depth(c.Parent)+1 > MaxDepth {
		return nil, tooDeep()
	}
	if err := s.checkName(c.Team, c.Name, c.Parent, c.Twin); err != nil {
		return nil, err
	}
	return []Event{TeamCreated{Team: c.Team, Name: c.Name, Parent: c.Parent}}, nil
}

func decideMove(s State, c Move) ([]Event, error) {
	team, ok := s.Get(c.Team)
	switch {
	case !ok:
		return nil, domain.Missing("team").At("/team")
	case c.Parent != "" && !s.Has(c.Parent):
		return nil, domain.Missing("team").At("/parent")
	case c.Parent == team.Parent:
		return nil, nil
	case c.Parent != "" && s.under(c.Parent, c.Team):
		return nil, domain.Conflictf("team_cycle", "a team cannot be moved below itself").At("/parent")
	case s.depth(c.Parent)+s.height(c.Team) > MaxDepth:
		return nil, tooDeep()
	}
	if err := s.checkName(c.Team, team.Name, c.Parent, c.Twin); err != nil {
		return nil, err
	}
	return []Event{TeamMoved{Team: c.Team, Parent: c.Parent}}, nil
}

func tooDeep() error {
	return domain.Conflictf("team_too_deep", "at most %d teams may stand one below the other", MaxDepth).At("/parent")
}

func (s State) checkName(id domain.TeamID, name string, parent domain.TeamID, twin bool) error {
	if err := domain.CheckText("/name", name, 2, 200); err != nil {
		return err
	}
	if twin || s.Beside(parent, id, func(t Team) bool { return strings.EqualFold(t.Name, name) }) {
		return domain.Conflictf("team_name_taken", "a team beside this one has that name").At("/name")
	}
	return nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case TeamCreated:
		return s.with(e.Team, Team{Name: e.Name, Parent: e.Parent})
	case TeamRenamed:
		team, _ := s.Teams.Get(e.Team)
		team.Name = e.Name
		return s.with(e.Team, team)
	case TeamMoved:
		team, _ := s.Teams.Get(e.Team)
		team.Parent = e.Parent
		return s.with(e.Team, team)
	case TeamDeleted:
		return s.with(e.Team, Team{Deleted: true})
	}
	return s
}

func (s State) with(id domain.TeamID, team Team) State {
	return State{Teams: s.Teams.With(id, team)}
}
