package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/assignment"
	"rolewise/domain/plan"
)

// Mode says what a wrong item in a bulk command does to the others (SPEC ASG-5).
type Mode string

const (
	Partial Mode = "partial" // nothing: each item stands for itself
	Atomic  Mode = "atomic"  // it refuses them all, before anything is appended
)

// AssignRole gives a role to members and teams.
type AssignRole struct {
	Role    domain.RoleID     `json:"role"`
	Members []domain.MemberID `json:"members,omitempty"`
	Teams   []domain.TeamID   `json:"teams,omitempty"`
	Message string            `json:"message,omitempty"`
	Notify  *bool             `json:"notify,omitempty" doc:"Default true."`
	Mode    Mode              `json:"mode,omitempty" enum:"partial,atomic" doc:"partial (the default): each item stands for itself. atomic: every item is decided before anything is done, and one wrong item refuses them all. What was accepted is done to the end, also across a crash, but it is not a transaction: for a while some items are done and others are not."`
}

func (AssignRole) About() About {
	return About{Name: "assign-role", Summary: "Assign a role to members and teams.", Action: access.AssignRoles, Feature: plan.Roles}
}

func (c AssignRole) run(w *work) (Answer, error) {
	if err := checkMessage(c.Message); err != nil {
		return Answer{}, err
	}
	published, err := w.rolePublished(c.Role)
	if err != nil {
		return Answer{}, err
	}
	if !published && !w.accepted { // what was accepted is done to the end, and each item says what became of it
		return Answer{}, domain.Missing("role").At("/role")
	}
	return w.bulk(bulk(c), c.to(published))
}

// to makes the command to one holder.
func (c AssignRole) to(published bool) func(assignment.Holder) assignment.Command {
	return func(h assignment.Holder) assignment.Command {
		return assignment.Assign{Holder: h, Role: c.Role, RolePublished: published, Message: c.Message, Notify: bulk(c).notify()}
	}
}

// UnassignRole ends the direct path of members, and the path of teams, to a role. Other paths stay (SPEC ASG-2).
type UnassignRole struct {
	Role    domain.RoleID     `json:"role"`
	Members []domain.MemberID `json:"members,omitempty"`
	Teams   []domain.TeamID   `json:"teams,omitempty"`
	Message string            `json:"message,omitempty"`
	Notify  *bool             `json:"notify,omitempty" doc:"Default true."`
	Mode    Mode              `json:"mode,omitempty" enum:"partial,atomic" doc:"partial (the default): each item stands for itself. atomic: every item is decided before anything is done, and one wrong item refuses them all. What was accepted is done to the end, also across a crash, but it is not a transaction: for a while some items are done and others are not."`
}

func (UnassignRole) About() About {
	return About{Name: "unassign-role", Summary: "Unassign a role from members and teams.", Action: access.AssignRoles, Feature: plan.Roles}
}

func (c UnassignRole) run(w *work) (Answer, error) {
	if err := checkMessage(c.Message); err != nil {
		return Answer{}, err
	}
	state, err := w.Role(w.ctx, w.req.Plan, c.Role)
	if err != nil {
		return Answer{}, err
	}
	if !state.Exists {
		return Answer{}, domain.Missing("role").At("/role")
	}
	return w.bulk(bulk(c), c.to)
}

// to makes the command to one holder.
func (c UnassignRole) to(h assignment.Holder) assignment.Command {
	return assignment.Unassign{Holder: h, Role: c.Role, Message: c.Message, Notify: bulk(c).notify()}
}

// checkMessage refuses, once for the command, what would refuse each of its items.
func checkMessage(text string) error { return domain.CheckLines("/message", text, 2000) }

func (c AssignRole) holders() ([]domain.MemberID, []domain.TeamID)   { return c.Members, c.Teams }
func (c UnassignRole) holders() ([]domain.MemberID, []domain.TeamID) { return c.Members, c.Teams }
