package readmodels

import (
	"slices"
	"strings"
	"time"

	"rolewise/eventstore"
)

// Documents from which a member's standing in roles is derived. The projections progress and role-analytics each keep
// their own, in their own scope.
type (
	// MemberState is all that counts of one member. It is packed, since every event about the member writes it anew.
	MemberState struct {
		Name      string
		Email     string
		Teams     []string
		Direct    []string       // roles assigned by name
		Results   []SkillResults // by skill, sorted
		Beta      []BetaTaken    // by skill, sorted
		Standings []*Standing    // by role, sorted
		Visits    []KeptVisit    // by role, sorted
		Removed   bool           // from the plan: all is kept, and nothing counted (SPEC MEM-2)
	}
	// BetaTaken says when a member took the beta assessment of a skill last.
	BetaTaken struct {
		Skill string
		At    time.Time
	}
	// Result is one measurement of a member in a skill.
	Result struct {
		Session    string
		Score      int
		Level      string
		MeasuredAt time.Time
		Invalid    bool
	}
	// Standing is a member's standing in a role.
	Standing struct {
		Role     string
		Paths    []string
		Selected string // level of the member's own choice
		Version  int    // of the role, by which the member was judged
		Pinned   int    // version that the member stays with (SPEC ROL-8, grandfather)
		State    string
		Level    string
		Done     int
		Required int
		Rule     string      // by which the level was judged
		Hidden   bool        // the role was deleted: the standing goes on, but is not shown, nor counted in the totals (SPEC ROL-9)
		Since    CauseRecord // the event that last changed state or level
		Kept     any         // what rules keep between events; no part of the document

		packed []byte // as it was packed last; empty since it was given out for change
	}
	// CauseRecord names an event.
	CauseRecord struct {
		Position eventstore.Position
		Type     string
		Time     time.Time
	}
)

// SkillResults is what was measured of a member in one skill, in the order recorded.
type SkillResults struct {
	Skill  string
	counts Result
	taken  int    // which measurement counts, from 1 in the order recorded; 0: none
	all    int    // how many there are
	packed []byte // the skill, then each measurement
	head   int    // bytes of the skill in it
}

// resultsIn keeps nothing of the event that the text is a part of.
func resultsIn(skill string) SkillResults {
	packed := packText(nil, skill)
	return SkillResults{Skill: strings.Clone(skill), packed: packed, head: len(packed)}
}

// Counts returns the measurement that counts: the newest measured_at among the valid ones, the later recorded of two at
// the same moment (SPEC MSR-5); nil if there is none. The caller must not change it.
func (r *SkillResults) Counts() *Result {
	if r.Taken() == 0 {
		return nil
	}
	return &r.counts
}

// Taken tells which measurement counts, from 1 in the order recorded; 0 if none does.
func (r *SkillResults) Taken() int {
	if r == nil {
		return 0
	}
	return r.taken
}

// Add records a measurement.
func (r *SkillResults) Add(result Result) {
	r.packed = result.pack(r.packed)
	r.weigh(result)
}

func (r *SkillResults) weigh(result Result) {
	r.all++
	if !result.Invalid && (r.taken == 0 || !result.MeasuredAt.Before(r.counts.MeasuredAt)) {
		r.counts, r.taken = result, r.all
	}
}

// Invalidate lets what was measured in a session count no more.
func (r *SkillResults) Invalidate(session string) error {
	all, err := r.All()
	if err != nil {
		return err
	}
	*r = SkillResults{Skill: r.Skill, packed: r.packed[:r.head], head: r.head}
	for _, result := range all {
		result.Invalid = result.Invalid || result.Session == session
		r.Add(result)
	}
	return nil
}

// All returns every measurement, the oldest recorded first.
func (r *SkillResults) All() ([]Result, error) {
	if r == nil {
		return nil, nil
	}
	var all []Result
	u := unpacker{rest: r.packed[r.head:]}
	for len(u.rest) > 0 && !u.failed {
		all = append(all, u.result())
	}
	return all, u.err()
}

func (r Result) pack(b []byte) []byte {
	invalid := byte(0)
	if r.Invalid {
		invalid = 1
	}
	b = packText(append(b, invalid), r.Session)
	return packTime(packText(packNumber(b, r.Score), r.Level), r.MeasuredAt)
}

func (u *unpacker) result() Result {
	return Result{
		Invalid: u.flags() == 1, Session: u.text(), Score: u.number(), Level: u.text(), MeasuredAt: u.time(),
	}
}

// Find returns the place of a skill in Results, or where it would be, and whether anything was measured in it.
func (m *MemberState) Find(skill string) (int, bool) {
	low, high := 0, len(m.Results)
	for low < high {
		if middle := (low + high) / 2; m.Results[middle].Skill < skill {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(m.Results) && m.Results[low].Skill == skill
}

// Of returns what was measured in a skill, nil if nothing was.
func (m *MemberState) Of(skill string) *SkillResults {
	i, found := m.Find(skill)
	if !found {
		return nil
	}
	return &m.Results[i]
}

// Measure records a measurement in a skill.
func (m *MemberState) Measure(skill string, result Result) {
	result.Session = strings.Clone(result.Session) // else it would hold on to the event that it is a part of
	i, found := m.Find(skill)
	if !found {
		m.Results = slices.Insert(m.Results, i, resultsIn(skill))
	}
	m.Results[i].Add(result)
}

// TakeBeta notes when the beta assessment of a skill was taken, if that is the last time.
func (m *MemberState) TakeBeta(skill string, at time.Time) {
	i, found := slices.BinarySearchFunc(m.Beta, skill, func(b BetaTaken, skill string) int { return strings.Compare(b.Skill, skill) })
	if !found {
		m.Beta = slices.Insert(m.Beta, i, BetaTaken{Skill: skill, At: at})
	} else if m.Beta[i].At.Before(at) {
		m.Beta[i].At = at
	}
}

func (m *MemberState) standing(role string) (int, bool) {
	for i, s := range m.Standings { // few
		if s.Role >= role {
			return i, s.Role == role
		}
	}
	return len(m.Standings), false
}

// In returns the standing in a role, nil if there is none.
func (m *MemberState) In(role string) *Standing {
	if i, found := m.standing(role); found {
		return m.Standings[i]
	}
	return nil
}

// EditIn returns the standing in a role for change, a new one if there is none. It is changed before the document is
// packed again.
func (m *MemberState) EditIn(role string) *Standing {
	i, found := m.standing(role)
	if !found {
		m.Standings = slices.Insert(m.Standings, i, &Standing{Role: strings.Clone(role)})
	}
	s := m.Standings[i]
	s.packed = s.packed[:0]
	return s
}

// Leave drops the standing in a role.
func (m *MemberState) Leave(role string) {
	if i, found := m.standing(role); found {
		m.Standings = slices.Delete(m.Standings, i, i+1)
	}
}

// AppendBinary packs the document.
func (m *MemberState) AppendBinary(b []byte) ([]byte, error) {
	b = packTexts(packTexts(packText(packText(b, m.Name), m.Email), m.Teams), m.Direct)
	b = packNumber(b, len(m.Results))
	for i := range m.Results {
		r := &m.Results[i]
		b = packBytes(append(b, r.packed[:r.head]...), r.packed[r.head:])
	}
	b = packNumber(b, len(m.Beta))
	for _, taken := range m.Beta {
		b = packTime(packText(b, taken.Skill), taken.At)
	}
	b = packNumber(b, len(m.Standings))
	for _, s := range m.Standings {
		if len(s.packed) == 0 {
			s.packed = s.pack(s.packed)
		}
		b = append(b, s.packed...)
	}
	b = packNumber(b, len(m.Visits))
	for _, v := range m.Visits {
		b = packBytes(packText(b, v.Role), v.packed)
	}
	if m.Removed {
		return append(b, 1), nil
	}
	return append(b, 0), nil
}

// UnmarshalBinary unpacks the document.
func (m *MemberState) UnmarshalBinary(b []byte) error {
	u := unpacker{rest: b}
	*m = MemberState{Name: u.text(), Email: u.text(), Teams: u.texts(), Direct: u.texts()}
	for range u.count() {
		r := resultsIn(u.text())
		r.packed = append(r.packed, u.take(u.number())...)
		all, err := r.All()
		if err != nil {
			return err
		}
		for _, result := range all {
			r.weigh(result)
		}
		m.Results = append(m.Results, r)
	}
	for range u.count() {
		m.Beta = append(m.Beta, BetaTaken{Skill: u.text(), At: u.time()})
	}
	for range u.count() {
		m.Standings = append(m.Standings, u.standing())
	}
	for range u.count() {
		m.Visits = append(m.Visits, KeptVisit{Role: u.text(), packed: u.bytes()})
	}
	m.Removed = u.flags() == 1
	return u.err()
}

func (s *Standing) pack(b []byte) []byte {
	b = packTexts(packText(b, s.Role), s.Paths)
	b = packNumber(packNumber(packText(b, s.Selected), s.Version), s.Pinned)
	b = packNumber(packNumber(packText(packText(b, s.State), s.Level), s.Done), s.Required)
	b = packNumber(packText(b, s.Rule), int(s.Since.Position))
	b = packTime(packText(b, s.Since.Type), s.Since.Time)
	if s.Hidden {
		return append(b, 1)
	}
	return append(b, 0)
}

func (u *unpacker) standing() *Standing {
	return &Standing{
		Role: u.text(), Paths: u.texts(), Selected: u.text(), Version: u.number(), Pinned: u.number(), State: u.text(),
		Level: u.text(), Done: u.number(), Required: u.number(), Rule: u.text(),
		Since:  CauseRecord{Position: eventstore.Position(u.number()), Type: u.text(), Time: u.time()},
		Hidden: u.flags() == 1,
	}
}

// Holds tells whether the member holds the role: by a path, or by a selected level (SPEC PRG-1).
func (s *Standing) Holds() bool { return s != nil && (len(s.Paths) > 0 || s.Selected != "") }

// KeptVisit is what a standing was derived from at the last visit or refresh, for the policy on_visit. What the role's
// version says of its skills is not kept with it, nor are measurements, which the member's results have.
type KeptVisit struct {
	Role   string
	packed []byte
}

// VisitedSkill is what was known of a skill of the role at a visit.
type VisitedSkill struct {
	Status string
	Taken  int // of the results in the skill
}

// KeepVisit replaces what was kept of a role: the version in force, the rule, and its skills in the version's order.
func (m *MemberState) KeepVisit(role string, version int, rule string, k int, skills []VisitedSkill) {
	i, found := slices.BinarySearchFunc(m.Visits, role, func(v KeptVisit, role string) int { return strings.Compare(v.Role, role) })
	if !found {
		m.Visits = slices.Insert(m.Visits, i, KeptVisit{Role: role})
	}
	b := packNumber(packText(packNumber(m.Visits[i].packed[:0], version), rule), k)
	b = packNumber(b, len(skills))
	for _, s := range skills {
		b = packNumber(packText(b, s.Status), s.Taken)
	}
	m.Visits[i].packed = b
}

// LastVisit returns what was kept of a role, with what its version says of its skills; false if nothing was.
func (m *MemberState) LastVisit(role string, skillsOf func(version int) ([]RoleSkill, error)) (Visit, bool, error) {
	i, found := slices.BinarySearchFunc(m.Visits, role, func(v KeptVisit, role string) int { return strings.Compare(v.Role, role) })
	if !found {
		return Visit{}, false, nil
	}
	u := unpacker{rest: m.Visits[i].packed}
	v := Visit{Version: u.number(), Rule: u.text(), K: u.number()}
	n := u.count()
	skills, err := skillsOf(v.Version)
	if err != nil {
		return v, false, err
	}
	if n > len(skills) {
		return v, false, errPacked
	}
	for _, k := range skills[:n] {
		input := SkillInput{Skill: k.Skill, Required: k.Required, Goals: k.Goals, Status: u.text()}
		if taken := u.number(); taken != 0 {
			all, err := m.Of(k.Skill).All()
			if err != nil {
				return v, false, err
			}
			if taken < 0 || taken > len(all) {
				return v, false, errPacked
			}
			score := all[taken-1].Score
			input.Measured, input.Score, input.Session = true, &score, all[taken-1].Session
		}
		v.Skills = append(v.Skills, input)
	}
	return v, true, u.err()
}
