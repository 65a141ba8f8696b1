package projections

import (
	"rolewise/domain/member"
	"rolewise/domain/team"
	"rolewise/readmodels"
)

// renamed changes the name under which a member is listed with those who hold a role.
func (s *standings) renamed(f *Fold, e member.MemberProfileChanged) error {
	state, err := edit(f, readmodels.MemberStates, e.Member)
	if err != nil || state.Name == e.Name {
		return err
	}
	list := func(change func(plan, index, entry string)) {
		for _, standing := range state.Standings {
			if standing.State != "" && !state.Removed {
				change(f.Plan, readmodels.IndexOf(readmodels.HolderIndex, standing.Role), readmodels.EntryOf(readmodels.Fold(state.Name), readmodels.ShortID(string(e.Member))))
			}
		}
	}
	list(f.tx.Remove)
	state.Name = e.Name
	list(f.tx.Add)
	return nil
}

func readdressed(f *Fold, e member.MemberEmailChanged) error {
	state, err := edit(f, readmodels.MemberStates, e.Member)
	if err == nil {
		state.Email = e.Email
	}
	return err
}

// removed takes a member out of all counts and lists. Their standings are kept as they are (SPEC MEM-2).
func (s *standings) removed(f *Fold, e member.MemberRemoved) error {
	id := readmodels.ShortID(string(e.Member))
	state, err := edit(f, readmodels.MemberStates, e.Member)
	if err != nil || state.Removed {
		return err
	}
	f.tx.Remove(f.Plan, readmodels.AllMembersIndex, id)
	for _, of := range state.Teams {
		f.tx.Remove(f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, of), id)
	}
	var held change
	for _, standing := range state.Standings {
		held.roles = append(held.roles, standing.Role)
		f.tx.Remove(f.Plan, readmodels.IndexOf(readmodels.HolderIndex, standing.Role), readmodels.EntryOf(readmodels.Fold(state.Name), id))
	}
	err = s.one(f, e.Member, held, func(m *readmodels.MemberState) error {
		m.Removed = true
		return nil
	})
	if err != nil {
		return err
	}
	return s.left(f)
}

// teamDeleted ends the paths through a team, now and for what comes too late.
func (s *standings) teamDeleted(f *Fold, e team.TeamDeleted) error {
	id := string(e.Team)
	members, err := membersIn(f, f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, id))
	if err != nil {
		return err
	}
	given, err := edit(f, readmodels.TeamStates, e.Team)
	if err != nil {
		return err
	}
	roles := append([]string{}, given.Roles...) // not nil, which would stand for all roles
	return s.change(f, []group{{f.Plan, members, roles}}, func() error {
		*given = readmodels.TeamState{Name: given.Name, Deleted: true}
		for _, m := range members {
			f.tx.Remove(f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, id), readmodels.ShortID(m))
			state, err := readmodels.MemberStates.Edit(f.ctx, f.tx, f.Plan, m)
			if err != nil {
				return err
			}
			state.Teams = without(state.Teams, id)
		}
		return nil
	})
}
