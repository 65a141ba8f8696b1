package readmodels

import (
	"context"
	"time"

	"rolewise/eventstore"
)

// EngagedV1 counts as engaged who selected a level in at least one role (SPEC ANA-5).
const EngagedV1 = "engaged.v1"

// Documents of the role analytics, besides those that standings are derived from.
type (
	// Tally counts the members of one role. Tallies add up: what one member contributes can be taken out again.
	Tally struct {
		Holders    int                    `json:"holders"`  // hold the role by a path or by a selected level
		Assigned   int                    `json:"assigned"` // hold the role by any path
		Engaged    int                    `json:"engaged"`  // selected a level in it
		Started    int                    `json:"started"`
		InProgress int                    `json:"in_progress"`
		Pending    int                    `json:"pending"`
		Completed  int                    `json:"completed"`
		Levels     LevelCount             `json:"levels"` // of those completed
		Skills     map[string]*SkillTally `json:"skills,omitempty"`
	}
	// LevelCount counts members by the level they reached.
	LevelCount struct {
		Beginner int `json:"beginner"`
		Entry    int `json:"entry"`
		Mid      int `json:"mid"`
		Senior   int `json:"senior"`
	}
	// SkillTally counts the members who hold the role by their standing in one of its skills.
	SkillTally struct {
		Measured int    `json:"measured"`
		Levels   [5]int `json:"levels"` // novice to expert
		Meets    [3]int `json:"meets"`  // goals entry, mid, senior
	}
	// RoleTally is the tally of a role with what its line in a report shows besides.
	RoleTally struct {
		Title   string `json:"title"`
		Version int    `json:"version"`
		Own     bool   `json:"own"`               // the plan's own, listed also without a holder
		Deleted bool   `json:"deleted,omitempty"` // not listed, whoever holds it
		Listed  string `json:"listed,omitempty"`  // its entry in the report, empty while it is not listed
		Tally   Tally  `json:"tally"`
	}
	// PlanTally counts distinct members over all roles.
	PlanTally struct {
		Members int   `json:"members"`
		Tally   Tally `json:"tally"`
	}
)

// Collections and indexes of the role analytics.
var (
	RoleTallies = Collection[RoleTally]{"tally"}
	PlanTallies = Collection[PlanTally]{"totals"}
)

// ReportIndex lists the roles of a plan that its report shows, by title.
const ReportIndex = "report"

// Rows of the reports.
type (
	// RoleLine is the line of a role in the report on all roles.
	RoleLine struct {
		Role       string     `json:"role"`
		Title      string     `json:"title"`
		Version    int        `json:"version"`
		Beta       bool       `json:"beta"` // a required skill is in beta
		Assigned   int        `json:"assigned"`
		Engaged    int        `json:"engaged"`
		Started    int        `json:"started"`
		InProgress int        `json:"in_progress"`
		Pending    int        `json:"pending"`
		Completed  int        `json:"completed"`
		Levels     LevelCount `json:"levels"`
	}
	// TotalLine counts distinct members over all roles.
	TotalLine struct {
		Assigned   int        `json:"assigned"`
		Engaged    int        `json:"engaged"`
		Started    int        `json:"started"`
		InProgress int        `json:"in_progress"`
		Pending    int        `json:"pending"`
		Completed  int        `json:"completed"`
		Levels     LevelCount `json:"levels"`
	}
	// RolesReport is a page of the report on all roles, with the totals over all of them.
	RolesReport struct {
		List[RoleLine]
		Totals  TotalLine
		Members int
		Metric  string
	}
	// SkillLine is how the holders of a role stand in one of its skills.
	SkillLine struct {
		Skill        string      `json:"skill"`
		Name         string      `json:"name"`
		Required     bool        `json:"required"`
		Goals        [3]int      `json:"goals"`
		Measured     int         `json:"measured"`
		Levels       SkillLevels `json:"levels"`
		AverageLevel *float64    `json:"average_level"` // 1 to 5; null if nobody was measured
		Meets        Meets       `json:"meets"`
	}
	// SkillLevels counts members by their level in a skill.
	SkillLevels struct {
		Novice       int `json:"novice"`
		Emerging     int `json:"emerging"`
		Average      int `json:"average"`
		AboveAverage int `json:"above_average"`
		Expert       int `json:"expert"`
	}
	// Meets counts members whose score reaches a goal.
	Meets struct {
		Entry  int `json:"entry"`
		Mid    int `json:"mid"`
		Senior int `json:"senior"`
	}
	// RoleReport is the report on one role.
	RoleReport struct {
		RoleLine
		Skills []SkillLine
		Metric string
	}
	// MemberLine is the line of a member in the report on a role's members.
	MemberLine struct {
		Member        string            `json:"member"`
		Name          string            `json:"name"`
		Email         string            `json:"email"`
		Teams         []string          `json:"teams"`
		Paths         []string          `json:"paths"`
		State         string            `json:"state"`
		SelectedLevel *string           `json:"selected_level"`
		Level         *string           `json:"level"`
		RequiredDone  int               `json:"required_done"`
		RequiredTotal int               `json:"required_total"`
		LastMeasured  *time.Time        `json:"last_measured"`
		Version       int               `json:"version"` // of the role, by which the member is judged
		Rule          string            `json:"rule"`    // by which the level was judged
		Skills        []MemberSkillLine `json:"skills"`
	}
	// MemberSkillLine is how a member stands in one skill of the role.
	MemberSkillLine struct {
		Skill      string     `json:"skill"`
		Name       string     `json:"name"`
		Required   bool       `json:"required"`
		Level      *string    `json:"level"`
		MeasuredAt *time.Time `json:"measured_at"`
		Stale      bool       `json:"stale"`
		NextRetake *time.Time `json:"next_retake"` // null where not measured
	}
)

// retakeDays is how long after a measurement the next one makes sense: the default of the policy retake_days (SPEC
// PLN-4).
const retakeDays = 14

// AnalyticsRoles reports on all roles of a plan, ordered by title (SPEC ANA-1).
func (q *Queries) AnalyticsRoles(ctx context.Context, plan string, want Want) (report RolesReport, at Checkpoint, err error) {
	at, err = q.view(ctx, Analytics, plan, want.Min, func(r Reader) error {
		report = RolesReport{Metric: EngagedV1}
		totals, err := PlanTallies.Load(ctx, r, Analytics, plan, "plan")
		if err != nil {
			return err
		}
		if totals[0] != nil {
			report.Members, report.Totals = totals[0].Members, totals[0].Tally.total()
		}
		entries, err := r.Entries(ctx, Analytics, Index{plan, ReportIndex}, Range{After: want.After, Limit: want.Limit + 1})
		if err != nil {
			return err
		}
		if len(entries) > want.Limit {
			entries = entries[:want.Limit]
			report.Next = entries[want.Limit-1]
		}
		for _, entry := range entries {
			line, _, err := roleLine(ctx, r, plan, EntryID(entry))
			if err != nil {
				return err
			}
			if line != nil {
				report.Items = append(report.Items, *line)
			}
		}
		return nil
	})
	return report, at, err
}

// AnalyticsRole reports on one role (SPEC ANA-2), nil if the plan's report has no such role.
func (q *Queries) AnalyticsRole(ctx context.Context, plan, role string, min eventstore.Position) (report *RoleReport, at Checkpoint, err error) {
	at, err = q.view(ctx, Analytics, plan, min, func(r Reader) error {
		line, tally, err := roleLine(ctx, r, plan, role)
		if err != nil || line == nil {
			report = nil
			return err
		}
		report = &RoleReport{RoleLine: *line, Metric: EngagedV1}
		version, err := roleVersion(ctx, r, plan, role, line.Version)
		if err != nil {
			return err
		}
		names, err := namesOf(ctx, r, Analytics, plan, version.Skills)
		for i, named := range names {
			report.Skills = append(report.Skills, skillLine(version.Skills[i], named, tally.Skills[version.Skills[i].Skill]))
		}
		return err
	})
	return report, at, err
}

// AnalyticsMembers reports on each member who holds a role, ordered by name (SPEC ANA-3); no List if the plan's report
// has no such role.
func (q *Queries) AnalyticsMembers(ctx context.Context, plan, role string, want Want) (page *List[MemberLine], at Checkpoint, err error) {
	at, err = q.view(ctx, Analytics, plan, want.Min, func(r Reader) error {
		page = nil
		line, _, err := roleLine(ctx, r, plan, role)
		if err != nil || line == nil {
			return err
		}
		versions := &namedVersions{had: map[int]namedVersion{}, read: func(n int) (RoleVersion, []SkillName, error) {
			version, err := roleVersion(ctx, r, plan, role, n)
			if err != nil {
				return version, nil, err
			}
			names, err := namesOf(ctx, r, Analytics, plan, version.Skills)
			return version, names, err
		}}
		entries, err := r.Entries(ctx, Analytics, Index{plan, IndexOf(HolderIndex, role)}, Range{After: want.After, Limit: want.Limit + 1})
		if err != nil {
			return err
		}
		page = &List[MemberLine]{}
		if len(entries) > want.Limit {
			entries = entries[:want.Limit]
			page.Next = entries[want.Limit-1]
		}
		ids := make([]string, len(entries))
		for i, entry := range entries {
			ids[i] = LongID(EntryID(entry))
		}
		members, err := MemberStates.Load(ctx, r, Analytics, plan, ids...)
		if err != nil {
			return err
		}
		for i, member := range members {
			if member == nil || !member.In(role).Holds() {
				continue
			}
			judged, err := versions.of(member.In(role).Version)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, memberLine(ids[i], member, member.In(role), judged))
		}
		return nil
	})
	return page, at, err
}

// namedVersions reads the versions of a role by which members are judged, each once, with the names of their skills.
type namedVersions struct {
	read func(version int) (RoleVersion, []SkillName, error)
	had  map[int]namedVersion
}

type namedVersion struct {
	skills []RoleSkill
	names  []SkillName
}

func (v *namedVersions) of(version int) (namedVersion, error) {
	if known, ok := v.had[version]; ok {
		return known, nil
	}
	content, names, err := v.read(version)
	if err != nil {
		return namedVersion{}, err
	}
	v.had[version] = namedVersion{content.Skills, names}
	return v.had[version], nil
}

func roleLine(ctx context.Context, r Reader, plan, role string) (*RoleLine, *Tally, error) {
	rows, err := RoleTallies.Load(ctx, r, Analytics, plan, role)
	if err != nil || rows[0] == nil || rows[0].Listed == "" {
		return nil, nil, err
	}
	row := rows[0]
	version, err := roleVersion(ctx, r, plan, role, row.Version)
	if err != nil {
		return nil, nil, err
	}
	names, err := namesOf(ctx, r, Analytics, plan, version.Skills)
	if err != nil {
		return nil, nil, err
	}
	beta := false
	for i, named := range names {
		beta = beta || (version.Skills[i].Required && named.State == "beta")
	}
	t := row.Tally
	return &RoleLine{
		Role: role, Title: row.Title, Version: row.Version, Beta: beta, Assigned: t.Assigned, Engaged: t.Engaged,
		Started: t.Started, InProgress: t.InProgress, Pending: t.Pending, Completed: t.Completed, Levels: t.Levels,
	}, &t, nil
}

func skillLine(s RoleSkill, named SkillName, t *SkillTally) SkillLine {
	line := SkillLine{Skill: s.Skill, Name: named.Name, Required: s.Required, Goals: s.Goals}
	if t == nil || t.Measured == 0 {
		return line
	}
	sum := 0
	for i, n := range t.Levels {
		sum += (i + 1) * n
	}
	average := float64(sum) / float64(t.Measured)
	line.Measured, line.AverageLevel = t.Measured, &average
	line.Levels = SkillLevels{t.Levels[0], t.Levels[1], t.Levels[2], t.Levels[3], t.Levels[4]}
	line.Meets = Meets{t.Meets[0], t.Meets[1], t.Meets[2]}
	return line
}

func memberLine(id string, m *MemberState, s *Standing, judged namedVersion) MemberLine {
	line := MemberLine{
		Member: id, Name: m.Name, Email: m.Email, Teams: orEmpty(m.Teams), Paths: orEmpty(s.Paths), State: s.State,
		SelectedLevel: Optional(s.Selected), Level: Optional(s.Level), Version: s.Version, Rule: s.Rule,
		RequiredDone: s.Done, RequiredTotal: s.Required, Skills: []MemberSkillLine{},
	}
	for i, skill := range judged.skills {
		cell := MemberSkillLine{Skill: skill.Skill, Name: judged.names[i].Name, Required: skill.Required}
		if newest := m.Of(skill.Skill).Counts(); newest != nil {
			retake := newest.MeasuredAt.AddDate(0, 0, retakeDays)
			cell.Level, cell.MeasuredAt, cell.NextRetake = &newest.Level, &newest.MeasuredAt, &retake
			if line.LastMeasured == nil || line.LastMeasured.Before(newest.MeasuredAt) {
				line.LastMeasured = &newest.MeasuredAt
			}
		}
		line.Skills = append(line.Skills, cell)
	}
	return line
}

// Add puts another tally's counts in (times 1) or takes them out again (times -1), but for those of its skills.
func (t *Tally) Add(o Tally, times int) {
	t.Holders += times * o.Holders
	t.Assigned += times * o.Assigned
	t.Engaged += times * o.Engaged
	t.Started += times * o.Started
	t.InProgress += times * o.InProgress
	t.Pending += times * o.Pending
	t.Completed += times * o.Completed
	t.Levels.Beginner += times * o.Levels.Beginner
	t.Levels.Entry += times * o.Levels.Entry
	t.Levels.Mid += times * o.Levels.Mid
	t.Levels.Senior += times * o.Levels.Senior
}

// AddSkill counts a member's standing in a skill in (times 1) or takes it out again (times -1). A skill that nobody is
// counted in is dropped, so that a tally does not tell what it once held.
func (t *Tally) AddSkill(id string, o SkillTally, times int) {
	if t.Skills == nil {
		t.Skills = map[string]*SkillTally{}
	}
	s := t.Skills[id]
	if s == nil {
		s = &SkillTally{}
		t.Skills[id] = s
	}
	s.Measured += times * o.Measured
	for i := range s.Levels {
		s.Levels[i] += times * o.Levels[i]
	}
	for i := range s.Meets {
		s.Meets[i] += times * o.Meets[i]
	}
	if *s == (SkillTally{}) {
		delete(t.Skills, id)
	}
}

func (t Tally) total() TotalLine {
	return TotalLine{t.Assigned, t.Engaged, t.Started, t.InProgress, t.Pending, t.Completed, t.Levels}
}

// roleState returns a role of the plan, else of the catalog.
func roleState(ctx context.Context, r Reader, scope Scope, plan, role string) (RoleState, error) {
	for _, from := range []string{plan, Catalog} {
		rows, err := RoleStates.Load(ctx, r, scope, from, role)
		if err != nil {
			return RoleState{}, err
		}
		if rows[0] != nil {
			return *rows[0], nil
		}
	}
	return RoleState{}, nil
}

func roleVersion(ctx context.Context, r Reader, plan, role string, version int) (RoleVersion, error) {
	for _, from := range []string{plan, Catalog} {
		rows, err := RoleVersions.Load(ctx, r, Analytics, from, VersionID(role, version))
		if err != nil {
			return RoleVersion{}, err
		}
		if rows[0] != nil {
			return *rows[0], nil
		}
	}
	return RoleVersion{}, nil
}

// Optional is the JSON form of a text that may be absent: null.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty is the JSON form of a list: [] rather than null.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
