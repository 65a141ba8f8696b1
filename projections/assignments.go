package projections

import (
	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/member"
	"rolewise/domain/team"
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
		On(func(f *Fold, e member.MemberProfileChanged) error {
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Name = e.Name })
		}),
		On(func(f *Fold, e member.MemberEmailChanged) error {
			return editPaths(f, e.Member, func(m *readmodels.PathsOfMember) { m.Email = e.Email })
		}),
		On(func(f *Fold, e member.TeamMemberAdded) error {
			if gone, err := teamGone(f, e.Team); gone || err != nil {
				return err
			}
			return rearrange(f, e.Member, func(m *readmodels.PathsOfMember) { m.Teams = with(m.Teams, string(e.Team)) })
		}),
		On(func(f *Fold, e member.TeamMemberRemoved) error {
			return rearrange(f, e.Member, func(m *readmodels.PathsOfMember) { m.Teams = without(m.Teams, string(e.Team)) })
		}),
		On(func(f *Fold, e member.MemberRemoved) error {
			return rearrange(f, e.Member, func(m *readmodels.PathsOfMember) { m.Removed = true })
		}),
		On(func(f *Fold, e assignment.MemberAssigned) error {
			return rearrange(f, e.Member, func(m *readmodels.PathsOfMember) { m.Direct = with(m.Direct, string(e.Role)) })
		}),
		On(func(f *Fold, e assignment.MemberUnassigned) error {
			return rearrange(f, e.Member, func(m *readmodels.PathsOfMember) { m.Direct = without(m.Direct, string(e.Role)) })
		}),
		On(func(f *Fold, e assignment.TeamAssigned) error {
			if gone, err := teamGone(f, e.Team); gone || err != nil {
				return err
			}
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
		On(pathsOfTeamEnd),
	)
}

// pathsOfTeamEnd ends the paths through a team that is deleted, now and for what comes too late.
func pathsOfTeamEnd(f *Fold, e team.TeamDeleted) error {
	row, err := edit(f, readmodels.TeamPaths, e.Team)
	if err != nil {
		return err
	}
	for _, role := range row.Roles {
		f.tx.Remove(f.Plan, readmodels.RoleTeamIndex, readmodels.EntryOf(role, string(e.Team)))
	}
	*row = readmodels.PathsOfTeam{Roles: []string{}, Deleted: true}
	members, err := entriesUnder(f, f.Plan, readmodels.TeamMemberIndex, string(e.Team))
	if err != nil {
		return err
	}
	for _, id := range members {
		if err := rearrange(f, domain.MemberID(id), func(m *readmodels.PathsOfMember) { m.Teams = without(m.Teams, string(e.Team)) }); err != nil {
			return err
		}
	}
	return nil
}

func teamGone(f *Fold, id domain.TeamID) (bool, error) {
	row, err := peek(f, readmodels.TeamPaths, id)
	return row != nil && row.Deleted, err
}

// rearrange changes what a member was given, and under what they are found. Who was removed is not found.
func rearrange(f *Fold, id domain.MemberID, change func(*readmodels.PathsOfMember)) error {
	return editPaths(f, id, func(m *readmodels.PathsOfMember) {
		list := func(change func(plan, index, entry string)) {
			if m.Removed {
				return
			}
			for _, team := range m.Teams {
				change(f.Plan, readmodels.TeamMemberIndex, readmodels.EntryOf(team, string(id)))
			}
			for _, role := range m.Direct {
				change(f.Plan, readmodels.DirectIndex, readmodels.EntryOf(role, string(id)))
			}
		}
		list(f.tx.Remove)
		change(m)
		list(f.tx.Add)
	})
}

func editPaths(f *Fold, id domain.MemberID, change func(*readmodels.PathsOfMember)) error {
	row, err := edit(f, readmodels.MemberPaths, id)
	if err == nil {
		change(row)
	}
	return err
}
