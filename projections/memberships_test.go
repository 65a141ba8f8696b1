package projections_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/events"
	"rolewise/domain/member"
	"rolewise/domain/skill"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

func (p *tenant) names(limit int, filter readmodels.MemberFilter) []string {
	p.Helper()
	names := []string{}
	for _, row := range pages(p.world, limit, func(want readmodels.Want) (readmodels.List[*readmodels.MemberRow], readmodels.Checkpoint, error) {
		return p.ask.Members(p.Context(), string(p.id), filter, want)
	}) {
		names = append(names, row.Name)
	}
	return names
}

func (p *tenant) person(id domain.MemberID) *readmodels.MemberRow {
	p.Helper()
	row, _, err := p.ask.Member(p.Context(), string(p.id), string(id), 0)
	if err != nil || row == nil {
		p.Fatalf("member %s: %v, %v", id, row, err)
	}
	return row
}

func (p *tenant) licences() readmodels.Licences {
	p.Helper()
	row, _, err := p.ask.Plan(p.Context(), string(p.id), 0)
	if err != nil || row == nil {
		p.Fatal(row, err)
	}
	return row.Licences
}

// late appends an event that came too late to be refused: another overtook its command.
func (p *tenant) late(category, id string, event any) {
	p.Helper()
	name, schema, data, err := events.All.Encode(event)
	if err != nil {
		p.Fatal(err)
	}
	stream := eventstore.StreamID{Category: category, Plan: string(p.id), ID: id}
	at := eventstore.NoStream
	for recorded, err := range p.log.Read(p.Context(), stream, 0) {
		if err != nil {
			p.Fatal(err)
		}
		at = recorded.Revision
	}
	meta := eventstore.Metadata{Plan: string(p.id), Time: p.clock, Actor: "test", Command: newUUID(), Correlation: "test", Schema: schema}
	if _, err := p.log.Append(p.Context(), stream, at, eventstore.Event{ID: uuid.New(), Type: name, Data: data, Metadata: meta.Encode()}); err != nil {
		p.Fatal(err)
	}
}

func newUUID() string { return uuid.NewString() }

func TestProfiles(t *testing.T) {
	scenario(t, "MEM-1 MEM-4 a member under another name and address", func(w *world) {
		p := w.plan("acme")
		boss, ada, bob := p.member("Boss"), p.member("Ada"), p.member("Bob")
		role := p.role("Engineer", p.skill("Go", skill.Validated))
		p.assign(role, ada, bob)
		p.send(commands.ChangeMemberProfile{
			Member: ada, Name: new("Zoë King"), Email: new("zk@other.example"), Title: new("Countess"), Location: new("London"),
			Department: new("Analysis"), Manager: &boss,
		})
		p.fold()
		equal(p, "row", p.person(ada), readmodels.MemberRow{
			Member: string(ada), Name: "Zoë King", Email: "zk@other.example", Title: "Countess", Location: "London", Department: "Analysis",
			Manager: string(boss), Status: "invited", Teams: []readmodels.Membership{},
		})
		equal(p, "in order", p.names(2, readmodels.MemberFilter{}), []string{"Bob", "Boss", "The Owner", "Zoë King"})
		equal(p, "by the former name", p.names(2, readmodels.MemberFilter{Search: "ada"}), []string{})
		equal(p, "by the former address", p.names(2, readmodels.MemberFilter{Search: "ada@acme"}), []string{})
		equal(p, "by the name", p.names(2, readmodels.MemberFilter{Search: "king zoe"}), []string{"Zoë King"})
		equal(p, "by the address", p.names(2, readmodels.MemberFilter{Search: "zk@oth"}), []string{"Zoë King"})
		report, _, err := p.ask.AnalyticsMembers(p.Context(), "acme", string(role), everything)
		if err != nil || len(report.Items) != 2 || report.Items[1].Name != "Zoë King" || report.Items[1].Email != "zk@other.example" {
			p.Errorf("report %+v, %v", report, err)
		}
		holders, _, err := p.ask.RoleMembers(p.Context(), "acme", string(role), everything)
		if err != nil || len(holders.Items) != 2 || holders.Items[0].Name != "Zoë King" || holders.Items[0].Email != "zk@other.example" {
			p.Errorf("holders %+v, %v", holders, err)
		}
	})
}

func TestStatuses(t *testing.T) {
	scenario(t, "MEM-1 MEM-2 members by status", func(w *world) {
		p := w.plan("acme")
		team := p.team("Team")
		ada, bob, cyd, dan := p.member("Ada", team), p.member("Bob", team), p.member("Cyd"), p.member("Dan", team)
		p.send(commands.AcceptInvitation{Member: ada})
		p.send(commands.AcceptInvitation{Member: cyd})
		p.send(commands.DeactivateMember{Member: cyd})
		p.send(commands.DeactivateMember{Member: bob})
		p.send(commands.RemoveMember{Member: dan})
		p.fold()
		for status, want := range map[string][]string{
			"": {"Ada", "Bob", "Cyd", "The Owner"}, "all": {"Ada", "Bob", "Cyd", "Dan", "The Owner"}, "invited": {"The Owner"},
			"active": {"Ada"}, "deactivated": {"Bob", "Cyd"}, "removed": {"Dan"},
		} {
			for limit := 1; limit < 6; limit++ {
				equal(p, "status "+status, p.names(limit, readmodels.MemberFilter{Status: status}), want)
			}
		}
		equal(p, "found", p.names(9, readmodels.MemberFilter{Search: "dan"}), []string{})
		equal(p, "found among all", p.names(9, readmodels.MemberFilter{Search: "dan", Status: "all"}), []string{"Dan"})
		equal(p, "in the team", p.names(9, readmodels.MemberFilter{Team: string(team)}), []string{"Ada", "Bob"})
		equal(p, "deactivated in the team", p.names(9, readmodels.MemberFilter{Team: string(team), Status: "deactivated"}), []string{"Bob"})
		plan, _, err := p.ask.Plan(p.Context(), "acme", 0)
		if err != nil || plan.Members != 4 || plan.Removed != 1 {
			p.Errorf("plan %+v, %v", plan, err)
		}
		p.send(commands.ReactivateMember{Member: bob})
		p.send(commands.ReactivateMember{Member: cyd})
		p.fold()
		equal(p, "invited again", p.person(bob).Status, "invited")
		equal(p, "active again", p.person(cyd).Status, "active")
	})
	scenario(t, "MEM-2 a removed member is counted nowhere, and what they reached is kept", func(w *world) {
		p := w.plan("acme")
		golang := p.skill("Go", skill.Validated)
		role, spare, team := p.role("Engineer", golang), p.role("Spare", golang), p.team("Team")
		ada, bob := p.member("Ada", team), p.member("Bob")
		p.send(commands.AssignRole{Role: role, Members: []domain.MemberID{ada, bob}, Teams: []domain.TeamID{team}})
		p.send(commands.SelectLevel{Role: role, Member: ada, Level: "mid"})
		p.send(commands.RecordSkillIQ{Member: ada, Skill: golang, Score: 200, Percentile: 70, MeasuredAt: p.clock, Session: "s"})
		p.send(commands.DeactivateMember{Member: bob})
		p.fold()
		report, _, err := p.ask.AnalyticsRoles(p.Context(), "acme", everything)
		if err != nil || report.Members != 3 || report.Items[0].Assigned != 2 || report.Totals.Completed != 1 || report.Totals.Engaged != 1 {
			p.Errorf("before: %+v, %v", report, err)
		}
		p.send(commands.RemoveMember{Member: ada})
		p.late("assignment", string(ada), assignment.MemberUnassigned{Member: ada, Role: role})
		p.late("assignment", string(ada), assignment.MemberAssigned{Member: ada, Role: role})
		p.late("assignment", string(ada), assignment.MemberAssigned{Member: ada, Role: spare})
		p.fold()
		if page, _, err := p.ask.AnalyticsMembers(p.Context(), "acme", string(spare), everything); err != nil || len(page.Items) != 0 {
			p.Errorf("members of a role given late: %+v, %v", page, err)
		}
		report, _, err = p.ask.AnalyticsRoles(p.Context(), "acme", everything)
		if err != nil || report.Members != 2 || report.Items[0].Assigned != 1 || report.Totals.Completed != 0 || report.Totals.Engaged != 0 {
			p.Errorf("after: %+v, %v", report, err)
		}
		one, _, err := p.ask.AnalyticsRole(p.Context(), "acme", string(role), 0)
		if err != nil || one.Skills[0].Measured != 0 {
			p.Errorf("skill: %+v, %v", one, err)
		}
		members, _, err := p.ask.AnalyticsMembers(p.Context(), "acme", string(role), everything)
		if err != nil || len(members.Items) != 1 || members.Items[0].Name != "Bob" {
			p.Errorf("members: %+v, %v", members, err)
		}
		holders, _, err := p.ask.RoleMembers(p.Context(), "acme", string(role), everything)
		if err != nil || len(holders.Items) != 1 || holders.Items[0].Name != "Bob" {
			p.Errorf("holders: %+v, %v", holders, err)
		}
		kept, _, err := p.ask.MemberProgress(p.Context(), "acme", string(ada), 0)
		if err != nil || len(kept) != 2 || kept[0].State != "completed" || *kept[0].Level != "mid" {
			p.Errorf("kept: %+v, %v", kept, err)
		}
		teams, _, err := p.ask.Teams(p.Context(), "acme", "", everything)
		if err != nil || teams.Items[0].Members != 0 {
			p.Errorf("teams: %+v, %v", teams, err)
		}
	})
	scenario(t, "ACC-1 ACC-3 access roles and content access in the directory", func(w *world) {
		p := w.plan("acme")
		ada := p.member("Ada")
		at := func(what, role, below string, access bool, granted int) {
			p.Helper()
			p.fold()
			row := p.person(ada)
			equal(p, what, []any{row.AccessRole, row.BelowOwner, row.ContentAccess, p.licences().Granted}, []any{role, below, access, granted})
		}
		p.send(commands.GrantAccessRole{Member: ada, AccessRole: member.HR})
		p.send(commands.GrantContentAccess{Member: ada})
		at("granted", "hr", "", true, 1)
		p.send(commands.GrantAccessRole{Member: ada, AccessRole: member.Owner})
		at("owner", "owner", "hr", true, 1)
		p.send(commands.GrantAccessRole{Member: ada, AccessRole: member.Admin})
		at("owner and admin", "owner", "admin", true, 1)
		p.send(commands.WithdrawAccessRole{Member: ada, AccessRole: member.Owner})
		at("admin", "admin", "", true, 1)
		p.send(commands.GrantAccessRole{Member: ada, AccessRole: member.Owner})
		p.send(commands.DeactivateMember{Member: ada})
		at("deactivated", "admin", "", false, 0)
		p.send(commands.ReactivateMember{Member: ada})
		p.send(commands.WithdrawAccessRole{Member: ada, AccessRole: member.Admin})
		at("reactivated, and no admin", "", "", false, 0)
		p.send(commands.GrantContentAccess{Member: ada})
		p.send(commands.WithdrawContentAccess{Member: ada})
		at("withdrawn", "", "", false, 0)
		equal(p, "licences of the tier", p.licences().Total, 1000)
		p.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: "starter"})
		p.fold()
		equal(p, "of another tier", p.licences().Total, 10)
		p.do("acme", commands.SetPlanLicences{Plan: "acme", Licences: 3})
		p.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: "premium"})
		p.fold()
		equal(p, "of its own", p.licences().Total, 3)
	})
}

func TestTeamTree(t *testing.T) {
	scenario(t, "MEM-3 the tree of teams, level by level, and who is below", func(w *world) {
		p := w.plan("acme")
		ada, bob, cyd := p.member("Ada"), p.member("Bob"), p.member("Cyd")
		top, mid, low, side := p.team("Top", ada), p.team("Mid", bob, ada), p.team("Low", cyd, bob), p.team("Side", cyd)
		p.send(commands.MoveTeam{Team: mid, Parent: top})
		p.send(commands.MoveTeam{Team: low, Parent: mid})
		p.fold()
		below := func(parent string) []string {
			p.Helper()
			names := []string{}
			for _, row := range pages(w, 1, func(want readmodels.Want) (readmodels.List[*readmodels.TeamRow], readmodels.Checkpoint, error) {
				return p.ask.Teams(p.Context(), "acme", parent, want)
			}) {
				names = append(names, fmt.Sprint(row.Name, " ", row.Teams))
			}
			return names
		}
		equal(p, "at the top", below("top"), []string{"Side 0", "Top 1"})
		equal(p, "below Top", below(string(top)), []string{"Mid 1"})
		equal(p, "below Low", below(string(low)), []string{})
		place, _, err := p.ask.Team(p.Context(), "acme", string(low), 0)
		if err != nil || place == nil {
			p.Fatal(place, err)
		}
		equal(p, "above Low", place.Above, []readmodels.TeamName{{Team: string(mid), Name: "Mid"}, {Team: string(top), Name: "Top"}})
		for limit := 1; limit < 5; limit++ {
			equal(p, "in Top", p.names(limit, readmodels.MemberFilter{Team: string(top)}), []string{"Ada"})
			equal(p, "in Top and below", p.names(limit, readmodels.MemberFilter{Team: string(top), Nested: true}), []string{"Ada", "Bob", "Cyd"})
			equal(p, "in Mid and below", p.names(limit, readmodels.MemberFilter{Team: string(mid), Nested: true}), []string{"Ada", "Bob", "Cyd"})
			equal(p, "in Low and below", p.names(limit, readmodels.MemberFilter{Team: string(low), Nested: true}), []string{"Bob", "Cyd"})
		}
		equal(p, "found in Top and below", p.names(9, readmodels.MemberFilter{Team: string(top), Nested: true, Search: "c"}), []string{"Cyd"})
		equal(p, "found in Top", p.names(9, readmodels.MemberFilter{Team: string(top), Search: "c"}), []string{})
		equal(p, "in no team", p.names(9, readmodels.MemberFilter{Team: p.world.id()}), []string{})
		p.send(commands.RemoveTeamMember{Team: side, Member: cyd})
		p.send(commands.DeleteTeam{Team: low})
		p.fold()
		equal(p, "after Low", below(string(mid)), []string{})
		equal(p, "members after Low", p.names(9, readmodels.MemberFilter{Team: string(top), Nested: true}), []string{"Ada", "Bob"})
		equal(p, "teams of Cyd", p.person(cyd).Teams, []readmodels.Membership{})
		if gone, _, err := p.ask.Team(p.Context(), "acme", string(low), 0); err != nil || gone != nil {
			p.Errorf("the deleted team: %+v, %v", gone, err)
		}
	})
	scenario(t, "MEM-3 ASG-2 a deleted team gives nothing, whatever comes late", func(w *world) {
		p := w.plan("acme")
		role, other := p.role("Engineer", p.skill("Go", skill.Validated)), p.role("Analyst", p.skill("SQL", skill.Validated))
		ada, bob := p.member("Ada"), p.member("Bob")
		team := p.team("Team", ada, bob)
		p.send(commands.AssignRole{Role: role, Teams: []domain.TeamID{team}})
		p.assign(role, bob)
		p.send(commands.DeleteTeam{Team: team})
		late := p.member("Late")
		p.late("member", string(late), member.TeamMemberAdded{Member: late, Team: team, TeamRole: member.Plain})
		p.late("assignment", string(team), assignment.TeamAssigned{Team: team, Role: other})
		p.fold()
		for id, want := range map[domain.MemberID]int{ada: 0, bob: 1, late: 0} {
			rows, _, err := p.ask.MemberProgress(p.Context(), "acme", string(id), 0)
			if err != nil || len(rows) != want || want == 1 && fmt.Sprint(rows[0].Paths) != "[direct]" {
				p.Errorf("progress %+v, %v", rows, err)
			}
			held, _, err := p.ask.HeldRoles(p.Context(), "acme", string(id), 0)
			if err != nil || len(held) != want {
				p.Errorf("held %+v, %v", held, err)
			}
			equal(p, "teams", p.person(id).Teams, []readmodels.Membership{})
		}
		report, _, err := p.ask.AnalyticsRoles(p.Context(), "acme", everything)
		if err != nil || report.Totals.Assigned != 1 {
			p.Errorf("report %+v, %v", report, err)
		}
		for _, r := range []domain.RoleID{role, other} {
			holders, _, err := p.ask.RoleMembers(p.Context(), "acme", string(r), everything)
			if err != nil || len(holders.Items) != map[domain.RoleID]int{role: 1, other: 0}[r] {
				p.Errorf("holders %+v, %v", holders, err)
			}
		}
	})
}

func TestPlansOfAPerson(t *testing.T) {
	scenario(t, "PLN-3 the plans of a person", func(w *world) {
		ids := map[string]domain.MemberID{}
		for _, name := range []string{"acme", "beech", "cedar", "dune", "elm"} {
			p := w.plan(domain.PlanID(name))
			ids[name] = domain.MemberID(w.id())
			p.send(commands.InviteMember{Member: ids[name], Name: "Zoë", Email: "Zoë@example.org"})
		}
		(&tenant{w, "beech"}).send(commands.DeactivateMember{Member: ids["beech"]})
		(&tenant{w, "cedar"}).send(commands.RemoveMember{Member: ids["cedar"]})
		(&tenant{w, "dune"}).send(commands.ChangeMemberProfile{Member: ids["dune"], Email: new("other@example.org")})
		w.fold()
		plansOf := func(email string) []string {
			names := []string{}
			for _, row := range pages(w, 1, func(want readmodels.Want) (readmodels.List[*readmodels.PlanRow], readmodels.Checkpoint, error) {
				return w.ask.PlansOf(w.Context(), email, want)
			}) {
				names = append(names, row.Plan)
			}
			return names
		}
		equal(w, "plans", plansOf("ZOË@EXAMPLE.org"), []string{"acme", "elm"})
		equal(w, "plans of the other address", plansOf("other@example.org"), []string{"dune"})
		equal(w, "plans of nobody", plansOf("zo"), []string{})
	})
}
