package projections

import (
	"slices"

	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// analytics counts members by role, by skill of a role, and over the plan. What one member contributes is taken out
// before a change and put in again after it, so that a query adds nothing up.
func analytics() *Projection {
	s := &standings{
		watch:     watchAnalytics,
		joined:    func(f *Fold) error { return countMember(f, 1) },
		left:      func(f *Fold) error { return countMember(f, -1) },
		published: publishTally,
	}
	return New(readmodels.Analytics, s.rules()...)
}

func countMember(f *Fold, by int) error {
	totals, err := edit(f, readmodels.PlanTallies, "plan")
	if err == nil {
		totals.Members += by
	}
	return err
}

// watchAnalytics moves a member's contributions from what they were to what they become.
func watchAnalytics(f *Fold, c change, m *readmodels.MemberState) (func() error, error) {
	before := make([]contribution, len(c.roles))
	for i, role := range c.roles {
		var err error
		if before[i], err = contributionOf(f, c, m, role); err != nil {
			return nil, err
		}
	}
	overall := summarise(m)
	return func() error {
		for i, role := range c.roles {
			after, err := contributionOf(f, c, m, role)
			if err != nil {
				return err
			}
			if err := moveTally(f, c.plan, role, before[i], after); err != nil {
				return err
			}
		}
		if now := summarise(m); now != overall {
			totals, err := readmodels.PlanTallies.Edit(f.ctx, f.tx, c.plan, "plan")
			if err != nil {
				return err
			}
			totals.Tally.Add(overall.tally(), -1)
			totals.Tally.Add(now.tally(), 1)
		}
		return nil
	}, nil
}

// contribution is what one member adds to the tally of a role.
type contribution struct {
	counts  counts
	version *roleView     // in force; nil where the member adds nothing by skills
	skills  []skillCounts // in the version's order
}

// counts says in which ways a member counts in a tally, at most once each.
type counts uint16

const (
	holder counts = 1 << iota
	assigned
	engaged
	started
	inProgress
	pending
	complete
	beginner
	entry
	mid
	senior
)

func (c counts) tally() readmodels.Tally {
	return readmodels.Tally{
		Holders: c.one(holder), Assigned: c.one(assigned), Engaged: c.one(engaged), Started: c.one(started),
		InProgress: c.one(inProgress), Pending: c.one(pending), Completed: c.one(complete),
		Levels: readmodels.LevelCount{Beginner: c.one(beginner), Entry: c.one(entry), Mid: c.one(mid), Senior: c.one(senior)},
	}
}

func (c counts) one(way counts) int { return one(c&way != 0) }

// skillCounts is how a member counts in a skill: 0 where not measured, else the rank of the level with marks.
type skillCounts uint8

const (
	rankOf   skillCounts = 7
	measured skillCounts = 8
	meets    skillCounts = 16 // the first of three goals; the others follow
)

func (c skillCounts) tally() readmodels.SkillTally {
	t := readmodels.SkillTally{Measured: one(c&measured != 0)}
	if rank := c & rankOf; rank > 0 {
		t.Levels[rank-1] = 1
	}
	for i := range t.Meets {
		t.Meets[i] = one(c&(meets<<i) != 0)
	}
	return t
}

// contributionOf leaves out what the change does not concern: skills other than the one it is about.
func contributionOf(f *Fold, c change, m *readmodels.MemberState, role string) (contribution, error) {
	s := m.In(role)
	if s == nil || s.State == "" || m.Removed {
		return contribution{}, nil
	}
	seen, err := sightOf(f, c.plan, m, s)
	if err != nil || !seen.inForce.known {
		return contribution{counts: countStanding(s)}, err
	}
	view := seen.inForce
	all := contribution{counts: countStanding(s), version: view, skills: make([]skillCounts, len(view.skills))}
	if c.skill != "" {
		if i := view.has(c.skill); i >= 0 {
			all.skills[i] = countResult(m.Of(c.skill).Counts(), view.skills[i].Goals)
		}
		return all, nil
	}
	for i := range view.skills {
		k := &view.skills[i]
		if seen.judged == view {
			all.skills[i] = countResult(seen.counts(m, i), k.Goals)
		} else {
			all.skills[i] = countResult(m.Of(k.Skill).Counts(), k.Goals)
		}
	}
	return all, nil
}

func countStanding(s *readmodels.Standing) counts {
	c := holder
	if len(s.Paths) > 0 {
		c |= assigned
	}
	if s.Selected != "" {
		c |= engaged
	}
	if s.Done >= 1 {
		c |= started
	}
	switch roleiq.State(s.State) {
	case roleiq.InProgress:
		c |= inProgress
	case roleiq.Pending:
		c |= pending
	case roleiq.Completed:
		c |= complete
	}
	switch roleiq.Level(s.Level) {
	case roleiq.Beginner:
		c |= beginner
	case roleiq.Entry:
		c |= entry
	case roleiq.Mid:
		c |= mid
	case roleiq.Senior:
		c |= senior
	}
	return c
}

func countResult(r *readmodels.Result, goals [3]int) skillCounts {
	if r == nil {
		return 0
	}
	c := measured
	if rank := skill.Level(r.Level).Rank(); rank > 0 {
		c |= skillCounts(rank)
	}
	for i, goal := range goals {
		if r.Score >= goal {
			c |= meets << i
		}
	}
	return c
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// summarise tells in which ways a member counts in the totals over all roles, at most once each.
func summarise(m *readmodels.MemberState) counts {
	var all counts
	for _, s := range m.Standings {
		if s.State != "" && !s.Hidden && !m.Removed {
			all |= countStanding(s)
		}
	}
	return all &^ holder
}

func moveTally(f *Fold, plan, role string, before, after contribution) error {
	view, err := viewOf(f, plan, role, 0)
	if err != nil || !view.known {
		return err
	}
	same := before.counts == after.counts && before.version == after.version && slices.Equal(before.skills, after.skills)
	if same {
		row, err := readmodels.RoleTallies.Peek(f.ctx, f.tx, plan, role)
		if err != nil || row != nil && row.Title == view.title && row.Version == view.inForce {
			return err
		}
	}
	row, err := readmodels.RoleTallies.Edit(f.ctx, f.tx, plan, role)
	if err != nil {
		return err
	}
	// Not only once: a catalog role that nobody in the plan held was not followed.
	renamed := row.Title != view.title
	row.Title, row.Version = view.title, view.inForce
	row.Tally.Add(before.counts.tally(), -1)
	row.Tally.Add(after.counts.tally(), 1)
	moveSkills(&row.Tally, before, after)
	listTally(f, plan, role, row, renamed)
	return nil
}

// moveSkills passes over the skills in which nothing changes.
func moveSkills(t *readmodels.Tally, before, after contribution) {
	same := before.version == after.version
	for i, c := range before.skills {
		if c != 0 && !(same && c == after.skills[i]) {
			t.AddSkill(before.version.skills[i].Skill, c.tally(), -1)
		}
	}
	for i, c := range after.skills {
		if c != 0 && !(same && c == before.skills[i]) {
			t.AddSkill(after.version.skills[i].Skill, c.tally(), 1)
		}
	}
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
	renamed := row.Title != state.Title
	row.Title, row.Version, row.Own, row.Deleted = state.Title, state.Version, from == plan, state.Deleted
	listTally(f, plan, role, row, renamed)
	return nil
}

// listTally keeps the report's index in step with a tally.
func listTally(f *Fold, plan, role string, row *readmodels.RoleTally, renamed bool) {
	wanted := !row.Deleted && (row.Own || row.Tally.Holders > 0)
	if wanted == (row.Listed != "") && !renamed {
		return
	}
	entry := ""
	if wanted {
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
