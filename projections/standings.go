package projections

import (
	"slices"

	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	progressdomain "rolewise/domain/progress"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// standings derives how members stand in their roles (SPEC PRG-1 to PRG-4) from all that bears on it. The projections
// progress and role-analytics share its rules, each on documents of its own, and watch what changes.
type standings struct {
	// watch is called with a member about to change; what it returns is called after the change.
	watch func(f *Fold, c change, m *readmodels.MemberState) (after func() error, err error)
	// joined is called for a new member; published for each plan that a newly published version concerns.
	joined    func(f *Fold) error
	left      func(f *Fold) error                    // likewise for one who was removed
	published func(f *Fold, plan, role string) error // deleted or restored, too
}

func (s *standings) rules() []Rule {
	return []Rule{
		On(s.invited), On(s.renamed), On(readdressed), On(s.removed), On(s.teamAdded), On(s.teamRemoved), On(s.teamDeleted),
		On(func(f *Fold, e assignment.MemberAssigned) error {
			return s.one(f, e.Member, change{roles: []string{string(e.Role)}, paths: true}, func(m *readmodels.MemberState) error {
				m.Direct = with(m.Direct, string(e.Role))
				return nil
			})
		}),
		On(func(f *Fold, e assignment.MemberUnassigned) error {
			return s.one(f, e.Member, change{roles: []string{string(e.Role)}, paths: true}, func(m *readmodels.MemberState) error {
				m.Direct = without(m.Direct, string(e.Role))
				return nil
			})
		}),
		On(func(f *Fold, e assignment.TeamAssigned) error { return s.teamRole(f, e.Team, e.Role, with) }),
		On(func(f *Fold, e assignment.TeamUnassigned) error { return s.teamRole(f, e.Team, e.Role, without) }),
		On(func(f *Fold, e progressdomain.LevelSelected) error {
			return s.one(f, e.Member, change{roles: []string{string(e.Role)}}, func(m *readmodels.MemberState) error {
				m.EditIn(string(e.Role)).Selected = string(e.Level)
				return nil
			})
		}),
		On(s.visited),
		On(func(f *Fold, e results.BetaAssessmentTaken) error {
			state, err := edit(f, readmodels.MemberStates, e.Member)
			if err == nil {
				state.TakeBeta(string(e.Skill), e.TakenAt)
			}
			return err
		}),
		On(s.refreshed), On(s.measured), On(s.invalidated), On(s.rolePublished), On(s.roleDeleted), On(s.roleRestored),
		On(nameSkill), On(renameSkill),
		On(func(f *Fold, e skill.SkillValidated) error {
			return s.skillChanged(f, e.Skill, func() error { return validateSkill(f, e) })
		}),
		On(func(f *Fold, e skill.SkillRetired) error {
			return s.skillChanged(f, e.Skill, func() error { return retireSkill(f, e) })
		}),
		On(func(f *Fold, e plan.RecalculationPolicySet) error {
			return s.policy(f, func(p *readmodels.PolicyState) { p.OnVisit = e.Recalculation == plan.OnVisit })
		}),
		On(func(f *Fold, e plan.LevelRulePolicySet) error {
			return s.policy(f, func(p *readmodels.PolicyState) { p.Rule, p.K = string(e.Rule.Name), e.Rule.K })
		}),
		On(func(f *Fold, e plan.PlanCreated) error {
			return s.policy(f, func(p *readmodels.PolicyState) { p.Rule = string(plan.DefaultRule.Name) })
		}),
	}
}

// group is some members of a plan whose standings in some roles may change; roles nil stands for all they have.
type group struct {
	plan    string
	members []string
	roles   []string
}

// change is what may become different of one member.
type change struct {
	plan, id string
	roles    []string
	skill    string // the only skill whose measurements change; empty where anything may
	paths    bool   // the ways to the roles may change
}

// change lets the watchers see the members of all groups, makes a change, derives their standings anew, and lets the
// watchers see them again. A change may concern thousands: a role published to all who hold it.
func (s *standings) change(f *Fold, groups []group, act func() error) error {
	type seen struct {
		change
		state *readmodels.MemberState
		after func() error
	}
	for _, g := range groups {
		if err := readmodels.MemberStates.Prefetch(f.ctx, f.tx, g.plan, g.members...); err != nil {
			return err
		}
	}
	var all []seen
	for _, g := range merge(groups) {
		for _, id := range g.members {
			state, err := readmodels.MemberStates.Edit(f.ctx, f.tx, g.plan, id)
			if err != nil {
				return err
			}
			c := change{plan: g.plan, id: id, roles: g.roles, paths: true}
			if g.roles == nil {
				for _, standing := range state.Standings {
					c.roles = append(c.roles, standing.Role)
				}
			}
			after, err := s.watch(f, c, state)
			if err != nil {
				return err
			}
			all = append(all, seen{c, state, after})
		}
	}
	if err := act(); err != nil {
		return err
	}
	for _, one := range all {
		if err := deriveAll(f, one.change, one.state); err != nil {
			return err
		}
		if err := one.after(); err != nil {
			return err
		}
	}
	return nil
}

func deriveAll(f *Fold, c change, m *readmodels.MemberState) error {
	for _, role := range c.roles {
		if err := derive(f, c.plan, c.id, m, role, c.paths); err != nil {
			return err
		}
	}
	return nil
}

// merge returns groups of one member each, with all roles of the groups that name the member: whoever holds two roles
// that a change concerns, or is named twice, is seen once, since what the watchers saw before must be true until the
// change.
func merge(groups []group) []group {
	var merged []group
	at := map[[2]string]int{}
	for _, g := range groups {
		for _, id := range g.members {
			i, known := at[[2]string{g.plan, id}]
			switch {
			case !known:
				at[[2]string{g.plan, id}] = len(merged)
				merged = append(merged, group{g.plan, []string{id}, slices.Clone(g.roles)})
			case g.roles == nil || merged[i].roles == nil:
				merged[i].roles = nil
			default:
				for _, role := range g.roles {
					if !slices.Contains(merged[i].roles, role) {
						merged[i].roles = append(merged[i].roles, role)
					}
				}
			}
		}
	}
	return merged
}

// one changes a single member of the event's plan.
func (s *standings) one(f *Fold, id domain.MemberID, c change, act func(*readmodels.MemberState) error) error {
	state, err := edit(f, readmodels.MemberStates, id)
	if err != nil {
		return err
	}
	c.plan, c.id = f.Plan, string(id)
	after, err := s.watch(f, c, state)
	if err != nil {
		return err
	}
	if err := act(state); err != nil {
		return err
	}
	if err := deriveAll(f, c, state); err != nil {
		return err
	}
	return after()
}

func (s *standings) invited(f *Fold, e member.MemberInvited) error {
	f.tx.Add(f.Plan, readmodels.AllMembersIndex, readmodels.ShortID(string(e.Member)))
	state, err := edit(f, readmodels.MemberStates, e.Member)
	if err != nil {
		return err
	}
	*state = readmodels.MemberState{Name: e.Name, Email: e.Email}
	return s.joined(f)
}

func (s *standings) teamAdded(f *Fold, e member.TeamMemberAdded) error {
	if given, err := peek(f, readmodels.TeamStates, e.Team); err != nil || given != nil && given.Deleted {
		return err
	}
	f.tx.Add(f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, string(e.Team)), readmodels.ShortID(string(e.Member)))
	return s.teamChanged(f, e.Member, e.Team, with)
}

func (s *standings) teamRemoved(f *Fold, e member.TeamMemberRemoved) error {
	f.tx.Remove(f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, string(e.Team)), readmodels.ShortID(string(e.Member)))
	return s.teamChanged(f, e.Member, e.Team, without)
}

// teamChanged brings a member the roles of a team, or ends the paths through it (SPEC ASG-2).
func (s *standings) teamChanged(f *Fold, id domain.MemberID, team domain.TeamID, edit func([]string, string) []string) error {
	given, err := peek(f, readmodels.TeamStates, team)
	if err != nil || given != nil && given.Deleted {
		return err
	}
	c := change{paths: true}
	if given != nil {
		c.roles = given.Roles
	}
	return s.one(f, id, c, func(m *readmodels.MemberState) error {
		m.Teams = edit(m.Teams, string(team))
		return nil
	})
}

// teamRole gives a team a role, or takes it.
func (s *standings) teamRole(f *Fold, team domain.TeamID, in domain.RoleID, edited func([]string, string) []string) error {
	members, err := membersIn(f, f.Plan, readmodels.IndexOf(readmodels.TeamMemberIndex, string(team)))
	if err != nil {
		return err
	}
	return s.change(f, []group{{f.Plan, members, []string{string(in)}}}, func() error {
		given, err := edit(f, readmodels.TeamStates, team)
		if err == nil && !given.Deleted {
			given.Roles = edited(given.Roles, string(in))
		}
		return err
	})
}

func (s *standings) refreshed(f *Fold, e progressdomain.ProgressRefreshed) error {
	members := texts(e.Members)
	if len(members) == 0 {
		var err error
		if members, err = membersIn(f, f.Plan, readmodels.IndexOf(readmodels.HolderIndex, string(e.Role))); err != nil {
			return err
		}
	}
	return s.change(f, []group{{f.Plan, members, []string{string(e.Role)}}}, func() error {
		for _, id := range members {
			state, err := readmodels.MemberStates.Edit(f.ctx, f.tx, f.Plan, id)
			if err != nil {
				return err
			}
			if err := visit(f, state, string(e.Role)); err != nil {
				return err
			}
		}
		return nil
	})
}

// visited takes in what changed since the last visit (SPEC PRG-3). Where standings follow at once it changes none, but
// is kept for the day when the policy changes.
func (s *standings) visited(f *Fold, e progressdomain.RoleVisited) error {
	policy, err := policyOf(f, f.Plan)
	if err != nil {
		return err
	}
	state, err := edit(f, readmodels.MemberStates, e.Member)
	if err != nil {
		return err
	}
	if !policy.OnVisit && state.In(string(e.Role)) != nil {
		return visit(f, state, string(e.Role))
	}
	return s.one(f, e.Member, change{roles: []string{string(e.Role)}}, func(m *readmodels.MemberState) error {
		return visit(f, m, string(e.Role))
	})
}

func (s *standings) measured(f *Fold, e results.SkillIQMeasured) error {
	return s.resultsChanged(f, e.Member, e.Skill, func(m *readmodels.MemberState) error {
		m.Measure(string(e.Skill), readmodels.Result{
			Session: string(e.Session), Score: e.Score, Level: string(e.Level), MeasuredAt: e.MeasuredAt,
		})
		return nil
	})
}

func (s *standings) invalidated(f *Fold, e results.SkillIQInvalidated) error {
	return s.resultsChanged(f, e.Member, e.Skill, func(m *readmodels.MemberState) error {
		if measured := m.Of(string(e.Skill)); measured != nil {
			return measured.Invalidate(string(e.Session))
		}
		return nil
	})
}

// resultsChanged changes what was measured of a member in a skill, and derives the roles that ask for it: in the
// version in force, or in the one by which the member is judged.
func (s *standings) resultsChanged(f *Fold, id domain.MemberID, in domain.SkillID, act func(*readmodels.MemberState) error) error {
	state, err := peek(f, readmodels.MemberStates, id)
	if err != nil || state == nil {
		return err
	}
	var buffer [16]string
	c := change{roles: buffer[:0], skill: string(in)}
	for _, standing := range state.Standings {
		seen, err := sightOf(f, f.Plan, state, standing)
		if err != nil {
			return err
		}
		// Under the policy on_visit the member may be judged by a version that is neither pinned nor in force.
		asks := seen.inForce.has(string(in)) >= 0 || seen.judged.has(string(in)) >= 0
		if !asks && standing.Version != seen.judged.version && standing.Version > 0 {
			view, err := viewOf(f, f.Plan, standing.Role, standing.Version)
			if err != nil {
				return err
			}
			asks = view.has(string(in)) >= 0
		}
		if asks {
			c.roles = append(c.roles, standing.Role)
		}
	}
	return s.one(f, id, c, act)
}

func (s *standings) policy(f *Fold, set func(*readmodels.PolicyState)) error {
	members, err := membersIn(f, f.Plan, readmodels.AllMembersIndex)
	if err != nil {
		return err
	}
	return s.change(f, []group{{plan: f.Plan, members: members}}, func() error {
		policy, err := edit(f, readmodels.PolicyStates, "plan")
		if err == nil {
			set(policy)
		}
		return err
	})
}

// rolePublished judges all who hold the role by the new version, except those who completed the one before and stay
// with it under "grandfather" (SPEC ROL-8).
func (s *standings) rolePublished(f *Fold, e role.RolePublished) error {
	id := string(e.Role)
	plans, err := usersOf(f, id)
	if err != nil {
		return err
	}
	groups, err := holdersIn(f, plans, id)
	if err != nil {
		return err
	}
	err = s.change(f, groups, func() error {
		if err := keepVersion(f, e); err != nil {
			return err
		}
		for _, g := range groups {
			for _, m := range g.members {
				state, err := readmodels.MemberStates.Edit(f.ctx, f.tx, g.plan, m)
				if err != nil {
					return err
				}
				standing := state.EditIn(id)
				switch {
				case e.OnPublish != role.Grandfather || standing.State != completed:
					standing.Pinned = 0
				case standing.Pinned == 0:
					standing.Pinned = e.Version - 1
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range plans {
		if err := s.published(f, p, id); err != nil {
			return err
		}
	}
	return nil
}

// keepVersion makes a version the one in force, and notes which skills the role uses and from where.
func keepVersion(f *Fold, e role.RolePublished) error {
	state, err := edit(f, readmodels.RoleStates, e.Role)
	if err != nil {
		return err
	}
	*state = readmodels.RoleState{Title: e.Content.Title, Version: e.Version}
	version, err := edit(f, readmodels.RoleVersions, readmodels.VersionID(string(e.Role), e.Version))
	if err != nil {
		return err
	}
	version.Skills = roleContent(e.Content).Skills
	for _, s := range e.Content.Skills {
		f.tx.Add(f.Plan, readmodels.UseIndex, readmodels.EntryOf(string(s.Skill), string(e.Role)))
		own, err := peek(f, readmodels.SkillNames, s.Skill)
		if err != nil {
			return err
		}
		if own == nil {
			f.tx.Add(readmodels.Catalog, readmodels.BorrowIndex, readmodels.EntryOf(string(s.Skill), f.Plan))
		}
	}
	return nil
}

// skillChanged derives anew all who hold a role that uses the skill.
func (s *standings) skillChanged(f *Fold, id domain.SkillID, act func() error) error {
	plans, err := usersOf(f, string(id))
	if err != nil {
		return err
	}
	var groups []group
	for _, p := range plans {
		roles, err := entriesUnder(f, p, readmodels.UseIndex, string(id))
		if err != nil {
			return err
		}
		for _, r := range roles {
			in := []string{p}
			if p == readmodels.Catalog {
				borrowers, err := entriesUnder(f, readmodels.Catalog, readmodels.BorrowIndex, r)
				if err != nil {
					return err
				}
				in = append(in, borrowers...)
			}
			more, err := holdersIn(f, in, r)
			if err != nil {
				return err
			}
			groups = append(groups, more...)
		}
	}
	return s.change(f, groups, act)
}

// usersOf lists the plans that a role or a skill of the event's plan concerns: the plan itself, and for the catalog all
// plans that use it.
func usersOf(f *Fold, id string) ([]string, error) {
	if f.Plan != readmodels.Catalog {
		return []string{f.Plan}, nil
	}
	borrowers, err := entriesUnder(f, readmodels.Catalog, readmodels.BorrowIndex, id)
	return append([]string{readmodels.Catalog}, borrowers...), err
}

func holdersIn(f *Fold, plans []string, role string) ([]group, error) {
	var groups []group
	for _, p := range plans {
		members, err := membersIn(f, p, readmodels.IndexOf(readmodels.HolderIndex, role))
		if err != nil {
			return nil, err
		}
		if len(members) > 0 {
			groups = append(groups, group{p, members, []string{role}})
		}
	}
	return groups, nil
}

// entriesUnder returns the ids of all entries under one id of an index.
func entriesUnder(f *Fold, plan, index, id string) ([]string, error) {
	entries, err := f.tx.Entries(f.ctx, plan, index, readmodels.EntryOf(id, ""))
	for i, entry := range entries {
		entries[i] = readmodels.EntryID(entry)
	}
	return entries, err
}

// membersIn returns the ids of the members in an index.
func membersIn(f *Fold, plan, index string) ([]string, error) {
	entries, err := f.tx.Entries(f.ctx, plan, index, "")
	for i, entry := range entries {
		entries[i] = readmodels.LongID(readmodels.EntryID(entry))
	}
	return entries, err
}
