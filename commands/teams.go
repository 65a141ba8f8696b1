package commands

import (
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
	answer, err := decide(w, teams, eventstore.PlanWide, func(team.State) (team.Command, error) {
		taken, err := w.memberExists(domain.MemberID(id))
		if err == nil && taken { // what is assigned is kept by holder: the two would share it
			err = domain.Conflictf("id_in_use", "a member has this id").At("/team")
		}
		return team.Create{Team: id, Name: c.Name, Parent: c.Parent}, err
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

func (c RenameTeam) run(w *work) (Answer, error) { return w.decideTeam(team.Rename(c)) }

// MoveTeam moves a team, with all below it.
type MoveTeam struct {
	Team   domain.TeamID `json:"team"`
	Parent domain.TeamID `json:"parent,omitempty" doc:"Left out: to the top."`
}

func (MoveTeam) About() About {
	return About{Name: "move-team", Summary: "Move a team below another, or to the top.", Action: access.ManageTeams}
}

func (c MoveTeam) run(w *work) (Answer, error) { return w.decideTeam(team.Move(c)) }

func (w *work) decideTeam(c team.Command) (Answer, error) {
	return decide(w, teams, eventstore.PlanWide, func(team.State) (team.Command, error) { return c, nil })
}
