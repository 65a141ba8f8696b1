package projections

import (
	"slices"

	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/seats"
	"rolewise/domain/team"
	"rolewise/readmodels"
)

// memberRules list the members of a plan, with what they are in it (SPEC MEM-1, MEM-2, MEM-4).
func memberRules() []Rule {
	return []Rule{
		On(memberInvited),
		On(func(f *Fold, e member.MemberProfileChanged) error {
			return relist(f, e.Member, func(m *readmodels.MemberRow) {
				m.Name, m.Title, m.Location, m.Department, m.Manager = e.Name, e.Title, e.Location, e.Department, string(e.Manager)
			})
		}),
		On(func(f *Fold, e member.MemberEmailChanged) error {
			return relist(f, e.Member, func(m *readmodels.MemberRow) { m.Email = e.Email })
		}),
		On(func(f *Fold, e member.InvitationAccepted) error {
			return relist(f, e.Member, func(m *readmodels.MemberRow) { m.Status, m.Accepted = readmodels.Active, true })
		}),
		On(func(f *Fold, e member.MemberDeactivated) error {
			return relist(f, e.Member, func(m *readmodels.MemberRow) { m.Status = readmodels.Deactivated })
		}),
		On(func(f *Fold, e member.MemberReactivated) error {
			return relist(f, e.Member, func(m *readmodels.MemberRow) {
				m.Status = readmodels.Invited
				if m.Accepted {
					m.Status = readmodels.Active
				}
			})
		}),
		On(memberRemoved),
		On(func(f *Fold, e member.AccessRoleGranted) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) { m.SetRole(string(e.AccessRole)) })
		}),
		On(func(f *Fold, e member.AccessRoleWithdrawn) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) { m.SetRole("") })
		}),
		On(func(f *Fold, e seats.OwnerGranted) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) { m.SetOwner(true) })
		}),
		On(func(f *Fold, e seats.OwnerWithdrawn) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) { m.SetOwner(false) })
		}),
		On(func(f *Fold, e seats.ContentAccessGranted) error { return giveAccess(f, e.Member, true) }),
		On(func(f *Fold, e seats.ContentAccessWithdrawn) error { return giveAccess(f, e.Member, false) }),
		On(func(f *Fold, e seats.MemberSeatsClosed) error {
			if err := editMember(f, e.Member, func(m *readmodels.MemberRow) { m.SetOwner(false) }); err != nil {
				return err
			}
			return giveAccess(f, e.Member, false)
		}),
	}
}

// teamRules keep the tree of teams, and who is in which (SPEC MEM-3).
func teamRules() []Rule {
	return []Rule{
		On(teamCreated), On(teamRenamed), On(teamMoved), On(teamDeleted),
		On(func(f *Fold, e member.TeamMemberAdded) error {
			row, err := peek(f, readmodels.TeamRows, e.Team)
			if err != nil || row == nil { // deleted in the meantime
				return err
			}
			if err := countTeam(f, e.Team, 1); err != nil {
				return err
			}
			return relist(f, e.Member, func(m *readmodels.MemberRow) {
				m.Teams = append(m.Teams, readmodels.Membership{Team: string(e.Team), TeamRole: string(e.TeamRole)})
			})
		}),
		On(func(f *Fold, e member.TeamRoleChanged) error {
			return editMember(f, e.Member, func(m *readmodels.MemberRow) {
				for i := range m.Teams {
					if m.Teams[i].Team == string(e.Team) {
						m.Teams[i].TeamRole = string(e.TeamRole)
					}
				}
			})
		}),
		On(func(f *Fold, e member.TeamMemberRemoved) error {
			row, err := peek(f, readmodels.TeamRows, e.Team)
			if err != nil || row == nil {
				return err
			}
			if err := countTeam(f, e.Team, -1); err != nil {
				return err
			}
			return leaveTeam(f, e.Member, e.Team)
		}),
	}
}

func editMember(f *Fold, id domain.MemberID, change func(*readmodels.MemberRow)) error {
	row, err := edit(f, readmodels.MemberRows, id)
	if err == nil {
		change(row)
	}
	return err
}

// relist changes a member, and under what they are listed and found.
func relist(f *Fold, id domain.MemberID, change func(*readmodels.MemberRow)) error {
	row, err := edit(f, readmodels.MemberRows, id)
	if err != nil {
		return err
	}
	if row.Member != "" {
		listMember(f, row, f.tx.Remove)
	}
	change(row)
	listMember(f, row, f.tx.Add)
	return nil
}

// listMember adds or removes the entries under which a member is listed and found.
func listMember(f *Fold, row *readmodels.MemberRow, change func(plan, index, entry string)) {
	named := readmodels.EntryOf(readmodels.Fold(row.Name), row.Member)
	for _, index := range row.Indexes() {
		change(f.Plan, index, named)
	}
	for _, entry := range readmodels.WordEntries(row.Member, row.Name, row.Email) {
		change(f.Plan, readmodels.MemberWordIndex, entry)
	}
	if row.Status == readmodels.Removed {
		return
	}
	for _, t := range row.Teams {
		change(f.Plan, readmodels.TeamMembersIndex, readmodels.EntryOf(t.Team, named))
	}
	change(readmodels.Catalog, readmodels.PersonIndex, readmodels.EntryOf(readmodels.Address(row.Email), f.Plan, row.Member))
}

func memberInvited(f *Fold, e member.MemberInvited) error {
	if err := editPlan(f, func(p *readmodels.PlanRow) { p.Members++ }); err != nil {
		return err
	}
	return relist(f, e.Member, func(m *readmodels.MemberRow) {
		*m = readmodels.MemberRow{
			Member: string(e.Member), Name: e.Name, Email: e.Email, Title: e.Title, AccessRole: string(e.AccessRole),
			Status: readmodels.Invited, Teams: []readmodels.Membership{},
		}
	})
}

// memberRemoved keeps what the member was, and counts them nowhere but among those removed.
func memberRemoved(f *Fold, e member.MemberRemoved) error {
	row, err := edit(f, readmodels.MemberRows, e.Member)
	if err != nil {
		return err
	}
	for _, t := range row.Teams {
		if err := countTeam(f, domain.TeamID(t.Team), -1); err != nil {
			return err
		}
	}
	if err := editPlan(f, func(p *readmodels.PlanRow) { p.Members, p.Removed = p.Members-1, p.Removed+1 }); err != nil {
		return err
	}
	return relist(f, e.Member, func(m *readmodels.MemberRow) { m.Status = readmodels.Removed })
}

func giveAccess(f *Fold, id domain.MemberID, has bool) error {
	row, err := edit(f, readmodels.MemberRows, id)
	if err != nil || row.ContentAccess == has {
		return err
	}
	row.ContentAccess = has
	return editPlan(f, func(p *readmodels.PlanRow) {
		if has {
			p.Licences.Granted++
		} else {
			p.Licences.Granted--
		}
	})
}

func leaveTeam(f *Fold, id domain.MemberID, left domain.TeamID) error {
	return relist(f, id, func(m *readmodels.MemberRow) {
		m.Teams = slices.DeleteFunc(m.Teams, func(t readmodels.Membership) bool { return t.Team == string(left) })
	})
}

func countTeam(f *Fold, id domain.TeamID, by int) error {
	row, err := edit(f, readmodels.TeamRows, id)
	if err == nil {
		row.Members += by
	}
	return err
}

func teamCreated(f *Fold, e team.TeamCreated) error {
	row, err := edit(f, readmodels.TeamRows, e.Team)
	if err != nil {
		return err
	}
	*row = readmodels.TeamRow{Team: string(e.Team), Name: e.Name, Parent: string(e.Parent)}
	return listTeam(f, row, f.tx.Add, 1)
}

func teamRenamed(f *Fold, e team.TeamRenamed) error {
	return replant(f, e.Team, func(t *readmodels.TeamRow) { t.Name = e.Name })
}

func teamMoved(f *Fold, e team.TeamMoved) error {
	return replant(f, e.Team, func(t *readmodels.TeamRow) { t.Parent = string(e.Parent) })
}

// replant changes a team, and where it is listed.
func replant(f *Fold, id domain.TeamID, change func(*readmodels.TeamRow)) error {
	row, err := edit(f, readmodels.TeamRows, id)
	if err != nil {
		return err
	}
	if err := listTeam(f, row, f.tx.Remove, -1); err != nil {
		return err
	}
	change(row)
	return listTeam(f, row, f.tx.Add, 1)
}

// listTeam adds or removes the entries of a team, and counts it with its parent.
func listTeam(f *Fold, row *readmodels.TeamRow, change func(plan, index, entry string), by int) error {
	named := readmodels.EntryOf(readmodels.Fold(row.Name), row.Team)
	change(f.Plan, readmodels.TeamIndex, named)
	change(f.Plan, readmodels.ChildTeamIndex, readmodels.EntryOf(row.Parent, named))
	if row.Parent == "" {
		return nil
	}
	above, err := edit(f, readmodels.TeamRows, domain.TeamID(row.Parent))
	if err == nil {
		above.Teams += by
	}
	return err
}

// teamDeleted takes all members out of a team, and the team out of the tree.
func teamDeleted(f *Fold, e team.TeamDeleted) error {
	members, err := entriesUnder(f, f.Plan, readmodels.TeamMembersIndex, string(e.Team))
	if err != nil {
		return err
	}
	for _, id := range members {
		if err := leaveTeam(f, domain.MemberID(id), e.Team); err != nil {
			return err
		}
	}
	row, err := edit(f, readmodels.TeamRows, e.Team)
	if err != nil {
		return err
	}
	if err := listTeam(f, row, f.tx.Remove, -1); err != nil {
		return err
	}
	readmodels.TeamRows.Delete(f.tx, f.Plan, string(e.Team))
	return nil
}
