package projections

import (
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// analytics counts members by role, by skill of a role, and over the plan. What one member contributes is taken out
// before a change and put in again after it, so that a query adds nothing up.
func analytics() *Projection {
	s := &standings{
		watch: watchAnalytics,
		joined: func(f *Fold) error {
			totals, err := edit(f, readmodels.PlanTallies, "plan")
			if err == nil {
				totals.Members++
			}
			return err
		},
		published: publishTally,
	}
	return New(readmodels.Analytics, s.rules()...)
}

// watchAnalytics moves a member's contributions from what they were to what they become.
func watchAnalytics(f *Fold, plan, id string, m *readmodels.MemberState, roles []string) (func(map[string]readmodels.Visit) error, error) {
	before := make([]readmodels.Tally, len(roles))
	for i, role := range roles {
		tally, err := contribution(f, plan, m, role)
		if err != nil {
			return nil, err
		}
		before[i] = tally
	}
	summary := summarise(m)
	return func(map[string]readmodels.Visit) error {
		for i, role := range roles {
			after, err := contribution(f, plan, m, role)
			if err != nil {
				return err
			}
			if err := moveTally(f, plan, role, before[i], after); err != nil {
				return err
			}
		}
		if now := summarise(m); now != summary {
			totals, err := readmodels.PlanTallies.Edit(f.ctx, f.tx, plan, "plan")
			if err != nil {
				return err
			}
			totals.Tally.Add(summary.tally(), -1)
			totals.Tally.Add(now.tally(), 1)
		}
		return nil
	}, nil
}

// contribution is what one member adds to the tally of a role.
func contribution(f *Fold, plan string, m *readmodels.MemberState, role string) (readmodels.Tally, error) {
	s := m.Standings[role]
	if s == nil || s.State == "" {
		return readmodels.Tally{}, nil
	}
	t := countStanding(s)
	t.Holders = 1
	state, from, err := roleIn(f, plan, role)
	if err != nil || state == nil {
		return t, err
	}
	version, err := readmodels.RoleVersions.Peek(f.ctx, f.tx, from, readmodels.VersionID(role, state.Version))
	if err != nil || version == nil {
		return t, err
	}
	t.Skills = map[string]*readmodels.SkillTally{}
	for _, k := range version.Skills {
		if counts := readmodels.Counts(m.Results[k.Skill]); counts != nil {
			t.Skills[k.Skill] = countResult(counts, k.Goals)
		}
	}
	return t, nil
}

func countStanding(s *readmodels.Standing) readmodels.Tally {
	t := readmodels.Tally{
		Assigned: one(len(s.Paths) > 0), Engaged: one(s.Selected != ""), Started: one(s.Done >= 1),
		InProgress: one(s.State == string(roleiq.InProgress)), Pending: one(s.State == string(roleiq.Pending)), Completed: one(s.State == completed),
	}
	switch roleiq.Level(s.Level) {
	case roleiq.Beginner:
		t.Levels.Beginner = 1
	case roleiq.Entry:
		t.Levels.Entry = 1
	case roleiq.Mid:
		t.Levels.Mid = 1
	case roleiq.Senior:
		t.Levels.Senior = 1
	}
	return t
}

func countResult(r *readmodels.Result, goals [3]int) *readmodels.SkillTally {
	t := &readmodels.SkillTally{Measured: 1}
	if rank := skill.Level(r.Level).Rank(); rank > 0 {
		t.Levels[rank-1] = 1
	}
	for i, goal := range goals {
		t.Meets[i] = one(r.Score >= goal)
	}
	return t
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// summary is in which ways a member counts in the totals over all roles, at most once each.
type summary struct {
	assigned, engaged, started, inProgress, pending, completed, beginner, entry, mid, senior bool
}

func summarise(m *readmodels.MemberState) summary {
	var all summary
	for _, s := range m.Standings {
		if s.State == "" {
			continue
		}
		all.assigned = all.assigned || len(s.Paths) > 0
		all.engaged = all.engaged || s.Selected != ""
		all.started = all.started || s.Done >= 1
		all.inProgress = all.inProgress || s.State == string(roleiq.InProgress)
		all.pending = all.pending || s.State == string(roleiq.Pending)
		all.completed = all.completed || s.State == completed
		all.beginner = all.beginner || s.Level == string(roleiq.Beginner)
		all.entry = all.entry || s.Level == string(roleiq.Entry)
		all.mid = all.mid || s.Level == string(roleiq.Mid)
		all.senior = all.senior || s.Level == string(roleiq.Senior)
	}
	return all
}

func (s summary) tally() readmodels.Tally {
	return readmodels.Tally{
		Assigned: one(s.assigned), Engaged: one(s.engaged), Started: one(s.started), InProgress: one(s.inProgress),
		Pending: one(s.pending), Completed: one(s.completed),
		Levels: readmodels.LevelCount{Beginner: one(s.beginner), Entry: one(s.entry), Mid: one(s.mid), Senior: one(s.senior)},
	}
}

func moveTally(f *Fold, plan, role string, before, after readmodels.Tally) error {
	row, err := readmodels.RoleTallies.Edit(f.ctx, f.tx, plan, role)
	if err != nil {
		return err
	}
	state, _, err := roleIn(f, plan, role)
	if err != nil || state == nil {
		return err
	}
	// Not only once: a catalog role that nobody in the plan held was not followed.
	row.Title, row.Version = state.Title, state.Version
	row.Tally.Add(before, -1)
	row.Tally.Add(after, 1)
	listTally(f, plan, role, row)
	return nil
}

// publishTally gives a role its line in the report of a plan: the plan's own roles always, the catalog's only where
// somebody holds them.
func publishTally(f *Fold, plan, role string) error {
	state, from, err := roleIn(f, plan, role)
	if err != nil || state == nil {
		return err
	}
	row, err := readmodels.RoleTallies.Edit(f.ctx, f.tx, plan, role)
	if err != nil {
		return err
	}
	row.Title, row.Version, row.Own = state.Title, state.Version, from == plan
	listTally(f, plan, role, row)
	return nil
}

// listTally keeps the report's index in step with a tally.
func listTally(f *Fold, plan, role string, row *readmodels.RoleTally) {
	entry := ""
	if row.Own || row.Tally.Holders > 0 {
		entry = readmodels.EntryOf(readmodels.Fold(row.Title), role)
	}
	if entry == row.Listed {
		return
	}
	if row.Listed != "" {
		f.tx.Remove(plan, readmodels.ReportIndex, row.Listed)
	}
	if entry != "" {
		f.tx.Add(plan, readmodels.ReportIndex, entry)
	}
	row.Listed = entry
}
