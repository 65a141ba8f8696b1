package commands

import (
	"strings"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/team"
	"rolewise/eventstore"
)

// CreateTeam creates a team, at the top or below another.
type CreateTeam struct {
	Team   domain.TeamID `json:"team,omitempty" doc:"Id of the new team; one is made if it is left out."`
	Name   string        `json:"name"`
	Parent domain.TeamID `json:"parent,omitempty" doc:"Left out: a team at the top."`
}

func (CreateTeam) About() About {
	return About{Name: "create-team", Summary: "Create a team.", Action: access.ManageTeams}
}

func (c CreateTeam) run(w *work) (Answer, error) {
	id := domain.TeamID(w.newID(string(c.Team)))
	answer, err := decide(w, teams, eventstore.PlanWide, func(s team.State) (team.Command, error) {
		state, err := w.Member(w.ctx, w.req.Plan, domain.MemberID(id))
		if err == nil && state.Exists { // what is assigned is kept by holder: the two would share it
			err = domain.Conflictf("id_in_use", "a member has this id").At("/team")
		}
		return team.Create{Team: id, Name: c.Name, Parent: c.Parent, Twin: twin(s, id, c.Name, c.Parent)}, err
	})
	answer.ID = string(id)
	return answer, err
}

// RenameTeam gives a team another name.
type RenameTeam struct {
	Team domain.TeamID `json:"team"`
	Name string        `json:"name"`
}

func (RenameTeam) About() About {
	return About{Name: "rename-team", Summary: "Give a team another name.", Action: access.ManageTeams}
}

func (c RenameTeam) run(w *work) (Answer, error) {
	return w.decideTeam(func(s team.State) team.Command {
		now, _ := s.Get(c.Team)
		return team.Rename{Team: c.Team, Name: c.Name, Twin: twin(s, c.Team, c.Name, now.Parent)}
	})
}

// MoveTeam moves a team, with all below it.
type MoveTeam struct {
	Team   domain.TeamID `json:"team"`
	Parent domain.TeamID `json:"parent,omitempty" doc:"Left out: to the top."`
}

func (MoveTeam) About() About {
	return About{Name: "move-team", Summary: "Move a team below another, or to the top.", Action: access.ManageTeams}
}

func (c MoveTeam) run(w *work) (Answer, error) {
	return w.decideTeam(func(s team.State) team.Command {
		now, _ := s.Get(c.Team)
		return team.Move{Team: c.Team, Parent: c.Parent, Twin: twin(s, c.Team, now.Name, c.Parent)}
	})
}

// DeleteTeam ends a team that has none below it. The team roles of its members and the paths of its roles end with it.
type DeleteTeam struct {
	Team domain.TeamID `json:"team"`
}

func (DeleteTeam) About() About {
	return About{Name: "delete-team", Summary: "Delete a team that has no teams below it.", Action: access.ManageTeams}
}

func (c DeleteTeam) run(w *work) (Answer, error) {
	return w.decideTeam(func(team.State) team.Command { return team.Delete(c) })
}

func (w *work) decideTeam(build func(team.State) team.Command) (Answer, error) {
	return decide(w, teams, eventstore.PlanWide, func(s team.State) (team.Command, error) { return build(s), nil })
}

// twin tells whether a team beside one has the same name, however it is written (SPEC MEM-3).
func twin(s team.State, id domain.TeamID, name string, parent domain.TeamID) bool {
	same := sameName(name)
	return s.Beside(parent, id, func(t team.Team) bool { return sameName(t.Name) == same })
}

// sameName maps all spellings of one name to one text: case, compatible characters and blanks do not count.
func sameName(name string) string { return strings.Join(strings.Fields(sameEmail(name)), " ") }
