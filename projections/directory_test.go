package projections_test

import (
	"slices"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/readmodels"
)

// pages asks for a list page by page, and checks that no page but the last is short.
func pages[T any](w *world, limit int, ask func(readmodels.Want) (readmodels.List[T], readmodels.Checkpoint, error)) []T {
	w.Helper()
	var all []T
	for want := (readmodels.Want{Limit: limit}); ; {
		page, _, err := ask(want)
		if err != nil {
			w.Fatal(err)
		}
		if len(page.Items) > limit || (page.Next != "" && len(page.Items) == 0) {
			w.Errorf("a page of %d items, limit %d, next %q", len(page.Items), limit, page.Next)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		if page.Next <= want.After {
			w.Fatalf("the cursor went from %q to %q", want.After, page.Next)
		}
		want.After = page.Next
	}
}

func (p *tenant) membersBy(search string, limit int) []string {
	p.Helper()
	var names []string
	for _, row := range pages(p.world, limit, func(want readmodels.Want) (readmodels.List[*readmodels.MemberRow], readmodels.Checkpoint, error) {
		return p.ask.Members(p.Context(), string(p.id), readmodels.MemberFilter{Search: search}, want)
	}) {
		names = append(names, row.Name)
	}
	return names
}

func TestMembers(t *testing.T) {
	scenario(t, "MEM-4 search by name or e-mail: prefix and word prefix, without case and accents", func(w *world) {
		p := w.plan("acme")
		for name, email := range map[string]string{
			"Zoë Müller": "zoe@acme.example", "Jean-Luc O'Brien": "jl.obrien@acme.example", "Anna Zoeller": "anna@zoo.example",
			"Émile Zola": "ez@acme.example", "anna Anderson": "aa@acme.example", "Łukasz Straße": "ls@acme.example",
		} {
			p.send(commands.InviteMember{Name: name, Email: email})
		}
		p.fold()
		for search, want := range map[string][]string{
			"zoe":             {"Zoë Müller", "Anna Zoeller"},               // zoe, zoeller
			"ZOË":             {"Zoë Müller", "Anna Zoeller"},               //
			"mull":            {"Zoë Müller"},                               //
			"MÜLL":            {"Zoë Müller"},                               //
			"strasse":         {"Łukasz Straße"},                            //
			"lukasz":          {"Łukasz Straße"},                            // a letter that does not decompose
			"Straße, Łukasz":  {"Łukasz Straße"},                            // as directories write it
			"luc":             {"Jean-Luc O'Brien"},                         // a part of a word
			"jean-l":          {"Jean-Luc O'Brien"},                         //
			"o'b":             {"Jean-Luc O'Brien"},                         //
			"emil zol":        {"Émile Zola"},                               //
			"zol emil":        {"Émile Zola"},                               // in any order
			"an":              {"anna Anderson", "Anna Zoeller"},            // both words, listed once, by the first
			"anna a":          {"anna Anderson", "Anna Zoeller"},            // each word for itself: anna begins with a
			"anna an":         {"anna Anderson", "Anna Zoeller"},            //
			"anna and":        {"anna Anderson"},                            //
			"ez@acme":         {"Émile Zola"},                               //
			"EZ@ACME.example": {"Émile Zola"},                               //
			"zoo":             {"Anna Zoeller"},                             // in the address
			"nobody":          nil,                                          //
			"mile":            nil,                                          // not within a word
			"anna nobody":     nil,                                          //
			" ":               nil,                                          //
			"zo":              {"Zoë Müller", "Anna Zoeller", "Émile Zola"}, // zoe, zoeller, zola
		} {
			got := p.membersBy(search, 1000)
			for limit := 1; limit < 4; limit++ {
				equal(p, "by "+search+" in pages", p.membersBy(search, limit), got)
			}
			slices.Sort(got)
			slices.Sort(want)
			equal(p, "by "+search, got, want)
		}
	})
	scenario(t, "MEM-4 all members by name, in pages without gap or overlap", func(w *world) {
		p := w.plan("acme")
		want := []string{"The Owner"}
		for i := range 23 {
			want = append(want, p.membersName(i))
			p.member(want[len(want)-1])
		}
		slices.SortFunc(want, func(a, b string) int { return slices.Compare([]byte(readmodels.Fold(a)), []byte(readmodels.Fold(b))) })
		p.fold()
		for _, limit := range []int{1, 2, 5, 23, 24, 25} {
			equal(p, "members", p.membersBy("", limit), want)
			if found := p.membersBy("member", limit); len(found) != 23 {
				p.Errorf("limit %d: %d found, want 23", limit, len(found))
			}
		}
	})
	scenario(t, "MEM-1 a member's row follows invitation, acceptance and teams", func(w *world) {
		p := w.plan("acme")
		core, data := p.team("Core"), p.team("Data")
		ada := p.member("Ada", core)
		row := func() *readmodels.MemberRow {
			p.Helper()
			p.fold()
			row, _, err := p.ask.Member(p.Context(), "acme", string(ada), 0)
			if err != nil {
				p.Fatal(err)
			}
			return row
		}
		want := &readmodels.MemberRow{
			Member: string(ada), Name: "Ada", Email: "ada@acme.example", Status: "invited",
			Teams: []readmodels.Membership{{Team: string(core), TeamRole: "member"}},
		}
		equal(p, "invited", row(), want)
		p.send(commands.AcceptInvitation{Member: ada})
		p.join(data, ada)
		p.send(commands.ChangeTeamRole{Team: core, Member: ada, TeamRole: member.Manager})
		want.Status, want.Accepted = "active", true
		want.Teams = []readmodels.Membership{{Team: string(core), TeamRole: "manager"}, {Team: string(data), TeamRole: "member"}}
		equal(p, "in two teams", row(), want)
		p.leave(core, ada)
		p.leave(data, ada)
		want.Teams = []readmodels.Membership{}
		equal(p, "in none", row(), want)
	})
}

func (w *world) membersName(i int) string {
	return []string{"Élan", "elan", "Zoë", "Ada", "ångström"}[i%5] + " member " + string(rune('a'+i))
}

func TestTeams(t *testing.T) {
	scenario(t, "MEM-3 the tree of teams, with their members counted", func(w *world) {
		p := w.plan("acme")
		ada := p.member("Ada")
		top, below := p.team("Top", ada), p.team("Below", ada, p.member("Bob"))
		p.send(commands.MoveTeam{Team: below, Parent: top})
		p.send(commands.RenameTeam{Team: top, Name: "Above"})
		p.leave(below, ada)
		p.fold()
		page, _, err := p.ask.Teams(p.Context(), "acme", "", everything)
		if err != nil {
			p.Fatal(err)
		}
		equal(p, "teams", page.Items, []readmodels.TeamRow{
			{Team: string(top), Name: "Above", Members: 1, Teams: 1},
			{Team: string(below), Name: "Below", Parent: string(top), Members: 1},
		})
	})
}

func TestPlans(t *testing.T) {
	scenario(t, "PLN-4 a plan with its settings", func(w *world) {
		p := w.plan("acme")
		w.plan("beech")
		p.policy("recalculation", `"on_visit"`)
		p.policy("level_rule", `{"name":"k_of_n.v1","k":2}`)
		p.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: plan.Starter})
		p.do("acme", commands.GrantPlanFeature{Plan: "acme", Feature: plan.Careers})
		p.do("acme", commands.WithdrawPlanFeature{Plan: "acme", Feature: plan.Roles})
		p.member("Ada")
		p.fold()
		row, _, err := p.ask.Plan(p.Context(), "acme", 0)
		if err != nil {
			p.Fatal(err)
		}
		equal(p, "plan", row, readmodels.PlanRow{
			Plan: "acme", Name: "Plan acme", Tier: "starter", Features: map[string]bool{"careers": true, "roles": false},
			Recalculation: "on_visit", LevelRule: "k_of_n.v1", Members: 2,
			Licences: readmodels.Licences{Total: 10},
		})
		var ids []string
		for _, row := range pages(w, 1, func(want readmodels.Want) (readmodels.List[*readmodels.PlanRow], readmodels.Checkpoint, error) {
			return p.ask.Plans(p.Context(), want)
		}) {
			ids = append(ids, row.Plan)
		}
		equal(p, "plans", ids, []string{"acme", "beech", "catalog"})
	})
}

func (p *tenant) skillsBy(search string, limit int) []string {
	p.Helper()
	var names []string
	var want readmodels.Want
	for want.Limit = limit; ; {
		page, _, err := p.ask.Skills(p.Context(), string(p.id), search, want)
		if err != nil {
			p.Fatal(err)
		}
		for _, row := range page.Items {
			names = append(names, row.Plan+": "+row.Name)
		}
		if want.After = page.Next; page.Next == "" {
			return names
		}
	}
}

func TestSkills(t *testing.T) {
	scenario(t, "SKL-1 a skill named like the catalog is a skill like others", func(w *world) {
		w.catalog().skill("Go", skill.Validated)
		w.plan("acme").skills("Catalog", "Zebra")
		p := &tenant{w, "acme"}
		p.fold()
		for limit := 1; limit < 5; limit++ {
			equal(p, "skills", p.skillsBy("", limit), []string{"acme: Catalog", "acme: Zebra", "catalog: Go"})
		}
	})
	scenario(t, "ROL-6 a role shows when a newer benchmark exists", func(w *world) {
		p := w.plan("acme")
		s := p.skill("Go", skill.Validated)
		benchmark := func(role domain.RoleID, entry int) {
			p.send(commands.PublishBenchmark{Skill: s, Role: role, Thresholds: []int{entry, 200, 300}, Source: "test"})
		}
		r := p.role("Backend", s)
		newer := func(id domain.RoleID) [2]bool {
			p.fold()
			row, _, err := p.ask.Role(p.Context(), "acme", string(id), 0)
			if err != nil {
				p.Fatal(err)
			}
			return [2]bool{row.Draft.Skills[0].NewerBenchmark, row.InForce.Skills[0].NewerBenchmark}
		}
		again := func() {
			p.send(commands.RemoveRoleSkill{Role: r, Skill: s})
			p.send(commands.AddRoleSkill{Role: r, Skill: s, Required: true})
		}
		equal(p, "before any was published", newer(r), [2]bool{false, false})
		benchmark("", 100)
		equal(p, "after the first", newer(r), [2]bool{true, true})
		again()
		equal(p, "taken over in the draft", newer(r), [2]bool{false, true})
		p.publish(r, "")
		equal(p, "and published", newer(r), [2]bool{false, false})
		other := p.role("Other", s)
		benchmark(other, 120)
		equal(p, "one for another role", newer(r), [2]bool{false, false})
		equal(p, "one for itself", newer(other), [2]bool{true, true})
		benchmark(r, 130)
		again()
		p.publish(r, "")
		equal(p, "its own taken over", newer(r), [2]bool{false, false})
		benchmark("", 140)
		equal(p, "a general one behind its own", newer(r), [2]bool{false, false})
		benchmark(r, 150)
		equal(p, "the next of its own", newer(r), [2]bool{true, true})
	})
	scenario(t, "MSR-3 a beta attempt is seen, and that it must be repeated", func(w *world) {
		p := w.plan("acme")
		s := p.skill("Zig", skill.Beta)
		ada := p.member("Ada")
		row := func() readmodels.ResultRow {
			p.fold()
			rows, _, err := p.ask.MemberResults(p.Context(), "acme", string(ada), 0)
			if err != nil || len(rows) != 1 {
				p.Fatalf("%+v: %v", rows, err)
			}
			return rows[0]
		}
		first := began.AddDate(0, 0, -9)
		p.sit(ada, s, sitting{score: 200, at: first})
		p.sit(ada, s, sitting{score: 210, at: first.AddDate(0, 0, -1)})
		if got := row(); got.BetaTaken == nil || !got.BetaTaken.Equal(first) || got.MustRetake || got.Level != nil || len(got.History) != 0 {
			p.Errorf("in beta: %+v", got)
		}
		p.send(commands.ValidateSkill{Skill: s})
		if got := row(); !got.MustRetake {
			p.Errorf("validated: %+v", got)
		}
		p.measure(ada, s, 200)
		if got := row(); got.MustRetake || got.Level == nil {
			p.Errorf("measured: %+v", got)
		}
	})
	scenario(t, "ROL-11 PRG-1 a role tells of required skills in beta, and of retired ones", func(w *world) {
		p := w.plan("acme")
		s := []domain.SkillID{p.skill("Go", skill.Validated), p.skill("Zig", skill.Beta)}
		r := p.role("Backend", s...)
		ask := func() *readmodels.RoleRow {
			p.fold()
			row, _, err := p.ask.Role(p.Context(), "acme", string(r), 0)
			if err != nil {
				p.Fatal(err)
			}
			return row
		}
		if row := ask(); !row.Beta || len(row.Warnings) != 0 {
			p.Errorf("in beta: %+v", row)
		}
		p.send(commands.ValidateSkill{Skill: s[1]})
		p.send(commands.RetireSkill{Skill: s[0]})
		if row := ask(); row.Beta || len(row.Warnings) != 1 || !strings.Contains(row.Warnings[0], "Go") {
			p.Errorf("with a retired skill: %+v", row)
		}
	})
	scenario(t, "SKL-1 a plan's skills and then the catalog's, by name, synonym and word", func(w *world) {
		c := w.catalog()
		c.skill("Go", skill.Validated, "Golang")
		c.skill("Ada", skill.Validated)
		c.skill("Google Cloud", skill.Beta, "GCP")
		p := w.plan("acme")
		p.skill("Zig", skill.Validated, "Go without runtime")
		own := p.skill("C++", skill.Validated, "C plus plus", "Cpp")
		w.plan("beech").skill("Gopher care", skill.Validated)
		p.fold()
		for search, want := range map[string][]string{
			"":        {"acme: C++", "acme: Zig", "catalog: Ada", "catalog: Go", "catalog: Google Cloud"},
			"go":      {"acme: Zig", "catalog: Go", "catalog: Google Cloud"},
			"GOL":     {"catalog: Go"},
			"go run":  {"acme: Zig"},
			"plus":    {"acme: C++"},
			"c++":     {"acme: C++"},
			"cloud g": {"catalog: Google Cloud"},
			"gcp":     {"catalog: Google Cloud"},
			"gopher":  nil,
		} {
			for limit := 1; limit < 7; limit++ {
				equal(p, "skills by "+search, p.skillsBy(search, limit), want)
			}
		}
		p.send(commands.RenameSkill{Skill: own, Name: "Modern C"})
		p.fold()
		equal(p, "by the old name", p.skillsBy("c++", 10), []string(nil))
		equal(p, "by the new name", p.skillsBy("mod", 10), []string{"acme: Modern C"})
		equal(p, "all, once each", p.skillsBy("", 10), []string{"acme: Modern C", "acme: Zig", "catalog: Ada", "catalog: Go", "catalog: Google Cloud"})
		equal(p, "by a synonym", p.skillsBy("cpp", 10), []string{"acme: Modern C"})
	})
	scenario(t, "SKL-2 a skill's row follows its life and benchmark", func(w *world) {
		p := w.plan("acme")
		id := p.skill("Zig", skill.Beta, "ziglang")
		row := func() *readmodels.SkillRow {
			p.Helper()
			p.fold()
			page, _, err := p.ask.Skills(p.Context(), "acme", "zig", everything)
			if err != nil || len(page.Items) != 1 {
				p.Fatalf("%d skills, %v", len(page.Items), err)
			}
			return page.Items[0]
		}
		want := &readmodels.SkillRow{Skill: string(id), Plan: "acme", Name: "Zig", Synonyms: []string{"ziglang"}, State: "beta"}
		equal(p, "beta", row(), want)
		p.send(commands.ValidateSkill{Skill: id})
		p.send(commands.PublishBenchmark{Skill: id, Thresholds: []int{1, 2, 3}, Source: "one"})
		p.send(commands.PublishBenchmark{Skill: id, Thresholds: []int{4, 5, 6}, Source: "two"})
		r := p.role("Backend", id)
		p.send(commands.PublishBenchmark{Skill: id, Role: r, Thresholds: []int{7, 8, 9}, Source: "of the role"})
		want.State, want.Benchmark = "validated", &readmodels.BenchmarkRow{Version: 2, Thresholds: [3]int{4, 5, 6}, Source: "two"}
		equal(p, "validated, with a benchmark", row(), want)
		p.send(commands.RetireSkill{Skill: id})
		want.State = "retired"
		equal(p, "retired", row(), want)
	})
}

func (p *tenant) titles(state string) []string {
	p.Helper()
	p.fold()
	var titles []string
	for _, row := range pages(p.world, 2, func(want readmodels.Want) (readmodels.List[*readmodels.RoleRow], readmodels.Checkpoint, error) {
		return p.ask.Roles(p.Context(), string(p.id), readmodels.RoleFilter{State: state}, want)
	}) {
		titles = append(titles, row.Title+" "+row.State)
	}
	return titles
}

func TestRoles(t *testing.T) {
	scenario(t, "ROL-4 drafts are listed apart", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		b := p.draft("Beta", s...)
		p.draft("alpha", s...)
		p.role("Gamma", s...)
		equal(p, "drafts", p.titles("draft"), []string{"alpha draft", "Beta draft"})
		equal(p, "published", p.titles("published"), []string{"Gamma published"})
		equal(p, "all", p.titles(""), []string{"alpha draft", "Beta draft", "Gamma published"})
		p.send(commands.RenameRole{Role: b, Title: "Zeta"})
		equal(p, "drafts, one renamed", p.titles("draft"), []string{"alpha draft", "Zeta draft"})
		p.publish(b, "")
		equal(p, "drafts, one published", p.titles("draft"), []string{"alpha draft"})
		equal(p, "published, one more", p.titles("published"), []string{"Gamma published", "Zeta published"})
		p.send(commands.RenameRole{Role: b, Title: "Delta"})
		equal(p, "the version in force keeps its title", p.titles("published"), []string{"Gamma published", "Zeta published"})
		p.publish(b, "")
		equal(p, "published with the new title", p.titles("published"), []string{"Delta published", "Gamma published"})
		equal(p, "all by the new title", p.titles(""), []string{"alpha draft", "Delta published", "Gamma published"})
	})
	scenario(t, "ROL-8 the draft moves on, the version in force stays until the next", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.draft("Backend", s[0])
		get := func() *readmodels.RoleRow {
			p.Helper()
			p.fold()
			row, _, err := p.ask.Role(p.Context(), "acme", string(r), 0)
			if err != nil || row == nil {
				p.Fatalf("role %v, %v", row, err)
			}
			return row
		}
		row := get()
		if row.State != "draft" || row.Version != 0 || row.InForce != nil || !row.Edited || row.Revision != 1 {
			p.Errorf("draft %s", text(p, row))
		}
		p.publish(r, "")
		first := p.clock
		row = get()
		if row.State != "published" || row.Version != 1 || row.Edited || row.Revision != 2 {
			p.Errorf("published %s", text(p, row))
		}
		equal(p, "draft and version", row.Draft, row.InForce)

		p.send(commands.AddRoleSkill{Role: r, Skill: s[1], Required: false})
		p.send(commands.ReorderRoleSkills{Role: r, Skills: []domainSkill{s[1], s[0]}})
		p.send(commands.SetSkillRequired{Role: r, Skill: s[1], Required: true})
		p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: -10})
		p.send(commands.SetRequiredLevel{Role: r, Skill: s[1], Level: 4})
		p.send(commands.DescribeRole{Role: r, Description: "Servers", Responsibilities: []string{"uptime"}})
		row = get()
		goals := [3]int{75, 150, 225}
		golang := readmodels.RoleSkill{Skill: string(s[0]), Name: "Go", State: "validated", Required: true, Goals: goals}
		lower := golang
		lower.Percent, lower.Goals = -10, [3]int{68, 135, 203}
		sql := readmodels.RoleSkill{Skill: string(s[1]), Name: "SQL", State: "validated", Required: true, Goals: goals, RequiredLevel: 4}
		equal(p, "version in force", row.InForce, readmodels.RoleContent{
			Title: "Backend", Responsibilities: []string{}, Skills: []readmodels.RoleSkill{golang},
		})
		equal(p, "draft", row.Draft, readmodels.RoleContent{
			Title: "Backend", Description: "Servers", Responsibilities: []string{"uptime"}, Skills: []readmodels.RoleSkill{sql, lower},
		})
		if !row.Edited || row.Revision != 8 {
			p.Errorf("edited %t, revision %d", row.Edited, row.Revision)
		}
		p.publish(r, role.Grandfather)
		second := p.clock
		p.send(commands.RemoveRoleSkill{Role: r, Skill: s[1]}) // only of the draft
		p.fold()
		versions, _, err := p.ask.RoleVersions(p.Context(), "acme", string(r), everything)
		if err != nil {
			p.Fatal(err)
		}
		equal(p, "versions, the newest first", versions.Items, []readmodels.VersionRow{
			{
				Role: string(r), Version: 2, PublishedAt: second, OnPublish: "grandfather",
				Content: readmodels.RoleContent{
					Title: "Backend", Description: "Servers", Responsibilities: []string{"uptime"}, Skills: []readmodels.RoleSkill{sql, lower},
				},
			},
			{
				Role: string(r), Version: 1, PublishedAt: first, OnPublish: "re_evaluate",
				Content: readmodels.RoleContent{Title: "Backend", Responsibilities: []string{}, Skills: []readmodels.RoleSkill{golang}},
			},
		})
		if row := get(); len(row.InForce.Skills) != 2 || len(row.Draft.Skills) != 1 {
			p.Errorf("after the removal %s", text(p, row))
		}
	})
	scenario(t, "ROL-2 ROL-3 copies remember source and version", func(w *world) {
		c := w.catalog()
		source := c.role("Vendor role", c.skills("Go")...)
		p := w.plan("acme")
		custom, double := domainRole(p.world.id()), domainRole(p.world.id())
		p.send(commands.CustomizeRole{Role: custom, Source: source})
		p.send(commands.DuplicateRole{Role: double, Source: custom, Title: "Twin"})
		p.fold()
		for id, want := range map[domainRole]string{custom: "Vendor role 1 " + string(source), double: "Twin 0 " + string(custom)} {
			row, _, err := p.ask.Role(p.Context(), "acme", string(id), 0)
			if err != nil || row == nil {
				p.Fatalf("role %v, %v", row, err)
			}
			if got := row.Title + " " + string(rune('0'+row.SourceVersion)) + " " + row.Source; got != want || row.Draft.Skills[0].Name != "Go" {
				p.Errorf("got %s, want %s: %s", got, want, text(p, row))
			}
		}
		equal(p, "drafts", p.titles("draft"), []string{"Twin draft", "Vendor role draft"})
	})
	scenario(t, "ROL-8 more than nine versions come newest first, in pages", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		var want []int
		for v := 12; v > 0; v-- {
			want = append(want, v)
		}
		for i := range 11 {
			p.send(commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10 - 10*(i%2)})
			p.publish(r, "")
		}
		p.fold()
		var got []int
		for _, row := range pages(w, 5, func(want readmodels.Want) (readmodels.List[*readmodels.VersionRow], readmodels.Checkpoint, error) {
			return p.ask.RoleVersions(p.Context(), "acme", string(r), want)
		}) {
			got = append(got, row.Version)
		}
		equal(p, "versions", got, want)
	})
}
