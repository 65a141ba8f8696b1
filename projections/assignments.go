package projections

import (
	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/member"
	"rolewise/readmodels"
)

// assignments keeps each path by itself: what was given to members by name, what to teams, and who is in which team.
func assignments() *Projection {
	return New(readmodels.Assignments,
		On(func(f *Fold, e member.MemberInvited) error {
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) {
				*m = readmodels.PathsOfMember{Name: e.Name, Email: e.Email, Teams: []string{}, Direct: []string{}}
			})
		}),
		On(func(f *Fold, e member.TeamMemberAdded) error {
			f.tx.Add(f.Plan, readmodels.TeamMemberIndex, readmodels.EntryOf(string(e.Team), string(e.Member)))
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Teams = with(m.Teams, string(e.Team)) })
		}),
		On(func(f *Fold, e member.TeamMemberRemoved) error {
			f.tx.Remove(f.Plan, readmodels.TeamMemberIndex, readmodels.EntryOf(string(e.Team), string(e.Member)))
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Teams = without(m.Teams, string(e.Team)) })
		}),
		On(func(f *Fold, e assignment.MemberAssigned) error {
			f.tx.Add(f.Plan, readmodels.DirectIndex, readmodels.EntryOf(string(e.Role), string(e.Member)))
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Direct = with(m.Direct, string(e.Role)) })
		}),
		On(func(f *Fold, e assignment.MemberUnassigned) error {
			f.tx.Remove(f.Plan, readmodels.DirectIndex, readmodels.EntryOf(string(e.Role), string(e.Member)))
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Direct = without(m.Direct, string(e.Role)) })
		}),
		On(func(f *Fold, e assignment.TeamAssigned) error {
			f.tx.Add(f.Plan, readmodels.RoleTeamIndex, readmodels.EntryOf(string(e.Role), string(e.Team)))
			row, err := edit(f, readmodels.TeamPaths, e.Team)
			if err == nil {
				row.Roles = with(row.Roles, string(e.Role))
			}
			return err
		}),
		On(func(f *Fold, e assignment.TeamUnassigned) error {
			f.tx.Remove(f.Plan, readmodels.RoleTeamIndex, readmodels.EntryOf(string(e.Role), string(e.Team)))
			row, err := edit(f, readmodels.TeamPaths, e.Team)
			if err == nil {
				row.Roles = without(row.Roles, string(e.Role))
			}
			return err
		}),
	)
}

func editPaths(f *Fold, id domain.MemberID, change func(*readmodels.PathsOfMember)) error {
	row, err := edit(f, readmodels.MemberPaths, id)
	if err == nil {
		change(row)
	}
	return err
}
