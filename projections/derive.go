package projections

import (
	"slices"

	"rolewise/domain/plan"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

const completed = string(roleiq.Completed)

// standingIn returns a member's standing in a role for change, a new one if there is none.
func standingIn(m *readmodels.MemberState, role string) *readmodels.Standing {
	if m.Standings == nil {
		m.Standings = map[string]*readmodels.Standing{}
	}
	s := m.Standings[role]
	if s == nil {
		s = &readmodels.Standing{}
		m.Standings[role] = s
	}
	return s
}

// derive brings a member's standing in a role up to date. It is a function of the documents alone, so that deriving
// twice changes nothing. The inputs are noted for the watchers.
func derive(f *Fold, planID, id string, m *readmodels.MemberState, role string, inputs map[string]readmodels.Visit) error {
	s := standingIn(m, role)
	listed := s.State != ""
	given := map[string]bool{}
	for _, team := range m.Teams {
		state, err := readmodels.TeamStates.Peek(f.ctx, f.tx, planID, team)
		if err != nil {
			return err
		}
		given[team] = state != nil && slices.Contains(state.Roles, role)
	}
	s.Paths = readmodels.PathsOfMember{Teams: m.Teams, Direct: m.Direct}.Paths(role, func(team string) bool { return given[team] })
	holds := s.Holds()
	if holds != listed {
		if err := listHolder(f, planID, id, m, role, holds); err != nil {
			return err
		}
	}
	if !holds {
		delete(m.Standings, role) // a visit is kept apart: should they hold the role again, it counts on
		return nil
	}
	in, err := inputsOf(f, planID, id, m, role, s)
	if err != nil {
		return err
	}
	inputs[role] = in
	judge(f, s, in)
	return nil
}

// judge applies the calculation of package roleiq to inputs.
func judge(f *Fold, s *readmodels.Standing, in readmodels.Visit) {
	skills := make([]roleiq.Skill, len(in.Skills))
	for i, k := range in.Skills {
		skills[i] = roleiq.Skill{Required: k.Required, Status: skill.Status(k.Status), Goals: k.Goals, Measured: k.Measured}
		if k.Score != nil {
			skills[i].Score = *k.Score
		}
	}
	result := roleiq.Evaluate(plan.LevelRule{Name: plan.RuleName(in.Rule), K: in.K}, s.Selected != "", skills)
	if s.State != string(result.State) || s.Level != string(result.Level) {
		s.Since = readmodels.CauseRecord{Position: f.Position, Type: f.Type, Time: f.Time}
	}
	s.State, s.Level, s.Done, s.Required = string(result.State), string(result.Level), result.Done, result.Required
	s.Version, s.Rule = in.Version, in.Rule
}

// visit freezes what the standing is derived from at present (SPEC PRG-3).
func visit(f *Fold, id string, m *readmodels.MemberState, role string) error {
	policy, err := policyOf(f, f.Plan)
	if err != nil {
		return err
	}
	now, err := current(f, f.Plan, m, role, standingIn(m, role), policy)
	if err != nil {
		return err
	}
	kept, err := edit(f, readmodels.Visits, readmodels.PairID(id, role))
	if err == nil {
		*kept = now
	}
	return err
}

// inputsOf returns what counts for a standing: all there is, or under the policy on_visit what there was at the last
// visit. Before the first visit no measurement counts.
func inputsOf(f *Fold, planID, id string, m *readmodels.MemberState, role string, s *readmodels.Standing) (readmodels.Visit, error) {
	policy, err := policyOf(f, planID)
	if err != nil {
		return readmodels.Visit{}, err
	}
	if !policy.OnVisit {
		return current(f, planID, m, role, s, policy)
	}
	last, err := readmodels.Visits.Peek(f.ctx, f.tx, planID, readmodels.PairID(id, role))
	if err != nil {
		return readmodels.Visit{}, err
	}
	if last != nil {
		return *last, nil
	}
	return current(f, planID, &readmodels.MemberState{}, role, s, policy)
}

// current returns the role's version with its skills' states and the member's measurements as they are now.
func current(f *Fold, planID string, m *readmodels.MemberState, role string, s *readmodels.Standing, policy readmodels.PolicyState) (readmodels.Visit, error) {
	state, from, err := roleIn(f, planID, role)
	if err != nil || state == nil {
		return readmodels.Visit{Rule: policy.Rule, K: policy.K}, err
	}
	in := readmodels.Visit{Version: state.Version, Rule: policy.Rule, K: policy.K}
	if s.Pinned > 0 {
		in.Version = s.Pinned
	}
	version, err := readmodels.RoleVersions.Peek(f.ctx, f.tx, from, readmodels.VersionID(role, in.Version))
	if err != nil || version == nil {
		return in, err
	}
	for _, k := range version.Skills {
		named, err := skillIn(f, planID, k.Skill)
		if err != nil {
			return in, err
		}
		input := readmodels.SkillInput{Skill: k.Skill, Required: k.Required, Status: named.State, Goals: k.Goals}
		if counts := readmodels.Counts(m.Results[k.Skill]); counts != nil {
			score := counts.Score
			input.Measured, input.Score, input.Session = true, &score, counts.Session
		}
		in.Skills = append(in.Skills, input)
	}
	return in, nil
}

// roleIn returns a role of the plan, else of the catalog, and where it was found; nil if nowhere.
func roleIn(f *Fold, planID, role string) (*readmodels.RoleState, string, error) {
	for _, from := range []string{planID, readmodels.Catalog} {
		state, err := readmodels.RoleStates.Peek(f.ctx, f.tx, from, role)
		if err != nil || state != nil {
			return state, from, err
		}
	}
	return nil, "", nil
}

func skillIn(f *Fold, planID, id string) (readmodels.SkillName, error) {
	for _, from := range []string{planID, readmodels.Catalog} {
		named, err := readmodels.SkillNames.Peek(f.ctx, f.tx, from, id)
		if err != nil {
			return readmodels.SkillName{}, err
		}
		if named != nil {
			return *named, nil
		}
	}
	return readmodels.SkillName{}, nil
}

func policyOf(f *Fold, planID string) (readmodels.PolicyState, error) {
	policy, err := readmodels.PolicyStates.Peek(f.ctx, f.tx, planID, "plan")
	if err != nil || policy == nil {
		return readmodels.PolicyState{Rule: string(plan.DefaultRule.Name)}, err
	}
	return *policy, nil
}

// listHolder puts a member on the list of those who hold a role, or takes them off, and notes which catalog roles the
// plan uses.
func listHolder(f *Fold, planID, id string, m *readmodels.MemberState, role string, holds bool) error {
	entry := readmodels.EntryOf(role, readmodels.Fold(m.Name), id)
	if !holds {
		f.tx.Remove(planID, readmodels.HolderIndex, entry)
		return nil
	}
	f.tx.Add(planID, readmodels.HolderIndex, entry)
	_, from, err := roleIn(f, planID, role)
	if err == nil && from == readmodels.Catalog && planID != readmodels.Catalog {
		f.tx.Add(readmodels.Catalog, readmodels.BorrowIndex, readmodels.EntryOf(role, planID))
	}
	return err
}
