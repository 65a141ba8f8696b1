package projections_test

import (
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

func TestAnalytics(t *testing.T) {
	scenario(t, "ANA-1 tallies by role and totals over distinct members", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		beta := p.skill("Zig", skill.Beta)
		back, data, empty := p.role("Backend", s[0]), p.role("Data", s[0], s[1]), p.role("Systems", s[0], beta)
		var m []domainMember
		for _, name := range []string{"Ada", "Bob", "Cyd", "Dan", "Eve"} {
			m = append(m, p.member(name))
		}
		crew := p.team("Crew", m[0], m[1])
		p.assignTeams(back, crew)
		p.assign(back, m[0], m[2])
		p.assign(data, m[0])
		p.selects(m[0], back, roleiq.Senior)
		p.selects(m[3], data, roleiq.Entry)
		p.measure(m[0], s[0], 230)
		p.measure(m[2], s[0], 80)
		p.assign(empty, m[2])
		// Ada: Backend completed senior, Data in progress. Bob: Backend assigned. Cyd: Backend completed entry, Systems
		// pending. Dan: Data in progress by a selected level. Eve holds nothing.
		report := p.report()
		equal(p, "lines", report.Items, []readmodels.RoleLine{
			{
				Role: string(back), Title: "Backend", Version: 1, Assigned: 3, Engaged: 1, Started: 2, Completed: 2,
				Levels: readmodels.LevelCount{Entry: 1, Senior: 1},
			},
			{Role: string(data), Title: "Data", Version: 1, Assigned: 1, Engaged: 1, Started: 1, InProgress: 2},
			{Role: string(empty), Title: "Systems", Version: 1, Beta: true, Assigned: 1, Started: 1, Pending: 1},
		})
		equal(p, "totals", report.Totals, readmodels.TotalLine{
			Assigned: 3, Engaged: 2, Started: 2, InProgress: 2, Pending: 1, Completed: 2, Levels: readmodels.LevelCount{Entry: 1, Senior: 1},
		})
		equal(p, "members, the owner included", report.Members, 6)
		equal(p, "metric", report.Metric, "engaged.v1")
		equal(p, "metric of a role", p.roleReport(back).Metric, "engaged.v1")
	})
	scenario(t, "ANA-1 all counts go down again", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 230)
		p.unassign(r, ada)
		report := p.report()
		equal(p, "lines", report.Items, []readmodels.RoleLine{{Role: string(r), Title: "Backend", Version: 1}})
		equal(p, "totals", report.Totals, readmodels.TotalLine{})
		equal(p, "skills", p.roleReport(r).Skills, []readmodels.SkillLine{{
			Skill: string(s[0]), Name: "Go", Required: true, Goals: [3]int{75, 150, 225},
		}})
		equal(p, "members", p.memberLines(r), []readmodels.MemberLine(nil))
	})
	scenario(t, "ANA-1 roles are ordered by title, drafts left out, in pages without gap or overlap", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		for _, title := range []string{"zeta", "Ähre", "Beta", "alpha", "Bêta"} {
			p.role(title, s...)
		}
		p.draft("A draft", s...)
		p.fold()
		var titles []string
		for want := (readmodels.Want{Limit: 2}); ; {
			page, _, err := p.ask.AnalyticsRoles(p.Context(), "acme", want)
			if err != nil {
				p.Fatal(err)
			}
			for _, line := range page.Items {
				titles = append(titles, line.Title)
			}
			if want.After = page.Next; page.Next == "" {
				break
			}
		}
		equal(p, "titles", titles, []string{"Ähre", "alpha", "Beta", "Bêta", "zeta"})
	})
	scenario(t, "ANA-2 a role's skills: measured, levels, average level, goals met", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		p.send(commands.PublishBenchmark{Skill: s[0], Thresholds: []int{100, 200, 300}, Source: "test"})
		r := p.draft("Backend", s[0])
		p.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: false})
		p.publish(r, "")
		for i, one := range []sitting{
			{score: 99, percentile: 19}, {score: 100, percentile: 20}, {score: 200, percentile: 59}, {score: 300, percentile: 100}, {score: 250, percentile: 79},
		} {
			m := p.member("Member " + string(rune('A'+i)))
			p.assign(r, m)
			p.sit(m, s[0], one)
		}
		p.measure(p.member("Nobody"), s[0], 300) // does not hold the role
		average := 15.0 / 5
		equal(p, "skills", p.roleReport(r).Skills, []readmodels.SkillLine{
			{
				Skill: string(s[0]), Name: "Go", Required: true, Goals: [3]int{100, 200, 300}, Measured: 5, AverageLevel: &average,
				Levels: readmodels.SkillLevels{Novice: 1, Emerging: 1, Average: 1, AboveAverage: 1, Expert: 1},
				Meets:  readmodels.Meets{Entry: 4, Mid: 3, Senior: 1},
			},
			{Skill: string(s[1]), Name: "SQL", Goals: [3]int{75, 150, 225}},
		})
		equal(p, "levels", p.report().Items[0].Levels, readmodels.LevelCount{Beginner: 1, Entry: 1, Mid: 2, Senior: 1})
	})
	scenario(t, "ANA-2 goals, skills and names follow the version in force", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s[0])
		ada := p.member("Ada")
		p.assign(r, ada)
		p.measure(ada, s[0], 75)
		p.measure(ada, s[1], 225)
		average := 2.0 // percentile 25
		goals := [3]int{75, 150, 225}
		lines := []readmodels.SkillLine{{
			Skill: string(s[0]), Name: "Go", Required: true, Goals: goals, Measured: 1, AverageLevel: &average,
			Levels: readmodels.SkillLevels{Emerging: 1}, Meets: readmodels.Meets{Entry: 1},
		}}
		equal(p, "version 1", p.roleReport(r).Skills, lines)
		p.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: true})
		p.send(commands.ReorderRoleSkills{Role: r, Skills: []domainSkill{s[1], s[0]}})
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10}) // 83, 165, 248
		p.publish(r, "")
		p.send(commands.RenameSkill{Skill: s[0], Name: "Golang"})
		lines[0].Name, lines[0].Goals, lines[0].Meets = "Golang", [3]int{83, 165, 248}, readmodels.Meets{}
		four := 4.0 // percentile 75
		equal(p, "version 2", p.roleReport(r).Skills, []readmodels.SkillLine{{
			Skill: string(s[1]), Name: "SQL", Required: true, Goals: goals, Measured: 1, AverageLevel: &four,
			Levels: readmodels.SkillLevels{AboveAverage: 1}, Meets: readmodels.Meets{Entry: 1, Mid: 1, Senior: 1},
		}, lines[0]})
		p.send(commands.RemoveRoleSkill{Role: r, Skill: s[1]})
		p.publish(r, "")
		equal(p, "version 3", p.roleReport(r).Skills, lines)
	})
	scenario(t, "ANA-3 each member in a role", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s...)
		core := p.team("Core")
		ada := p.member("Ada", core)
		bob := p.member("bob")
		p.assignTeams(r, core)
		p.assign(r, ada)
		p.selects(bob, r, roleiq.Mid)
		p.sit(ada, s[0], sitting{score: 230, at: began.AddDate(0, 0, -3)})
		p.sit(ada, s[1], sitting{score: 100, percentile: 80, at: began.AddDate(0, 0, -5)})
		entry, mid, above, expert := "entry", "mid", "above_average", "expert"
		third, fifth := began.AddDate(0, 0, -3), began.AddDate(0, 0, -5)
		after3, after5 := began.AddDate(0, 0, 11), began.AddDate(0, 0, 9)
		equal(p, "members", p.memberLines(r), []readmodels.MemberLine{
			{
				Member: string(ada), Name: "Ada", Email: "ada@acme.example", Teams: []string{string(core)},
				Paths: []string{"direct", "team:" + string(core)}, State: "completed", Level: &entry,
				RequiredDone: 2, RequiredTotal: 2, LastMeasured: &third, Version: 1, Rule: "all_required.v1",
				Skills: []readmodels.MemberSkillLine{
					{Skill: string(s[0]), Name: "Go", Required: true, Level: &above, MeasuredAt: &third, NextRetake: &after3},
					{Skill: string(s[1]), Name: "SQL", Required: true, Level: &expert, MeasuredAt: &fifth, NextRetake: &after5},
				},
			},
			{
				Member: string(bob), Name: "bob", Email: "bob@acme.example", Teams: []string{}, Paths: []string{},
				State: "in_progress", SelectedLevel: &mid, RequiredTotal: 2, Version: 1, Rule: "all_required.v1",
				Skills: []readmodels.MemberSkillLine{{Skill: string(s[0]), Name: "Go", Required: true}, {Skill: string(s[1]), Name: "SQL", Required: true}},
			},
		})
	})
	scenario(t, "ANA-3 members come by name, in pages without gap or overlap", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		for _, name := range []string{"Zoë", "Émile", "adam", "Zoe", "Bert"} {
			p.assign(r, p.member(name+" "+p.world.id()[30:]))
		}
		p.fold()
		var names []string
		for want := (readmodels.Want{Limit: 2}); ; {
			page, _, err := p.ask.AnalyticsMembers(p.Context(), "acme", string(r), want)
			if err != nil {
				p.Fatal(err)
			}
			for _, line := range page.Items {
				names = append(names, strings.Fields(line.Name)[0])
			}
			if want.After = page.Next; page.Next == "" {
				break
			}
		}
		equal(p, "names", names, []string{"adam", "Bert", "Émile", "Zoë", "Zoe"})
	})
	scenario(t, "ANA-1 a catalog role as it is, in two plans", func(w *world) {
		c := w.catalog()
		s := c.skills("Go")
		r, other := c.role("Backend", s...), c.role("Unused", s...)
		acme, beech, third := w.plan("acme"), w.plan("beech"), w.plan("third")
		ada, bob, cyd := acme.member("Ada"), beech.member("Bob"), beech.member("Cyd")
		acme.assign(r, ada)
		beech.assign(r, bob, cyd)
		acme.measure(ada, s[0], 230)
		line := readmodels.RoleLine{Role: string(r), Title: "Backend", Version: 1}
		inAcme, inBeech := line, line
		inAcme.Assigned, inAcme.Started, inAcme.Completed, inAcme.Levels.Senior = 1, 1, 1, 1
		inBeech.Assigned = 2
		equal(w, "acme", acme.report().Items, []readmodels.RoleLine{inAcme})
		equal(w, "beech", beech.report().Items, []readmodels.RoleLine{inBeech})
		equal(w, "third", third.report().Items, []readmodels.RoleLine(nil))
		equal(w, "third, one role", third.roleReport(r), (*readmodels.RoleReport)(nil))
		if line := c.report(); len(line.Items) != 2 || line.Totals != (readmodels.TotalLine{}) {
			w.Errorf("catalog: %+v", line)
		}
		equal(w, "unused", acme.roleReport(other), (*readmodels.RoleReport)(nil))

		c.send(commands.RenameRole{Role: r, Title: "Server side"})
		c.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10}) // 83, 165, 248
		c.publish(r, "")
		inAcme.Title, inAcme.Version, inAcme.Levels = "Server side", 2, readmodels.LevelCount{Mid: 1}
		inBeech.Title, inBeech.Version = "Server side", 2
		equal(w, "acme, version 2", acme.report().Items, []readmodels.RoleLine{inAcme})
		equal(w, "beech, version 2", beech.report().Items, []readmodels.RoleLine{inBeech})
		acme.expect(ada, r, "completed mid 1/1")
		beech.expect(bob, r, "assigned 0/1")

		acme.unassign(r, ada)
		equal(w, "acme, unassigned", acme.report().Items, []readmodels.RoleLine(nil))
		equal(w, "acme, one role, unassigned", acme.roleReport(r), (*readmodels.RoleReport)(nil))
	})
	scenario(t, "ANA-1 a catalog role that was visited first and assigned later shows as it is by then", func(w *world) {
		c := w.catalog()
		s := c.skills("Go", "SQL")
		r := c.role("Backend", s[0])
		p := w.plan("acme")
		ada := p.member("Ada")
		p.visits(ada, r) // not held
		c.send(commands.RenameRole{Role: r, Title: "Server side"})
		c.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: true})
		c.publish(r, "")
		p.assign(r, ada)
		p.expect(ada, r, "assigned 0/2")
		equal(p, "lines", p.report().Items, []readmodels.RoleLine{{Role: string(r), Title: "Server side", Version: 2, Assigned: 1}})
		if n := len(p.roleReport(r).Skills); n != 2 {
			p.Errorf("%d skills, want 2", n)
		}
	})
	scenario(t, "PLN-3 nothing of one plan shows in another", func(w *world) {
		acme, beech := w.plan("acme"), w.plan("beech")
		s := acme.skills("Go")
		r := acme.role("Backend", s...)
		draft := acme.draft("Draft", s...)
		core := acme.team("Core")
		ada := acme.member("Ada", core)
		acme.assign(r, ada)
		acme.measure(ada, s[0], 230)
		bob := beech.member("Bob")

		for what, refused := range map[string]commands.Command{
			"role":         commands.AssignRole{Role: r, Members: []domainMember{bob}},
			"skill":        commands.RecordSkillIQ{Member: bob, Skill: s[0], MeasuredAt: w.clock, Session: "s"},
			"member":       commands.RecordSkillIQ{Member: ada, Skill: s[0], MeasuredAt: w.clock, Session: "s"},
			"team":         commands.AddTeamMember{Team: core, Member: bob, TeamRole: "member"},
			"role to copy": commands.DuplicateRole{Source: r},
		} {
			if answer, err := w.try("beech", refused); err == nil {
				w.Errorf("%s of another plan: %+v", what, answer)
			}
		}
		w.fold()
		ctx, ask, in := w.Context(), w.ask, "beech"
		none := func(what string, found any, err error) {
			w.Helper()
			if err != nil {
				w.Fatal(err)
			}
			if got := text(w, found); got != "null" && got != "[]" {
				w.Errorf("%s is seen in another plan: %s", what, got)
			}
		}
		row, _, err := ask.Role(ctx, in, string(r), 0)
		none("a role", row, err)
		row, _, err = ask.Role(ctx, in, string(draft), 0)
		none("a draft", row, err)
		person, _, err := ask.Member(ctx, in, string(ada), 0)
		none("a member", person, err)
		rows, _, err := ask.MemberProgress(ctx, in, string(ada), 0)
		none("progress", rows, err)
		results, _, err := ask.MemberResults(ctx, in, string(ada), 0)
		none("results", results, err)
		held, _, err := ask.HeldRoles(ctx, in, string(ada), 0)
		none("held roles", held, err)
		one, _, err := ask.AnalyticsRole(ctx, in, string(r), 0)
		none("a report", one, err)
		lines, _, err := ask.AnalyticsMembers(ctx, in, string(r), everything)
		none("a report on members", lines, err)
		all, _, err := ask.AnalyticsRoles(ctx, in, everything)
		none("lines", all.Items, err)
		equal(w, "totals", all.Totals, readmodels.TotalLine{})
		equal(w, "members", all.Members, 2)
		holders, _, err := ask.RoleMembers(ctx, in, string(r), everything)
		none("holders", holders.Items, err)
		versions, _, err := ask.RoleVersions(ctx, in, string(r), everything)
		none("versions", versions.Items, err)
		list, _, err := ask.Roles(ctx, in, readmodels.RoleFilter{}, everything)
		none("roles", list.Items, err)
		teams, _, err := ask.Teams(ctx, in, "", everything)
		none("teams", teams.Items, err)
		for _, search := range []string{"", "go"} {
			found, _, err := ask.Skills(ctx, in, search, everything)
			none("skills by "+search, found.Items, err)
		}
		people, _, err := ask.Members(ctx, in, readmodels.MemberFilter{Search: "ada"}, everything)
		none("members by name", people.Items, err)
		if found, _, err := ask.Members(ctx, in, readmodels.MemberFilter{}, everything); err != nil || len(found.Items) != 2 {
			w.Errorf("members: %s, %v", text(w, found), err)
		}
	})
	scenario(t, "PLN-3 the same ids in two plans are two things", func(w *world) {
		acme, beech := w.plan("acme"), w.plan("beech")
		const skillID, roleID, memberID = "00000000-0000-7000-9000-000000000001", "00000000-0000-7000-9000-000000000002", "00000000-0000-7000-9000-000000000003"
		for _, p := range []*tenant{acme, beech} {
			p.send(commands.DefineSkill{Skill: skillID, Name: "Skill of " + string(p.id), State: skill.Validated})
			p.send(commands.CreateRole{Role: roleID, Title: "Role of " + string(p.id)})
			p.send(commands.AddRoleSkill{Role: roleID, Skill: skillID, Required: true})
			p.publish(roleID, "")
			p.send(commands.InviteMember{Member: memberID, Name: "Member of " + string(p.id), Email: "m@x.example"})
			p.assign(roleID, memberID)
		}
		acme.measure(memberID, skillID, 300)
		acme.expect(memberID, roleID, "completed senior 1/1")
		beech.expect(memberID, roleID, "assigned 0/1")
		beech.send(commands.RetireSkill{Skill: skillID})
		acme.expect(memberID, roleID, "completed senior 1/1")
		beech.expect(memberID, roleID, "assigned 0/0")
		equal(w, "title", beech.report().Items[0].Title, "Role of beech")
	})
}
