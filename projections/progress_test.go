package projections_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

func TestStates(t *testing.T) {
	scenario(t, "PRG-1 assigned, in progress, completed", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL", "Git")
		r := p.draft("Backend", s[0], s[1])
		p.send(commands.AddRoleSkill{Role: r, Skill: s[2], Required: false})
		p.publish(r, "")
		ada := p.member("Ada")
		p.expect(ada, r, "none")
		p.assign(r, ada)
		p.expect(ada, r, "assigned 0/2")
		p.measure(ada, s[2], 300) // optional
		p.expect(ada, r, "assigned 0/2")
		p.measure(ada, s[0], 150)
		p.expect(ada, r, "in_progress 1/2")
		p.measure(ada, s[1], 75)
		p.expect(ada, r, "completed entry 2/2")
		p.unassign(r, ada)
		p.expect(ada, r, "none")
	})
	scenario(t, "PRG-1 a selected level holds the role and is in progress", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.selects(ada, r, roleiq.Senior)
		p.expect(ada, r, "in_progress 0/1")
		row := p.progress(ada, r)
		equal(p, "selected level", row.SelectedLevel, "senior")
		equal(p, "paths", row.Paths, []string{})
		p.selects(ada, r, roleiq.Entry)
		equal(p, "selected level, changed", p.progress(ada, r).SelectedLevel, "entry")
		p.assign(r, ada)
		p.unassign(r, ada)
		p.expect(ada, r, "in_progress 0/1") // the selected level still holds
	})
	scenario(t, "PRG-1 a measurement counts whenever it was taken", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.sit(ada, s[0], sitting{score: 225, at: began.AddDate(-9, 0, 0)})
		p.assign(r, ada)
		p.expect(ada, r, "completed senior 1/1")
	})
	scenario(t, "PRG-1 a skill retired before it was measured counts as optional", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s...)
		ada, bob := p.member("Ada"), p.member("Bob")
		p.assign(r, ada, bob)
		p.measure(ada, s[0], 160)
		p.measure(bob, s[1], 100)
		p.send(commands.RetireSkill{Skill: s[1]})
		p.expect(ada, r, "completed mid 1/1")
		p.expect(bob, r, "in_progress 1/2") // it was measured: it counts
		p.measure(bob, s[0], 300)
		p.expect(bob, r, "completed entry 2/2") // and is judged
	})
	scenario(t, "PRG-1 a role of which nothing required is left is not completed", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.send(commands.RetireSkill{Skill: s[0]})
		p.expect(ada, r, "assigned 0/0")
		p.selects(ada, r, roleiq.Mid)
		p.expect(ada, r, "in_progress 0/0")
	})
	scenario(t, "PRG-1 a member of a plan without policies stands too", func(w *world) {
		c := w.catalog()
		s := c.skills("Go")
		r := c.role("Backend", s...)
		ada := c.member("Ada")
		c.assign(r, ada)
		c.measure(ada, s[0], 75)
		c.expect(ada, r, "completed entry 1/1")
	})
}

func TestBeta(t *testing.T) {
	scenario(t, "ROL-11 a role with a required beta skill yields only pending", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		beta := p.skill("Zig", skill.Beta)
		r := p.role("Backend", s[0], s[1], beta)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.expect(ada, r, "assigned 0/3")
		p.measure(ada, s[0], 300)
		p.expect(ada, r, "in_progress 1/3")
		p.measure(ada, s[1], 300)
		p.expect(ada, r, "pending 2/3")
		if line := p.report().Items[0]; !line.Beta || line.Pending != 1 || line.Completed != 0 {
			p.Errorf("line %+v", line)
		}
		p.measure(ada, beta, 300) // an attempt, no score
		p.expect(ada, r, "pending 2/3")
	})
	scenario(t, "ROL-11 an optional beta skill makes nothing pending", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		beta := p.skill("Zig", skill.Beta)
		r := p.draft("Backend", s...)
		p.send(commands.AddRoleSkill{Role: r, Skill: beta, Required: false})
		p.publish(r, "")
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 0)
		p.expect(ada, r, "completed beginner 1/1")
		if p.report().Items[0].Beta {
			p.Error("the role shows BETA")
		}
	})
	scenario(t, "PRG-4 after validation earlier beta attempts do not count", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		beta := p.skill("Zig", skill.Beta)
		r := p.role("Backend", s[0], beta)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 300)
		p.sit(ada, beta, sitting{score: 300, session: "in beta"})
		p.expect(ada, r, "pending 1/2")
		p.send(commands.ValidateSkill{Skill: beta})
		p.expect(ada, r, "in_progress 1/2")
		p.sit(ada, beta, sitting{score: 300, session: "in beta"}) // the same sitting, sent again
		p.expect(ada, r, "in_progress 1/2")
		p.sit(ada, beta, sitting{score: 160, session: "retaken"})
		p.expect(ada, r, "completed mid 2/2")
		if p.report().Items[0].Beta {
			p.Error("the role still shows BETA")
		}
	})
	scenario(t, "PRG-4 validation reaches all holders of all roles, each counted once", func(w *world) {
		p := w.plan("acme")
		beta := p.skill("Zig", skill.Beta)
		first, second := p.role("First", beta), p.role("Second", beta)
		ada, bob := p.member("Ada"), p.member("Bob")
		p.assign(first, ada, bob)
		p.assign(second, ada)
		for _, m := range []readmodels.TotalLine{p.report().Totals} {
			equal(p, "totals in beta", m, readmodels.TotalLine{Assigned: 2, Pending: 2})
		}
		p.send(commands.ValidateSkill{Skill: beta})
		p.expect(ada, first, "assigned 0/1")
		p.expect(ada, second, "assigned 0/1")
		p.expect(bob, first, "assigned 0/1")
		equal(p, "totals after validation", p.report().Totals, readmodels.TotalLine{Assigned: 2})
		p.measure(ada, beta, 300)
		equal(p, "totals after a measurement", p.report().Totals, readmodels.TotalLine{
			Assigned: 2, Started: 1, Completed: 1, Levels: readmodels.LevelCount{Senior: 1},
		})
	})
	scenario(t, "PRG-4 a catalog skill is validated for every plan, in catalog and in own roles", func(w *world) {
		c := w.catalog()
		beta := c.skill("Zig", skill.Beta)
		vendor := c.role("Vendor role", beta)
		acme, beech := w.plan("acme"), w.plan("beech")
		own := beech.role("Own role", beta)
		ada, bob := acme.member("Ada"), beech.member("Bob")
		acme.assign(vendor, ada)
		beech.assign(vendor, bob)
		beech.assign(own, bob)
		acme.expect(ada, vendor, "pending 0/1")
		beech.expect(bob, own, "pending 0/1")
		c.send(commands.ValidateSkill{Skill: beta})
		acme.expect(ada, vendor, "assigned 0/1")
		beech.expect(bob, vendor, "assigned 0/1")
		beech.expect(bob, own, "assigned 0/1")
		equal(w, "totals", beech.report().Totals, readmodels.TotalLine{Assigned: 1})
	})
	scenario(t, "PRG-1 a retired skill reaches all holders of all roles, each counted once", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		first, second := p.role("First", s...), p.role("Second", s...)
		ada := p.member("Ada")
		p.assign(first, ada)
		p.assign(second, ada)
		p.measure(ada, s[0], 100)
		p.send(commands.RetireSkill{Skill: s[1]})
		p.expect(ada, first, "completed entry 1/1")
		p.expect(ada, second, "completed entry 1/1")
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{
			Assigned: 1, Started: 1, Completed: 1, Levels: readmodels.LevelCount{Entry: 1},
		})
	})
}

func TestLevels(t *testing.T) {
	scenario(t, "PRG-2 the highest level whose threshold every required skill meets", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		p.send(commands.PublishBenchmark{Skill: s[1], Thresholds: []int{10, 20, 30}, Source: "test"})
		r := p.role("Backend", s...)
		for _, one := range []struct {
			name    string
			go_, db int
			want    string
		}{
			{"Nora", 74, 300, "beginner"}, {"Otto", 300, 9, "beginner"}, {"Pia", 75, 10, "entry"}, {"Quin", 149, 30, "entry"},
			{"Rosa", 150, 20, "mid"}, {"Sven", 224, 30, "mid"}, {"Tina", 225, 30, "senior"}, {"Ulf", 300, 29, "mid"},
		} {
			m := p.member(one.name)
			p.assign(r, m)
			p.measure(m, s[0], one.go_)
			p.measure(m, s[1], one.db)
			p.expect(m, r, "completed "+one.want+" 2/2")
		}
		equal(p, "levels", p.report().Items[0].Levels, readmodels.LevelCount{Beginner: 2, Entry: 2, Mid: 3, Senior: 1})
	})
	scenario(t, "PRG-2 another rule is in force at once, and every answer names it", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL", "Git")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		for i, score := range []int{230, 160, 60} { // sum 450
			p.measure(ada, s[i], score)
		}
		rule := func(want string) {
			p.Helper()
			equal(p, "rule", p.progress(ada, r).Rule, want)
		}
		p.expect(ada, r, "completed beginner 3/3")
		rule("all_required.v1")
		p.policy("level_rule", `{"name":"k_of_n.v1","k":2}`)
		p.expect(ada, r, "completed mid 3/3")
		rule("k_of_n.v1")
		p.policy("level_rule", `{"name":"k_of_n.v1","k":1}`)
		p.expect(ada, r, "completed senior 3/3")
		p.policy("level_rule", `{"name":"k_of_n.v1","k":9}`) // all of them where there are fewer
		p.expect(ada, r, "completed beginner 3/3")
		p.policy("level_rule", `"mean_of_thresholds.v1"`)
		p.expect(ada, r, "completed mid 3/3") // 450 reaches 450, not 675
		rule("mean_of_thresholds.v1")
		p.policy("level_rule", `"all_required.v1"`)
		p.expect(ada, r, "completed beginner 3/3")
		equal(p, "levels", p.report().Items[0].Levels, readmodels.LevelCount{Beginner: 1})

		var told []string
		for _, change := range p.progress(ada, r).History {
			level := ""
			if change.Level != nil {
				level = *change.Level
			}
			told = append(told, change.Cause.Type+" "+level+" "+change.Inputs.Rule)
		}
		equal(p, "history", told, []string{
			"MemberAssigned  all_required.v1", "SkillIQMeasured  all_required.v1", "SkillIQMeasured beginner all_required.v1",
			"LevelRulePolicySet mid k_of_n.v1", "LevelRulePolicySet senior k_of_n.v1", "LevelRulePolicySet beginner k_of_n.v1",
			"LevelRulePolicySet mid mean_of_thresholds.v1", "LevelRulePolicySet beginner all_required.v1",
		})
	})
	scenario(t, "PRG-2 goals are those of the version, adjusted", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 140)
		p.expect(ada, r, "completed entry 1/1")
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: -10}) // 68, 135, 203
		p.expect(ada, r, "completed entry 1/1")                         // a draft changes nothing
		p.publish(r, "")
		p.expect(ada, r, "completed mid 1/1")
		equal(p, "goals", p.roleReport(r).Skills[0].Goals, [3]int{68, 135, 203})
	})
}

func TestRecalculation(t *testing.T) {
	scenario(t, "PRG-3 automatic: a measurement shows at its position, with cause and inputs", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		assigned := p.assign(r, ada)
		first := p.clock
		at := p.sit(ada, s[0], sitting{score: 160, session: "one"})
		p.fold()
		rows, checkpoint, err := p.ask.MemberProgress(p.Context(), "acme", string(ada), at)
		if err != nil {
			p.Fatal(err)
		}
		if checkpoint.Position < at || !checkpoint.Time.Equal(p.clock) {
			p.Errorf("answer of position %s and time %s, want %s and %s", checkpoint.Position, checkpoint.Time, at, p.clock)
		}
		goals := [3]int{75, 150, 225}
		mid := "mid"
		now := readmodels.CauseRow{Position: at.String(), Type: "SkillIQMeasured", Time: p.clock}
		equal(p, "progress", rows, []readmodels.ProgressRow{{
			Role: string(r), Title: "Backend", Version: 1, Paths: []string{"direct"}, State: "completed", Level: &mid,
			RequiredDone: 1, RequiredTotal: 1, Rule: "all_required.v1", Since: now,
			History: []readmodels.ProgressChange{
				{
					Cause: readmodels.CauseRow{Position: assigned.String(), Type: "MemberAssigned", Time: first}, State: "assigned",
					Inputs: readmodels.Visit{Version: 1, Rule: "all_required.v1", Skills: []readmodels.SkillInput{
						{Skill: string(s[0]), Required: true, Status: "validated", Goals: goals},
					}},
				},
				{
					Cause: now, State: "completed", Level: &mid,
					Inputs: readmodels.Visit{Version: 1, Rule: "all_required.v1", Skills: []readmodels.SkillInput{
						{Skill: string(s[0]), Required: true, Status: "validated", Goals: goals, Measured: true, Session: "one"},
					}},
				},
			},
		}})
		if told, err := json.Marshal(rows); err != nil || strings.Contains(string(told), "160") {
			p.Errorf("MSR-7: a score is shown (%v): %s", err, told)
		}
		p.measure(ada, s[0], 170) // neither state nor level changes
		if row := p.progress(ada, r); len(row.History) != 2 || row.Since != now {
			p.Errorf("a measurement without effect shows: %+v", row)
		}
	})
	scenario(t, "PRG-3 on visit: what happened counts from the next visit on", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		p.policy("recalculation", `"on_visit"`)
		r := p.role("Backend", s...)
		ada, bob := p.member("Ada"), p.member("Bob")
		p.assign(r, ada, bob)
		p.measure(ada, s[0], 300)
		p.measure(bob, s[0], 300)
		p.expect(ada, r, "assigned 0/2")
		visit := p.visits(ada, r)
		p.expect(ada, r, "in_progress 1/2")
		p.expect(bob, r, "assigned 0/2") // the visit was Ada's
		p.measure(ada, s[1], 300)
		p.expect(ada, r, "in_progress 1/2")
		equal(p, "since", p.progress(ada, r).Since.Position, visit.String())
		p.send(commands.RefreshProgress{Role: r})
		p.expect(ada, r, "completed senior 2/2")
		p.expect(bob, r, "in_progress 1/2")
		equal(p, "cause", p.progress(bob, r).Since.Type, "ProgressRefreshed")
	})
	scenario(t, "PRG-3 on visit: role version, goals, rule and states of skills are those of the visit", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		beta := p.skill("Zig", skill.Beta)
		p.policy("recalculation", `"on_visit"`)
		r := p.role("Backend", s[0], beta)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.expect(ada, r, "assigned 0/2")
		p.measure(ada, s[0], 140)
		p.visits(ada, r)
		p.expect(ada, r, "pending 1/2")
		p.send(commands.ValidateSkill{Skill: beta})
		p.expect(ada, r, "pending 1/2")
		p.measure(ada, beta, 140)
		p.expect(ada, r, "pending 1/2")
		p.visits(ada, r)
		p.expect(ada, r, "completed entry 2/2")
		p.policy("level_rule", `{"name":"k_of_n.v1","k":1}`)
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: -10})
		p.publish(r, "")
		p.expect(ada, r, "completed entry 2/2")
		equal(p, "version before the visit", p.progress(ada, r).Version, 1)
		p.visits(ada, r)
		p.expect(ada, r, "completed mid 2/2")
		equal(p, "version after the visit", p.progress(ada, r).Version, 2)
	})
	scenario(t, "PRG-3 on visit: an invalidation counts from the next visit on", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		p.policy("recalculation", `"on_visit"`)
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.sit(ada, s[0], sitting{score: 300, session: "one"})
		p.visits(ada, r)
		p.invalidate(ada, s[0], "one")
		p.expect(ada, r, "completed senior 1/1")
		p.visits(ada, r)
		p.expect(ada, r, "assigned 0/1")
	})
	scenario(t, "PRG-3 refresh of some members, one of them named twice", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		p.policy("recalculation", `"on_visit"`)
		r := p.role("Backend", s...)
		ada, bob := p.member("Ada"), p.member("Bob")
		p.assign(r, ada, bob)
		p.measure(ada, s[0], 300)
		p.measure(bob, s[0], 300)
		p.send(commands.RefreshProgress{Role: r, Members: []domainMember{ada, ada}})
		p.expect(ada, r, "completed senior 1/1")
		p.expect(bob, r, "assigned 0/1")
		report := p.report()
		equal(p, "line", report.Items[0], readmodels.RoleLine{
			Role: string(r), Title: "Backend", Version: 1, Assigned: 2, Started: 1, Completed: 1, Levels: readmodels.LevelCount{Senior: 1},
		})
		equal(p, "totals", report.Totals, readmodels.TotalLine{Assigned: 2, Started: 1, Completed: 1, Levels: readmodels.LevelCount{Senior: 1}})
		if n := len(p.progress(ada, r).History); n != 2 {
			p.Errorf("%d changes, want 2", n)
		}
	})
	scenario(t, "PRG-3 the policy can be switched both ways", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s...)
		ada, bob := p.member("Ada"), p.member("Bob")
		p.assign(r, ada, bob)
		p.measure(ada, s[0], 300)
		p.visits(ada, r) // in automatic mode: it freezes what counts under on_visit
		p.measure(ada, s[1], 300)
		p.measure(bob, s[0], 300)
		p.expect(ada, r, "completed senior 2/2")
		p.expect(bob, r, "in_progress 1/2")
		switched := p.policy("recalculation", `"on_visit"`)
		p.expect(ada, r, "in_progress 1/2")
		p.expect(bob, r, "assigned 0/2") // never visited
		equal(p, "cause", p.progress(ada, r).Since.Position, switched.String())
		p.policy("recalculation", `"automatic"`)
		p.expect(ada, r, "completed senior 2/2")
		p.expect(bob, r, "in_progress 1/2")
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{
			Assigned: 2, Started: 2, InProgress: 1, Completed: 1, Levels: readmodels.LevelCount{Senior: 1},
		})
	})
	scenario(t, "PRG-3 a visit before the role is held counts once it is", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		p.policy("recalculation", `"on_visit"`)
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.measure(ada, s[0], 300)
		p.visits(ada, r)
		p.expect(ada, r, "none")
		p.assign(r, ada)
		p.expect(ada, r, "completed senior 1/1")
		p.unassign(r, ada)
		p.expect(ada, r, "none")
		p.assign(r, ada)
		p.expect(ada, r, "completed senior 1/1")
	})
	scenario(t, "PRG-3 the history keeps the end of a holding", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.unassign(r, ada)
		p.assign(r, ada)
		var told []string
		for _, change := range p.progress(ada, r).History {
			told = append(told, change.Cause.Type+" "+change.State)
		}
		equal(p, "history", told, []string{"MemberAssigned assigned", "MemberUnassigned ", "MemberAssigned assigned"})
	})
}
