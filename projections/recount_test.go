package projections_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// TestRecount compares the analytics, the progress and the assignments with a plain recount of the events (SPEC ANA-1
// to ANA-3, PRG-1 to PRG-3, ASG-2).
func TestRecount(t *testing.T) {
	cases(t, 40)
	hs := newHistories(t)
	rapid.Check(t, func(r *rapid.T) {
		h := hs.random(r, 40, 150)
		log := h.events()
		models := memory.New()
		defer models.Close()
		for _, p := range projections.All() {
			projector, err := projections.NewProjector(hs.Context(), p, fixed{ID: "log", Head: log[len(log)-1].Position}, models)
			if err != nil {
				r.Fatal(err)
			}
			page := eventstore.Page{Events: log, Through: log[len(log)-1].Position}
			if err := projector.Apply(hs.Context(), page); err != nil {
				r.Fatal(err)
			}
		}
		l := newLedger(hs, log)
		for _, in := range []string{string(h.plans[0]), string(h.plans[1]), vendor} {
			recount := &recount{T: r, ledger: l, in: in, ask: readmodels.NewQueries(models, 1)}
			recount.analytics()
			recount.people()
		}
	})
}

type recount struct {
	*rapid.T
	*ledger
	in  string
	ask *readmodels.Queries
}

func (c *recount) same(what string, got, want any) {
	c.Helper()
	if g, w := jsonText(c.T, got), jsonText(c.T, want); g != w {
		c.Fatalf("%s of %s\n got  %s\n want %s", what, c.in, g, w)
	}
}

// members of the plan, by id. Those removed are counted nowhere (SPEC MEM-2).
func (c *recount) members() []at {
	var all []at
	for who, p := range c.ledger.people {
		if who.plan == c.in && !p.removed {
			all = append(all, who)
		}
	}
	slices.SortFunc(all, func(a, b at) int { return slices.Compare([]byte(a.id), []byte(b.id)) })
	return all
}

// ids of all roles that the plan could show: its own and the vendor's, the published ones.
func (c *recount) roleIDs() []string {
	ids := map[string]bool{}
	for r := range c.ledger.roles {
		if r.plan == c.in || r.plan == vendor {
			ids[r.id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// count adds a member to the counts of a line.
func count(line *readmodels.TotalLine, paths []string, selected string, s standing) {
	if len(paths) > 0 {
		line.Assigned++
	}
	if selected != "" {
		line.Engaged++
	}
	if s.done > 0 {
		line.Started++
	}
	switch s.state {
	case "in_progress":
		line.InProgress++
	case "pending":
		line.Pending++
	case "completed":
		line.Completed++
	}
	switch s.level {
	case "beginner":
		line.Levels.Beginner++
	case "entry":
		line.Levels.Entry++
	case "mid":
		line.Levels.Mid++
	case "senior":
		line.Levels.Senior++
	}
}

func (c *recount) analytics() {
	ctx := context.Background()
	var lines []readmodels.RoleLine
	for _, id := range c.roleIDs() {
		if line, listed := c.roleLine(id); listed {
			lines = append(lines, line)
			c.role(id, line)
			c.roleMembers(id)
		} else if report, _, err := c.ask.AnalyticsRole(ctx, c.in, id, 0); err != nil || report != nil {
			c.Fatalf("role %s should not be in the report: %+v, %v", id, report, err)
		}
	}
	slices.SortFunc(lines, func(a, b readmodels.RoleLine) int {
		return slices.Compare([]byte(readmodels.Fold(a.Title)+"\x00"+a.Role), []byte(readmodels.Fold(b.Title)+"\x00"+b.Role))
	})
	report, _, err := c.ask.AnalyticsRoles(ctx, c.in, everything)
	if err != nil {
		c.Fatal(err)
	}
	c.same("lines", report.Items, lines)
	c.same("members", report.Members, len(c.members()))
	c.same("totals", report.Totals, c.totals())
}

// roleLine is a line of the report, shown for own roles and for the vendor's that somebody holds.
func (c *recount) roleLine(id string) (readmodels.RoleLine, bool) {
	var t readmodels.TotalLine
	held := false
	for _, who := range c.members() {
		if c.holds(who, id) {
			held = true
			count(&t, c.paths(who, id), c.ledger.people[who].selected[id], c.stands(who, id))
		}
	}
	versions := c.ledger.role(c.in, id).versions
	line := readmodels.RoleLine{
		Role: id, Title: versions[len(versions)-1].Title, Version: len(versions), Assigned: t.Assigned, Engaged: t.Engaged,
		Started: t.Started, InProgress: t.InProgress, Pending: t.Pending, Completed: t.Completed, Levels: t.Levels,
	}
	for _, k := range versions[len(versions)-1].Skills {
		line.Beta = line.Beta || (k.Required && c.skill(c.in, string(k.Skill)).Status == "beta")
	}
	of := c.ledger.role(c.in, id)
	return line, !of.deleted && (held || c.ledger.roles[at{c.in, id}] != nil)
}

// totals counts each member once in each column.
func (c *recount) totals() readmodels.TotalLine {
	var total readmodels.TotalLine
	for _, who := range c.members() {
		var own readmodels.TotalLine
		for _, id := range c.roleIDs() {
			if c.holds(who, id) && !c.ledger.role(c.in, id).deleted {
				count(&own, c.paths(who, id), c.ledger.people[who].selected[id], c.stands(who, id))
			}
		}
		for _, column := range []struct{ own, total *int }{
			{&own.Assigned, &total.Assigned}, {&own.Engaged, &total.Engaged}, {&own.Started, &total.Started},
			{&own.InProgress, &total.InProgress}, {&own.Pending, &total.Pending}, {&own.Completed, &total.Completed},
			{&own.Levels.Beginner, &total.Levels.Beginner}, {&own.Levels.Entry, &total.Levels.Entry},
			{&own.Levels.Mid, &total.Levels.Mid}, {&own.Levels.Senior, &total.Levels.Senior},
		} {
			*column.total += min(1, *column.own)
		}
	}
	return total
}

func (c *recount) role(id string, line readmodels.RoleLine) {
	report, _, err := c.ask.AnalyticsRole(context.Background(), c.in, id, 0)
	if err != nil || report == nil {
		c.Fatalf("report on %s: %v, %v", id, report, err)
	}
	c.same("line in the report on "+id, report.RoleLine, line)
	versions := c.ledger.role(c.in, id).versions
	var lines []readmodels.SkillLine
	for _, k := range versions[len(versions)-1].Skills {
		line := readmodels.SkillLine{Skill: string(k.Skill), Name: c.skill(c.in, string(k.Skill)).name, Required: k.Required, Goals: k.Goals}
		ranks := 0
		for _, who := range c.members() {
			newest := c.counts(who, string(k.Skill))
			if newest == nil || !c.holds(who, id) {
				continue
			}
			line.Measured++
			levels := []*int{&line.Levels.Novice, &line.Levels.Emerging, &line.Levels.Average, &line.Levels.AboveAverage, &line.Levels.Expert}
			rank := slices.Index([]string{"novice", "emerging", "average", "above_average", "expert"}, newest.level)
			*levels[rank]++
			ranks += rank + 1
			for i, meets := range []*int{&line.Meets.Entry, &line.Meets.Mid, &line.Meets.Senior} {
				if newest.score >= k.Goals[i] {
					*meets++
				}
			}
		}
		if line.Measured > 0 {
			average := float64(ranks) / float64(line.Measured)
			line.AverageLevel = &average
		}
		lines = append(lines, line)
	}
	c.same("skills of "+id, report.Skills, lines)
}

func (c *recount) roleMembers(id string) {
	versions := c.ledger.role(c.in, id).versions
	var lines []readmodels.MemberLine
	for _, who := range c.members() {
		if !c.holds(who, id) {
			continue
		}
		p, s := c.ledger.people[who], c.stands(who, id)
		line := readmodels.MemberLine{
			Member: who.id, Name: p.name, Email: p.email, Teams: append([]string{}, slices.Sorted(maps.Keys(p.teams))...), Paths: c.paths(who, id),
			State: s.state, SelectedLevel: orNull(p.selected[id]), Level: orNull(s.level), RequiredDone: s.done, RequiredTotal: s.of,
			Version: s.version, Rule: s.rule, Skills: []readmodels.MemberSkillLine{},
		}
		for _, k := range versions[s.version-1].Skills {
			cell := readmodels.MemberSkillLine{Skill: string(k.Skill), Name: c.skill(c.in, string(k.Skill)).name, Required: k.Required}
			if newest := c.counts(who, string(k.Skill)); newest != nil {
				retake := newest.at.Add(14 * 24 * time.Hour)
				cell.Level, cell.MeasuredAt, cell.NextRetake = &newest.level, &newest.at, &retake
				if line.LastMeasured == nil || newest.at.After(*line.LastMeasured) {
					line.LastMeasured = &newest.at
				}
			}
			line.Skills = append(line.Skills, cell)
		}
		lines = append(lines, line)
	}
	slices.SortFunc(lines, func(a, b readmodels.MemberLine) int {
		return slices.Compare([]byte(readmodels.Fold(a.Name)+"\x00"+a.Member), []byte(readmodels.Fold(b.Name)+"\x00"+b.Member))
	})
	page, _, err := c.ask.AnalyticsMembers(context.Background(), c.in, id, everything)
	if err != nil || page == nil {
		c.Fatalf("members of %s: %v, %v", id, page, err)
	}
	c.same("members of "+id, page.Items, lines)
}

// people compares what the progress and the assignments tell of each member.
func (c *recount) people() {
	for _, who := range c.members() {
		rows, _, err := c.ask.MemberProgress(context.Background(), c.in, who.id, 0)
		if err != nil {
			c.Fatal(err)
		}
		held, _, err := c.ask.HeldRoles(context.Background(), c.in, who.id, 0)
		if err != nil {
			c.Fatal(err)
		}
		got, want := map[string]string{}, map[string]string{}
		for _, row := range rows {
			got[row.Role] = jsonText(c.T, []any{row.State, row.Level, row.RequiredDone, row.RequiredTotal, row.Paths, row.SelectedLevel})
			last := row.History[len(row.History)-1]
			c.same("last change", []any{last.State, last.Level, last.Cause}, []any{row.State, row.Level, row.Since})
		}
		wantHeld := map[string][]string{}
		for _, id := range c.roleIDs() {
			if !c.holds(who, id) {
				continue
			}
			s := c.stands(who, id)
			if !c.ledger.role(c.in, id).deleted {
				want[id] = jsonText(c.T, []any{s.state, orNull(s.level), s.done, s.of, c.paths(who, id), orNull(c.ledger.people[who].selected[id])})
			}
			if paths := c.paths(who, id); len(paths) > 0 {
				wantHeld[id] = paths
			}
		}
		c.same("progress of "+who.id, got, want)
		c.same("roles held by "+who.id, held, wantHeld)
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
