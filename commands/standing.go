package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/roleiq"
)

// SelectLevel takes up a role at a level of the member's own choice.
type SelectLevel struct {
	Role   domain.RoleID   `json:"role"`
	Level  roleiq.Level    `json:"level" enum:"beginner,entry,mid,senior"`
	Member domain.MemberID `json:"member,omitempty" doc:"Left out: the member that the key acts for."`
}

func (SelectLevel) About() About {
	return About{Name: "select-level", Summary: "Take up a role at a level of one's own choice.", Action: access.LearnRole, Feature: plan.Roles}
}

func (c SelectLevel) run(w *work) (Answer, error) {
	return w.learn(c.Member, c.Role, func(m domain.MemberID, memberExists, rolePublished bool) progress.Command {
		return progress.SelectLevel{Member: m, MemberExists: memberExists, Role: c.Role, RolePublished: rolePublished, Level: c.Level}
	})
}

// VisitRole says that the member opened the role; under the policy on_visit their progress takes in what has changed.
type VisitRole struct {
	Role   domain.RoleID   `json:"role"`
	Member domain.MemberID `json:"member,omitempty" doc:"Left out: the member that the key acts for."`
}

func (VisitRole) About() About {
	return About{Name: "visit-role", Summary: "Say that the member opened the role.", Action: access.LearnRole, Feature: plan.Roles}
}

func (c VisitRole) run(w *work) (Answer, error) {
	return w.learn(c.Member, c.Role, func(m domain.MemberID, memberExists, rolePublished bool) progress.Command {
		return progress.Visit{Member: m, MemberExists: memberExists, Role: c.Role, RolePublished: rolePublished}
	})
}

func (w *work) learn(given domain.MemberID, role domain.RoleID, build func(m domain.MemberID, memberExists, rolePublished bool) progress.Command) (Answer, error) {
	m, err := w.actingFor(given)
	if err != nil {
		return Answer{}, err
	}
	return decide(w, standings, progress.StreamID(m, role), func(progress.State) (progress.Command, error) {
		exists, err := w.memberActs(m)
		if err != nil {
			return nil, err
		}
		published, err := w.rolePublished(role)
		return build(m, exists, published), err
	})
}

// RefreshProgress asks for members' progress in a role to take in what has changed.
type RefreshProgress struct {
	Role    domain.RoleID     `json:"role"`
	Members []domain.MemberID `json:"members,omitempty" doc:"Left out: all who hold the role."`
}

func (RefreshProgress) About() About {
	return About{Name: "refresh-progress", Summary: "Refresh members' progress in a role.", Action: access.RefreshProgress, Feature: plan.Roles}
}

func (c RefreshProgress) run(w *work) (Answer, error) {
	return decide(w, standings, string(c.Role), func(progress.State) (progress.Command, error) {
		unknown := -1
		for i, m := range c.Members[:min(len(c.Members), maxItems)] { // more are refused unread
			exists, err := w.memberExists(m)
			if err != nil {
				return nil, err
			}
			if !exists {
				unknown = i
				break
			}
		}
		published, err := w.rolePublished(c.Role)
		return progress.Refresh{Role: c.Role, RolePublished: published, Members: c.Members, Unknown: unknown}, err
	})
}
