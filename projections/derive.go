package projections

import (
	"slices"
	"strings"

	"rolewise/domain/plan"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

const completed = string(roleiq.Completed)

// derive brings a member's standing in a role up to date. It is a function of the documents alone, so that deriving
// twice changes nothing. Paths are looked for where they may have changed.
func derive(f *Fold, planID, id string, m *readmodels.MemberState, role string, paths bool) error {
	s := m.EditIn(role)
	listed := s.State != ""
	if paths || !listed {
		if err := findPaths(f, planID, m, s); err != nil {
			return err
		}
	}
	holds := s.Holds()
	if holds != listed {
		if err := listHolder(f, planID, id, m, role, holds); err != nil {
			return err
		}
	}
	if !holds {
		m.Leave(role) // a visit is kept apart: should they hold the role again, it counts on
		return nil
	}
	policy, err := policyOf(f, planID)
	if err != nil {
		return err
	}
	if policy.OnVisit {
		inForce, err := viewOf(f, planID, role, 0)
		if err != nil {
			return err
		}
		s.Hidden = inForce.deleted
		in, err := inputsOf(f, planID, m, s)
		if err == nil {
			judge(f, s, in.Version, plan.LevelRule{Name: plan.RuleName(in.Rule), K: in.K}, skillsOf(in))
		}
		return err
	}
	seen, err := sightOf(f, planID, m, s)
	if err != nil {
		return err
	}
	s.Hidden = seen.inForce.deleted
	view := seen.judged
	var buffer [24]roleiq.Skill
	skills := buffer[:0]
	for i := range view.skills {
		k := &view.skills[i]
		one := roleiq.Skill{Required: k.Required, Status: skill.Status(k.status), Goals: k.Goals}
		if counts := seen.counts(m, i); counts != nil {
			one.Measured, one.Score = true, counts.Score
		}
		skills = append(skills, one)
	}
	judge(f, s, view.version, plan.LevelRule{Name: plan.RuleName(policy.Rule), K: policy.K}, skills)
	return nil
}

// findPaths notes by which paths a member holds a role.
func findPaths(f *Fold, planID string, m *readmodels.MemberState, s *readmodels.Standing) error {
	given := map[string]bool{}
	for _, team := range m.Teams {
		state, err := readmodels.TeamStates.Peek(f.ctx, f.tx, planID, team)
		if err != nil {
			return err
		}
		given[team] = state != nil && slices.Contains(state.Roles, s.Role)
	}
	s.Paths = readmodels.PathsOfMember{Teams: m.Teams, Direct: m.Direct}.Paths(s.Role, func(team string) bool { return given[team] })
	return nil
}

// judge applies the calculation of package roleiq.
func judge(f *Fold, s *readmodels.Standing, version int, rule plan.LevelRule, skills []roleiq.Skill) {
	result := roleiq.Evaluate(rule, s.Selected != "", skills)
	if s.State != string(result.State) || s.Level != string(result.Level) {
		s.Since = readmodels.CauseRecord{Position: f.Position, Type: f.Type, Time: f.Time}
	}
	s.State, s.Level, s.Done, s.Required = string(result.State), string(result.Level), result.Done, result.Required
	s.Version, s.Rule = version, string(rule.Name)
}

func skillsOf(in readmodels.Visit) []roleiq.Skill {
	skills := make([]roleiq.Skill, len(in.Skills))
	for i, k := range in.Skills {
		skills[i] = roleiq.Skill{Required: k.Required, Status: skill.Status(k.Status), Goals: k.Goals, Measured: k.Measured}
		if k.Score != nil {
			skills[i].Score = *k.Score
		}
	}
	return skills
}

// visit freezes what the standing is derived from at present (SPEC PRG-3).
func visit(f *Fold, m *readmodels.MemberState, role string) error {
	policy, err := policyOf(f, f.Plan)
	if err != nil {
		return err
	}
	seen, err := sightOf(f, f.Plan, m, m.EditIn(role))
	if err != nil {
		return err
	}
	view := seen.judged
	var buffer [24]readmodels.VisitedSkill
	skills := buffer[:0]
	for i := range view.skills {
		skills = append(skills, readmodels.VisitedSkill{Status: view.skills[i].status, Taken: seen.taken(m, i)})
	}
	m.KeepVisit(role, view.version, policy.Rule, policy.K, skills)
	return nil
}

// inputsOf returns what counts for a standing: all there is, or under the policy on_visit what there was at the last
// visit. Before the first visit no measurement counts.
func inputsOf(f *Fold, planID string, m *readmodels.MemberState, s *readmodels.Standing) (readmodels.Visit, error) {
	policy, err := policyOf(f, planID)
	if err != nil {
		return readmodels.Visit{}, err
	}
	if !policy.OnVisit {
		return current(f, planID, m, s, policy)
	}
	last, visited, err := m.LastVisit(s.Role, func(version int) ([]readmodels.RoleSkill, error) {
		view, err := viewOf(f, planID, s.Role, version)
		if err != nil {
			return nil, err
		}
		skills := make([]readmodels.RoleSkill, len(view.skills))
		for i, k := range view.skills {
			skills[i] = k.RoleSkill
		}
		return skills, nil
	})
	if err != nil || visited {
		return last, err
	}
	return current(f, planID, &readmodels.MemberState{}, s, policy)
}

// current returns the role's version with its skills' states and the member's measurements as they are now.
func current(f *Fold, planID string, m *readmodels.MemberState, s *readmodels.Standing, policy readmodels.PolicyState) (readmodels.Visit, error) {
	view, err := viewOf(f, planID, s.Role, s.Pinned)
	if err != nil {
		return readmodels.Visit{}, err
	}
	in := readmodels.Visit{Version: view.version, Rule: policy.Rule, K: policy.K}
	for _, k := range view.skills {
		input := readmodels.SkillInput{Skill: k.Skill, Required: k.Required, Status: k.status, Goals: k.Goals}
		if counts := m.Of(k.Skill).Counts(); counts != nil {
			score := counts.Score
			input.Measured, input.Score, input.Session = true, &score, counts.Session
		}
		in.Skills = append(in.Skills, input)
	}
	return in, nil
}

// roleView is a version of a role with the states of its skills, as a plan sees them.
type roleView struct {
	known   bool // the role has a version in force
	deleted bool
	title   string
	inForce int
	version int // which this one is; 0 if the role is not known
	skills  []viewedSkill
}

type viewedSkill struct {
	readmodels.RoleSkill
	status string
}

// has returns the number of a skill in the version, -1 if it is not in it.
func (v *roleView) has(skill string) int {
	for i := range v.skills {
		if v.skills[i].Skill == skill {
			return i
		}
	}
	return -1
}

type viewKey struct {
	role    string
	version int
}

type (
	allViews = readmodels.Memo[viewKey, *roleView]
	views    = readmodels.PlanMemo[viewKey, *roleView]
)

// viewsOf returns the views of roles that a plan has.
func viewsOf(f *Fold, planID string) *views {
	if f.views == nil {
		f.views = readmodels.MemoOf[viewKey, *roleView](f.tx, restsOn, readmodels.RoleStates.Name, readmodels.RoleVersions.Name, readmodels.SkillNames.Name)
	}
	return f.views.Of(planID)
}

// restsOn tells whether a view may rest on a document. That of a skill bears on many roles, and changes seldom.
func restsOn(on readmodels.Key, view viewKey) bool {
	return on.Collection == readmodels.SkillNames.Name || strings.HasPrefix(on.ID, view.role) // the role itself, or one of its versions
}

// viewOf returns a version of a role, 0 for the one in force. Nobody may change it.
func viewOf(f *Fold, planID, role string, version int) (*roleView, error) {
	return viewsOf(f, planID).Get(viewKey{role, version}, func() (*roleView, error) { return look(f, planID, role, version) })
}

func look(f *Fold, planID, role string, version int) (*roleView, error) {
	state, from, err := roleIn(f, planID, role)
	if err != nil || state == nil {
		return &roleView{}, err
	}
	view := &roleView{known: true, deleted: state.Deleted, title: state.Title, inForce: state.Version, version: version}
	if version == 0 {
		view.version = state.Version
	}
	content, err := readmodels.RoleVersions.Peek(f.ctx, f.tx, from, readmodels.VersionID(role, view.version))
	if err != nil || content == nil {
		return view, err
	}
	for _, k := range content.Skills {
		named, err := skillIn(f, planID, k.Skill)
		if err != nil {
			return nil, err
		}
		view.skills = append(view.skills, viewedSkill{k, named.State})
	}
	return view, nil
}

// sight is how a member's role looked the last time, kept with the standing: it spares most events every search.
type sight struct {
	generation      uint64 // of the views
	pinned, results int    // what it depends on besides: the version pinned, and how many skills were measured
	inForce, judged *roleView
	places          []int16 // of the judged skills in the member's results, -1 where not measured
}

// counts returns the measurement that counts in a judged skill, nil if there is none.
func (s *sight) counts(m *readmodels.MemberState, i int) *readmodels.Result {
	if s.places[i] < 0 {
		return nil
	}
	return m.Results[s.places[i]].Counts()
}

// taken tells which measurement that is.
func (s *sight) taken(m *readmodels.MemberState, i int) int {
	if s.places[i] < 0 {
		return 0
	}
	return m.Results[s.places[i]].Taken()
}

// sightOf returns the role's versions, in force and judged by, as they are now.
func sightOf(f *Fold, planID string, m *readmodels.MemberState, s *readmodels.Standing) (*sight, error) {
	kept, _ := s.Kept.(*sight)
	generation := viewsOf(f, planID).Generation()
	if kept != nil && kept.generation == generation && kept.pinned == s.Pinned && kept.results == len(m.Results) {
		return kept, nil
	}
	inForce, err := viewOf(f, planID, s.Role, 0)
	if err != nil {
		return nil, err
	}
	judged := inForce
	if s.Pinned > 0 {
		if judged, err = viewOf(f, planID, s.Role, s.Pinned); err != nil {
			return nil, err
		}
	}
	if kept == nil {
		kept = &sight{}
		s.Kept = kept
	}
	if kept.judged == judged && kept.results == len(m.Results) {
		kept.generation, kept.pinned, kept.inForce = generation, s.Pinned, inForce
		return kept, nil
	}
	places := kept.places[:0]
	for i := range judged.skills {
		place, measured := m.Find(judged.skills[i].Skill)
		if !measured {
			place = -1
		}
		places = append(places, int16(place))
	}
	*kept = sight{generation, s.Pinned, len(m.Results), inForce, judged, places}
	return kept, nil
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
	index, entry := readmodels.IndexOf(readmodels.HolderIndex, role), readmodels.EntryOf(readmodels.Fold(m.Name), readmodels.ShortID(id))
	if !holds || m.Removed {
		f.tx.Remove(planID, index, entry)
		return nil
	}
	f.tx.Add(planID, index, entry)
	_, from, err := roleIn(f, planID, role)
	if err == nil && from == readmodels.Catalog && planID != readmodels.Catalog {
		f.tx.Add(readmodels.Catalog, readmodels.BorrowIndex, readmodels.EntryOf(role, planID))
	}
	return err
}
