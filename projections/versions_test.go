package projections_test

import (
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain/plan"
	"rolewise/domain/role"
	"rolewise/readmodels"
)

func TestVersions(t *testing.T) {
	// Ada completed version 1; Bob is on his way. Version 2 requires another skill.
	published := func(w *world, on role.OnPublish) (p *tenant, ada, bob domainMember, s []domainSkill, r domainRole) {
		p = w.plan("acme")
		s = p.skills("Go", "SQL", "Git")
		r = p.role("Backend", s[0], s[1])
		ada, bob = p.member("Ada"), p.member("Bob")
		p.assign(r, ada, bob)
		p.measure(ada, s[0], 230)
		p.measure(ada, s[1], 230)
		p.measure(bob, s[0], 230)
		p.send(commands.AddRoleSkill{Role: r, Skill: s[2], Required: true})
		p.expect(ada, r, "completed senior 2/2")
		p.publish(r, on)
		p.expect(bob, r, "in_progress 1/3")
		return p, ada, bob, s, r
	}
	scenario(t, "ROL-8 re_evaluate judges all by the new version", func(w *world) {
		p, ada, _, s, r := published(w, role.ReEvaluate)
		p.expect(ada, r, "in_progress 2/3")
		equal(p, "version", p.progress(ada, r).Version, 2)
		equal(p, "cause", p.progress(ada, r).Since.Type, "RolePublished")
		p.measure(ada, s[2], 80)
		p.expect(ada, r, "completed entry 3/3")
	})
	scenario(t, "ROL-8 grandfather leaves who completed with the old version", func(w *world) {
		p, ada, bob, s, r := published(w, role.Grandfather)
		p.expect(ada, r, "completed senior 2/2")
		equal(p, "Ada's version", p.progress(ada, r).Version, 1)
		equal(p, "Bob's version", p.progress(bob, r).Version, 2)
		equal(p, "version in the report", p.report().Items[0].Version, 2)
		p.measure(ada, s[1], 160) // still judged, by the old version
		p.expect(ada, r, "completed mid 2/2")

		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10})
		p.publish(r, role.Grandfather) // once more: she stays where she was
		equal(p, "Ada's version", p.progress(ada, r).Version, 1)
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 0})
		p.publish(r, role.ReEvaluate) // and is judged with all others in the end
		p.expect(ada, r, "in_progress 2/3")
		equal(p, "Ada's version", p.progress(ada, r).Version, 4)
	})
	scenario(t, "ROL-8 who takes the role up again is judged by the version in force", func(w *world) {
		p, ada, _, _, r := published(w, role.Grandfather)
		p.unassign(r, ada)
		p.assign(r, ada)
		p.expect(ada, r, "in_progress 2/3")
	})
	scenario(t, "ROL-8 grandfathered members keep their version through policies and visits", func(w *world) {
		p, ada, _, _, r := published(w, role.Grandfather)
		p.policy("recalculation", `"on_visit"`)
		p.visits(ada, r)
		p.expect(ada, r, "completed senior 2/2")
		p.policy("recalculation", `"automatic"`)
		p.expect(ada, r, "completed senior 2/2")
		equal(p, "version", p.progress(ada, r).Version, 1)
	})
	scenario(t, "ROL-8 a grandfathered version outlives an older visit", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s[0])
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 230)
		p.visits(ada, r) // at version 1
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10})
		p.publish(r, role.ReEvaluate)
		p.expect(ada, r, "completed mid 1/1") // 83, 165, 248
		p.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: true})
		p.publish(r, role.Grandfather)
		p.expect(ada, r, "completed mid 1/1")
		p.policy("recalculation", `"on_visit"`)
		p.expect(ada, r, "completed senior 1/1") // what there was at the visit
		p.policy("recalculation", `"automatic"`)
		p.expect(ada, r, "completed mid 1/1")
		equal(p, "version", p.progress(ada, r).Version, 2)
	})
	scenario(t, "ROL-8 a catalog role is published to the holders of all plans", func(w *world) {
		c := w.catalog()
		s := c.skills("Go", "SQL")
		r := c.role("Backend", s[0])
		acme, beech := w.plan("acme"), w.plan("beech")
		ada, bob := acme.member("Ada"), beech.member("Bob")
		acme.assign(r, ada)
		beech.assign(r, bob)
		acme.measure(ada, s[0], 230)
		acme.expect(ada, r, "completed senior 1/1")
		c.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: true})
		c.send(commands.RenameRole{Role: r, Title: "Backend engineer"})
		c.publish(r, "")
		acme.expect(ada, r, "in_progress 1/2")
		beech.expect(bob, r, "assigned 0/2")
		for _, p := range []*tenant{acme, beech} {
			if line := p.report().Items[0]; line.Title != "Backend engineer" || line.Version != 2 {
				p.Errorf("%s: line %+v", p.id, line)
			}
		}
	})
}

func TestResults(t *testing.T) {
	at := func(day int) time.Time { return began.AddDate(0, 0, day-100) }
	scenario(t, "MSR-5 the newest measured_at counts, in whatever order results arrive", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.sit(ada, s[0], sitting{score: 160, session: "tenth", at: at(10)})
		p.expect(ada, r, "completed mid 1/1")
		p.sit(ada, s[0], sitting{score: 300, session: "first", at: at(1)}) // late
		p.expect(ada, r, "completed mid 1/1")
		p.sit(ada, s[0], sitting{score: 80, session: "twentieth", at: at(20)})
		p.expect(ada, r, "completed entry 1/1")
		p.sit(ada, s[0], sitting{score: 230, session: "also twentieth", at: at(20)}) // the later recorded of two
		p.expect(ada, r, "completed senior 1/1")

		p.fold()
		rows, _, err := p.ask.MemberResults(p.Context(), "acme", string(ada), 0)
		if err != nil {
			p.Fatal(err)
		}
		level, twentieth := "above_average", at(20)
		equal(p, "results", rows, []readmodels.ResultRow{{
			Skill: string(s[0]), Name: "Go", State: "validated", Level: &level, MeasuredAt: &twentieth,
			History: []readmodels.MeasurementRow{
				{Session: "tenth", Level: "average", MeasuredAt: at(10), Valid: true},
				{Session: "first", Level: "expert", MeasuredAt: at(1), Valid: true},
				{Session: "twentieth", Level: "emerging", MeasuredAt: at(20), Valid: true},
				{Session: "also twentieth", Level: "above_average", MeasuredAt: at(20), Valid: true},
			},
		}})
	})
	scenario(t, "MSR-5 an invalidation falls back to the result before, in the end to none", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.sit(ada, s[0], sitting{score: 230, session: "new", at: at(20)})
		p.sit(ada, s[0], sitting{score: 80, session: "old", at: at(10)})
		p.expect(ada, r, "completed senior 1/1")
		p.invalidate(ada, s[0], "new")
		p.expect(ada, r, "completed entry 1/1")
		equal(p, "skill line", p.roleReport(r).Skills[0].Meets, readmodels.Meets{Entry: 1})
		p.sit(ada, s[0], sitting{score: 230, session: "new", at: at(30)}) // the session is known: nothing happens
		p.expect(ada, r, "completed entry 1/1")
		p.invalidate(ada, s[0], "old")
		p.expect(ada, r, "assigned 0/1")
		if line := p.roleReport(r).Skills[0]; line.Measured != 0 || line.AverageLevel != nil {
			p.Errorf("skill line %+v", line)
		}
		if line := p.memberLine(ada, r); line.LastMeasured != nil || line.Skills[0].Level != nil {
			p.Errorf("member line %s", text(p, line))
		}
		equal(p, "cause", p.progress(ada, r).Since.Type, "SkillIQInvalidated")
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{Assigned: 1})
	})
	scenario(t, "MSR-4 the last result of a retired skill still counts", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 230)
		p.send(commands.RetireSkill{Skill: s[0]})
		p.expect(ada, r, "completed senior 1/1")
	})
	scenario(t, "PLN-1 a grant or a tier changes nobody's standing", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: plan.Standard}) // PLN-2: what is there stays in force
		p.measure(ada, s[0], 230)
		p.expect(ada, r, "completed senior 1/1")
	})
}
