package projections_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

func (p *tenant) row(r domain.RoleID) *readmodels.RoleRow {
	p.Helper()
	p.fold()
	row, _, err := p.ask.Role(p.Context(), string(p.id), string(r), 0)
	if err != nil || row == nil {
		p.Fatalf("role %s: %v, %v", r, row, err)
	}
	return row
}

// held returns how a member stands in all roles, as their page shows it.
func (p *tenant) held(m domain.MemberID) []string {
	p.Helper()
	p.fold()
	rows, _, err := p.ask.MemberProgress(p.Context(), string(p.id), string(m), 0)
	if err != nil {
		p.Fatal(err)
	}
	held := []string{}
	for _, row := range rows {
		level := ""
		if row.Level != nil {
			level = " " + *row.Level
		}
		held = append(held, row.Title+" "+row.State+level)
	}
	return held
}

func TestDeletedRoles(t *testing.T) {
	scenario(t, "ROL-9 a deleted role leaves pages and analytics, and comes back whole", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r, other := p.role("Engineer", s[0]), p.role("Analyst", s[1])
		ada, bob, cem := p.member("Ada"), p.member("Bob"), p.member("Cem")
		crew := p.team("Crew", cem)
		p.assign(r, ada)
		p.assign(other, ada)
		p.assignTeams(r, crew)
		p.selects(bob, r, "mid")
		p.measure(ada, s[0], 230)
		before := p.report()
		since := p.progress(ada, r).Since
		p.send(commands.DeleteRole{Role: r, ConfirmTitle: "Engineer"})

		equal(p, "lines", len(p.report().Items), 1)
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{Assigned: 1})
		equal(p, "members", p.report().Members, before.Members)
		equal(p, "Ada's roles", p.held(ada), []string{"Analyst assigned"})
		equal(p, "Bob's roles", p.held(bob), []string{})
		one, _, err := p.ask.AnalyticsRole(p.Context(), "acme", string(r), 0)
		if err != nil || one != nil {
			w.Errorf("report %+v, %v", one, err)
		}
		lines, _, err := p.ask.AnalyticsMembers(p.Context(), "acme", string(r), readmodels.Want{Limit: 10})
		if err != nil || lines != nil {
			w.Errorf("members %+v, %v", lines, err)
		}
		equal(p, "all", p.titles(""), []string{"Analyst published"})
		equal(p, "published", p.titles("published"), []string{"Analyst published"})
		equal(p, "deleted", p.titles("deleted"), []string{"Engineer deleted"})

		p.send(commands.RestoreRole{Role: r})
		equal(p, "the report", p.report(), before)
		equal(p, "Ada's roles", p.held(ada), []string{"Engineer completed senior", "Analyst assigned"})
		equal(p, "cause", p.progress(ada, r).Since, since)
		equal(p, "published", p.titles("published"), []string{"Analyst published", "Engineer published"})
		equal(p, "deleted", p.titles("deleted"), []string(nil))
	})
	scenario(t, "ROL-9 what happens to a deleted role's members meanwhile counts once it is restored", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL")
		r := p.role("Engineer", s...)
		ada, bob, cem := p.member("Ada"), p.member("Bob"), p.member("Cem")
		crew := p.team("Crew")
		p.assign(r, ada, bob)
		p.assignTeams(r, crew)
		p.measure(ada, s[0], 80)
		p.send(commands.DeleteRole{Role: r, ConfirmTitle: "Engineer"})
		p.measure(ada, s[1], 300)
		p.unassign(r, bob)
		p.join(crew, cem)
		p.policy("level_rule", `"mean_of_thresholds.v1"`)
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{})
		p.send(commands.RestoreRole{Role: r})
		equal(p, "Ada", p.held(ada), []string{"Engineer completed mid"})
		equal(p, "Bob", p.held(bob), []string{})
		equal(p, "Cem", p.held(cem), []string{"Engineer assigned"})
		line := p.report().Items[0]
		equal(p, "counts", []int{line.Assigned, line.Completed, line.Levels.Mid, p.report().Totals.Assigned}, []int{2, 1, 1, 2})
	})
	scenario(t, "ROL-9 under the policy on_visit", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Engineer", s...)
		ada := p.member("Ada")
		p.policy("recalculation", `"on_visit"`)
		p.assign(r, ada)
		p.measure(ada, s[0], 80)
		p.visits(ada, r)
		before := p.report()
		p.send(commands.DeleteRole{Role: r, ConfirmTitle: "Engineer"})
		equal(p, "Ada", p.held(ada), []string{})
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{})
		p.send(commands.RestoreRole{Role: r})
		equal(p, "Ada", p.held(ada), []string{"Engineer completed entry"})
		equal(p, "the report", p.report(), before)
	})
	scenario(t, "ROL-9 a deleted draft", func(w *world) {
		p := w.plan("acme")
		r := p.draft("Engineer")
		p.send(commands.DeleteRole{Role: r, ConfirmTitle: "Engineer"})
		equal(p, "drafts", p.titles("draft"), []string(nil))
		equal(p, "lines", len(p.report().Items), 0)
		p.send(commands.RestoreRole{Role: r})
		equal(p, "drafts", p.titles("draft"), []string{"Engineer draft"})
	})
}

func TestRoleDetails(t *testing.T) {
	scenario(t, "ROL-7 badge and suggestions", func(w *world) {
		p := w.plan("acme")
		var ids []domain.SkillID
		for i, icon := range []string{"gopher", "", "table", "gopher"} {
			ids = append(ids, domain.SkillID(w.id()))
			p.send(commands.DefineSkill{Skill: ids[i], Name: fmt.Sprint("Skill ", i), Icon: icon, State: skill.Validated})
		}
		r := p.draft("Engineer", ids...)
		p.send(commands.ReorderRoleSkills{Role: r, Skills: []domain.SkillID{ids[2], ids[1], ids[0], ids[3]}})
		row := p.row(r)
		equal(p, "icons", row.Icons, []string{"table", "gopher"})
		equal(p, "badge", row.Draft.Badge, (*readmodels.RoleBadge)(nil))
		p.send(commands.PersonalizeBadge{Role: r, Icon: "table", Color: "#1D4ED8"})
		p.publish(r, "")
		p.send(commands.PersonalizeBadge{Role: r, Icon: "gopher", Color: "#000000"})
		row = p.row(r)
		equal(p, "in force", row.InForce.Badge, &readmodels.RoleBadge{Icon: "table", Color: "#1d4ed8"})
		equal(p, "draft", row.Draft.Badge, &readmodels.RoleBadge{Icon: "gopher", Color: "#000000"})
		equal(p, "edited", row.Edited, true)
	})
	scenario(t, "ROL-12 categories and the directory", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		craft, trade := domain.CategoryID(w.id()), domain.CategoryID(w.id())
		p.send(commands.CreateCategory{Category: trade, Name: "Trade"})
		p.send(commands.CreateCategory{Category: craft, Name: "craft", Featured: true})
		engineer, seller, draft := p.role("Engineer", s...), p.role("Seller", s...), p.draft("Draft", s...)
		in := func(want ...bool) {
			p.Helper()
			equal(p, "in the directory", []bool{p.row(engineer).InDirectory, p.row(seller).InDirectory, p.row(draft).InDirectory}, want)
		}
		list := func(want ...string) {
			p.Helper()
			p.fold()
			page, _, err := p.ask.Categories(p.Context(), "acme", readmodels.Want{Limit: 10})
			if err != nil {
				p.Fatal(err)
			}
			var got []string
			for _, c := range page.Items {
				got = append(got, fmt.Sprint(c.Name, " ", c.Featured, " ", c.Roles))
			}
			equal(p, "categories", got, want)
		}
		in(true, true, false)
		list("craft true 0", "Trade false 0")
		p.policy("directory_visibility", `"featured_category"`)
		in(false, false, false)
		for _, r := range []domain.RoleID{engineer, draft} {
			p.send(commands.CategorizeRole{Role: r, Category: craft})
		}
		p.send(commands.CategorizeRole{Role: seller, Category: trade})
		in(true, false, false)
		list("craft true 1", "Trade false 1")
		p.send(commands.FeatureCategory{Category: trade, Featured: true})
		p.send(commands.FeatureCategory{Category: craft, Featured: false})
		p.publish(draft, "")
		in(false, true, false)
		list("craft false 2", "Trade true 1")
		p.send(commands.CategorizeRole{Role: seller})
		in(false, false, false)
		p.send(commands.DeleteRole{Role: draft, ConfirmTitle: "Draft"})
		list("craft false 1", "Trade true 0")
		p.policy("directory_visibility", `"published"`)
		in(true, true, false)
	})
	scenario(t, "ROL-11 roles in beta are listed, in pages", func(w *world) {
		p := w.plan("acme")
		beta, done := p.skill("Zig", skill.Beta), p.skill("Go", skill.Validated)
		vendors := w.catalog().skill("Vendor's", skill.Beta)
		p.role("A", beta)
		p.role("B", done)
		p.role("C", done, vendors)
		p.draft("D", beta)
		optional := p.draft("E", done)
		p.send(commands.AddRoleSkill{Role: optional, Skill: beta})
		p.publish(optional, "")
		p.role("F", beta, done)
		equal(p, "beta", p.titles("beta"), []string{"A published", "C published", "F published"})
		w.catalog().send(commands.ValidateSkill{Skill: vendors})
		equal(p, "beta", p.titles("beta"), []string{"A published", "F published"})
		p.send(commands.ValidateSkill{Skill: beta})
		equal(p, "beta", p.titles("beta"), []string(nil))
	})
	scenario(t, "CAR-3 ROL-12 the ladder of a role", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		vendors := w.catalog().role("Apprentice", w.catalog().skills("Reading")...)
		junior, engineer, lead, chief, draft := p.role("Junior", s...), p.role("Engineer", s...), p.role("Lead", s...), p.role("Chief", s...), p.draft("Draft", s...)
		for to, from := range map[domain.RoleID][]domain.RoleID{
			junior: {vendors}, engineer: {junior, draft}, lead: {engineer}, chief: {lead, engineer},
		} {
			p.send(commands.SetPathway{Role: to, AdvancesFrom: from})
		}
		ladder := func(r domain.RoleID) (steps []string, edges int) {
			p.Helper()
			p.fold()
			row, _, err := p.ask.Pathway(p.Context(), "acme", string(r), 0)
			if err != nil || row == nil {
				p.Fatalf("%v, %v", row, err)
			}
			for _, one := range row.Roles {
				steps = append(steps, fmt.Sprint(one.Step, " ", one.Title))
			}
			return steps, len(row.Edges)
		}
		steps, edges := ladder(engineer)
		equal(p, "steps", steps, []string{"-2 Apprentice", "-1 Junior", "1 Chief", "1 Lead"})
		equal(p, "edges", edges, 5)
		p.send(commands.DeleteRole{Role: lead, ConfirmTitle: "Lead"})
		steps, _ = ladder(engineer)
		equal(p, "without the deleted", steps, []string{"-2 Apprentice", "-1 Junior", "1 Chief"})
		p.send(commands.SetPathway{Role: engineer, AdvancesFrom: []domain.RoleID{}})
		steps, _ = ladder(junior)
		equal(p, "after an edge went", steps, []string{"-1 Apprentice"})
		row, _, err := p.ask.Pathway(p.Context(), "acme", string(lead), 0)
		if err != nil || row != nil {
			w.Errorf("of a deleted role: %v, %v", row, err)
		}
	})
	scenario(t, "ROL-10 drafts and deleted roles by creator", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		ada, bob := p.member("Ada"), p.member("Bob")
		as := map[domain.MemberID]domain.RoleID{}
		for _, m := range []domain.MemberID{ada, bob} {
			as[m] = p.draft("Draft of "+string(m[30:]), s...)
			p.send(commands.TransferRole{Role: as[m], To: m})
		}
		p.role("Published", s...)
		p.draft("Nobody's", s...)
		titles := func(state string, creators ...string) (found []string) {
			p.Helper()
			p.fold()
			for _, row := range pages(w, 1, func(want readmodels.Want) (readmodels.List[*readmodels.RoleRow], readmodels.Checkpoint, error) {
				return p.ask.Roles(p.Context(), "acme", readmodels.RoleFilter{State: state, Creators: creators}, want)
			}) {
				found = append(found, row.Title)
			}
			return found
		}
		equal(p, "drafts of Ada", titles("draft", string(ada)), []string{"Draft of " + string(ada[30:])})
		equal(p, "drafts of Ada and nobody", titles("draft", "", string(ada)), []string{"Draft of " + string(ada[30:]), "Nobody's"})
		equal(p, "all for Ada", titles("", "", string(ada)), []string{"Draft of " + string(ada[30:]), "Nobody's", "Published"})
		p.send(commands.DeleteRole{Role: as[bob], ConfirmTitle: "Draft of " + string(bob[30:])})
		equal(p, "deleted of Ada", titles("deleted", string(ada)), []string(nil))
		equal(p, "deleted of Bob", titles("deleted", string(bob)), []string{"Draft of " + string(bob[30:])})
		equal(p, "drafts of Bob", titles("draft", string(bob)), []string(nil))
	})
	scenario(t, "ROL-8 the difference between draft and version in force", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go", "SQL", "C", "D")
		r := p.draft("Engineer", s[:3]...)
		first := p.row(r).Diff()
		equal(p, "a draft", []any{first.Version, first.Changed, first.Title, len(first.Added), len(first.Removed)}, []any{0, true, &readmodels.TextChange{To: "Engineer"}, 3, 0})
		p.publish(r, "")
		if d := p.row(r).Diff(); d.Changed || d.Title != nil || len(d.Added)+len(d.Removed)+len(d.Altered) != 0 || d.Badge != nil {
			w.Errorf("nothing changed: %s", text(w, d))
		}
		for _, c := range []commands.Command{
			commands.RenameRole{Role: r, Title: "Builder"}, commands.DescribeRole{Role: r, Description: "Builds.", Responsibilities: []string{"Building"}},
			commands.PersonalizeBadge{Role: r, Icon: "hammer", Color: "#000000"}, commands.RemoveRoleSkill{Role: r, Skill: s[2]},
			commands.AddRoleSkill{Role: r, Skill: s[3]}, commands.AdjustGoal{Role: r, Skill: s[0], Percent: 10},
			commands.ReorderRoleSkills{Role: r, Skills: []domain.SkillID{s[1], s[0], s[3]}},
		} {
			p.send(c)
		}
		d := p.row(r).Diff()
		equal(p, "texts", []any{d.Version, d.Changed, d.Reordered, d.Title, d.Description, d.Responsibilities, d.Badge}, []any{1, true, true,
			&readmodels.TextChange{From: "Engineer", To: "Builder"}, &readmodels.TextChange{To: "Builds."},
			&readmodels.ListChange{From: []string{}, To: []string{"Building"}}, &readmodels.BadgeChange{To: &readmodels.RoleBadge{Icon: "hammer", Color: "#000000"}}})
		equal(p, "skills", []any{len(d.Added), d.Added[0].Name, len(d.Removed), d.Removed[0].Name, len(d.Altered), d.Altered[0].Name, d.Altered[0].From.Goals, d.Altered[0].To.Goals},
			[]any{1, "D", 1, "C", 1, "Go", [3]int{75, 150, 225}, [3]int{83, 165, 248}})
		p.publish(r, role.Grandfather)
		if p.row(r).Diff().Changed {
			w.Error("the draft was published")
		}
	})
	scenario(t, "ROL-5 a yielded title moves the revision", func(w *world) {
		p := w.plan("acme")
		r := p.draft("Engineer")
		before := p.row(r).Revision
		stream := eventstore.StreamID{Category: role.Category, Plan: "acme", ID: string(r)}
		meta := eventstore.Metadata{Plan: "acme", Time: w.clock, Schema: 1}
		event := eventstore.Event{ID: uuid.Must(uuid.NewV7()), Type: "RoleTitleYielded", Data: []byte(`{"role":"` + string(r) + `"}`), Metadata: meta.Encode()}
		if _, err := w.log.Append(w.Context(), stream, eventstore.Revision(before), event); err != nil {
			w.Fatal(err)
		}
		equal(p, "revision", p.row(r).Revision, before+1)
	})
}
