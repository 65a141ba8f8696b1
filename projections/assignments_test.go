package projections_test

import (
	"testing"

	"rolewise/commands"
	"rolewise/readmodels"
)

func TestAssignments(t *testing.T) {
	scenario(t, "ASG-2 each path is kept by itself", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		a, b := p.team("Team A", ada), p.team("Team B", ada)
		viaA, viaB := "team:"+string(a), "team:"+string(b)
		p.expectPaths(ada, r)
		p.assignTeams(r, a) // after joining
		p.expectPaths(ada, r, viaA)
		p.assign(r, ada)
		p.assignTeams(r, b)
		p.expectPaths(ada, r, "direct", viaA, viaB)
		p.unassign(r, ada)
		p.expectPaths(ada, r, viaA, viaB)
		p.unassignTeams(r, a)
		p.expectPaths(ada, r, viaB)
		p.assign(r, ada)
		p.unassignTeams(r, b)
		p.expectPaths(ada, r, "direct")
		p.unassign(r, ada)
		p.expectPaths(ada, r)
		p.expect(ada, r, "none")
	})
	scenario(t, "ASG-2 joining a team brings its roles, leaving ends that path", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r, other := p.role("Backend", s...), p.role("Data", s...)
		a, b := p.team("Team A"), p.team("Team B")
		p.assignTeams(r, a, b) // before joining
		p.assignTeams(other, a)
		ada := p.member("Ada")
		p.expectPaths(ada, r)
		p.join(a, ada)
		p.expectPaths(ada, r, "team:"+string(a))
		p.expectPaths(ada, other, "team:"+string(a))
		p.join(b, ada)
		p.expectPaths(ada, r, "team:"+string(a), "team:"+string(b))
		p.leave(a, ada)
		p.expectPaths(ada, r, "team:"+string(b))
		p.expectPaths(ada, other)
		p.join(a, ada)
		p.expectPaths(ada, other, "team:"+string(a))
		bob := p.member("Bob", a) // invited into the team
		p.expectPaths(bob, other, "team:"+string(a))
		equal(p, "totals", p.report().Totals, readmodels.TotalLine{Assigned: 2})
	})
	scenario(t, "ASG-2 a team that lost its roles brings none", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		a := p.team("Team A")
		p.assignTeams(r, a)
		p.unassignTeams(r, a)
		ada := p.member("Ada")
		p.assign(r, ada)
		p.join(a, ada)
		p.expectPaths(ada, r, "direct")
		p.leave(a, ada)
		p.expectPaths(ada, r, "direct")
	})
	scenario(t, "ASG-2 a path through a team survives a change of team role, and the moves of teams", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		a, b := p.team("Team A"), p.team("Team B")
		ada := p.member("Ada", a)
		p.assignTeams(r, a)
		p.send(commands.ChangeTeamRole{Team: a, Member: ada, TeamRole: "manager"})
		p.send(commands.MoveTeam{Team: a, Parent: b})
		p.send(commands.RenameTeam{Team: a, Name: "Alpha"})
		p.expectPaths(ada, r, "team:"+string(a))
		below := p.member("Bob", b) // teams above do not have the roles of teams below
		p.expectPaths(below, r)
	})
	scenario(t, "ASG-3 assigning twice changes nothing and says so", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		ada := p.member("Ada")
		a := p.team("Team A", ada)
		p.assign(r, ada)
		p.assignTeams(r, a)
		before, line := p.progress(ada, r), p.report()
		answer, err := p.try("acme", commands.AssignRole{Role: r, Members: []domainMember{ada}, Teams: nil})
		if err != nil || len(answer.Events) != 0 || answer.Items[0].Status != "unchanged" {
			p.Errorf("answer %+v, %v", answer, err)
		}
		answer, err = p.try("acme", commands.UnassignRole{Role: r, Members: []domainMember{p.member("Bob")}})
		if err != nil || len(answer.Events) != 0 || answer.Items[0].Status != "unchanged" {
			p.Errorf("answer %+v, %v", answer, err)
		}
		equal(p, "progress", p.progress(ada, r), before)
		after := p.report()
		line.Members++ // Bob
		equal(p, "report", after, line)
		p.unassign(r, ada) // once is enough to undo it
		p.expectPaths(ada, r, "team:"+string(a))
	})
	scenario(t, "ASG-1 the members of a role, in pages without gap or overlap", func(w *world) {
		p := w.plan("acme")
		s := p.skills("Go")
		r := p.role("Backend", s...)
		var want []string
		var team []domainMember
		for i := range 7 {
			m := p.member("Member " + string(rune('A'+i)))
			want = append(want, string(m))
			if i%2 == 0 {
				team = append(team, m)
			}
			if i%3 == 0 {
				p.assign(r, m)
			}
		}
		p.assignTeams(r, p.team("Team A", team...))
		p.fold()
		var got []string
		for ask := (readmodels.Want{Limit: 2}); ; {
			page, _, err := p.ask.RoleMembers(p.Context(), "acme", string(r), ask)
			if err != nil {
				p.Fatal(err)
			}
			for _, row := range page.Items {
				got = append(got, row.Member)
			}
			if ask.After = page.Next; page.Next == "" {
				break
			}
		}
		equal(p, "members", got, []string{want[0], want[2], want[3], want[4], want[6]})
	})
}
