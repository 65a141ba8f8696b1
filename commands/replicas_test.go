package commands_test

import (
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
)

// What one handler has in memory never answers alone: a change by another counts for the next command.
func TestTwoHandlersOnOneStore(t *testing.T) {
	one := newRig(t)
	f := one.fixture("acme")
	two := one.on(t, one.store)
	type step struct {
		before commands.Command // by the second, so that it has in memory what the first changes; accepted
		change commands.Command // by the first
		after  commands.Command // by the second
		code   string           // of its refusal
		events int
	}
	fresh := domain.RoleID(newID())
	team := domain.TeamID(newID())
	person := domain.MemberID(newID())
	steps := []struct {
		name string
		step
	}{
		{"ACC-4 a feature withdrawn", step{commands.CreateRole{Role: fresh, Title: "Fresh"}, commands.WithdrawPlanFeature{Plan: "acme", Feature: plan.Authoring},
			commands.RenameRole{Role: fresh, Title: "Fresher"}, "feature_not_in_plan", 0}},
		{"ACC-4 a feature granted", step{nil, commands.GrantPlanFeature{Plan: "acme", Feature: plan.Authoring}, commands.RenameRole{Role: fresh, Title: "Fresher"}, "", 1}},
		{"ROL-4 a draft is not assigned", step{nil, commands.AddRoleSkill{Role: fresh, Skill: f.skill, Required: true},
			commands.AssignRole{Role: fresh, Members: []domain.MemberID{f.member}}, "role_not_found", 0}},
		{"ROL-4 a role published", step{nil, commands.PublishRole{Role: fresh}, commands.AssignRole{Role: fresh, Members: []domain.MemberID{f.member}}, "", 1}},
		{"ASG-3 assigned by another", step{nil, commands.AssignRole{Role: fresh, Members: []domain.MemberID{f.guest}}, commands.AssignRole{Role: fresh, Members: []domain.MemberID{f.guest}}, "", 0}},
		{"ASG-2 unassigned by another", step{nil, commands.UnassignRole{Role: fresh, Members: []domain.MemberID{f.guest}}, commands.AssignRole{Role: fresh, Members: []domain.MemberID{f.guest}}, "", 1}},
		{"SKL-2 a skill retired", step{commands.RecordSkillIQ{Member: f.member, Skill: f.retiring, MeasuredAt: clock, Session: "a"}, commands.RetireSkill{Skill: f.retiring},
			commands.RecordSkillIQ{Member: f.member, Skill: f.retiring, MeasuredAt: clock, Session: "b"}, "skill_retired", 0}},
		{"ROL-6 a benchmark published", step{nil, commands.PublishBenchmark{Skill: f.fresh, Thresholds: []int{10, 20, 30}, Source: "x"}, commands.AddRoleSkill{Role: fresh, Skill: f.fresh}, "", 1}},
		{"MEM-3 a team created", step{nil, commands.CreateTeam{Team: team, Name: "New"}, commands.AddTeamMember{Team: team, Member: f.member, TeamRole: "member"}, "", 1}},
		{"MEM-3 a name taken", step{nil, commands.RenameTeam{Team: team, Name: "Newer"}, commands.CreateTeam{Name: "NEWER"}, "team_name_taken", 0}},
		{"MEM-1 a member invited", step{nil, commands.InviteMember{Member: person, Name: "Pat", Email: "pat@example.org"}, commands.InviteMember{Name: "Pat", Email: "PAT@example.org"}, "email_taken", 0}},
		{"PRG-1 a level selected", step{nil, commands.SelectLevel{Role: fresh, Member: person, Level: "mid"}, commands.SelectLevel{Role: fresh, Member: person, Level: "mid"}, "", 0}},
		{"MSR-5 a measurement withdrawn", step{nil, commands.InvalidateSkillIQ{Member: f.member, Skill: f.spare, Session: "first", Reason: "x"},
			commands.InvalidateSkillIQ{Member: f.member, Skill: f.spare, Session: "first", Reason: "x"}, "", 0}},
		{"PLN-1 the tier changed", step{nil, commands.ChangePlanTier{Plan: "acme", Tier: plan.Standard}, commands.VisitRole{Role: fresh, Member: f.member}, "feature_not_in_plan", 0}},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			one, two := &rig{t, one.store, one.handler}, &rig{t, two.store, two.handler}
			if tt.before != nil {
				two.do("acme", tt.before)
			}
			one.do("acme", tt.change)
			answer, err := two.handler.Handle(t.Context(), request("acme", tt.after, ""), tt.after)
			if domain.CodeOf(err) != tt.code || len(answer.Events) != tt.events {
				t.Errorf("%+v, %v; want %d events or %q", answer, err, tt.events, tt.code)
			}
		})
	}
	for i, h := range []*commands.Handler{one.handler, two.handler, handlerOn(one.store)} {
		state, err := h.Role(t.Context(), "acme", fresh)
		if err != nil || len(state.Draft.Skills) != 2 || state.Draft.Title != "Fresher" || state.Version != 1 {
			t.Fatalf("handler %d: %+v, %v", i, state, err)
		}
		equal(t, "ROL-6 goals", state.Draft.Skills[1].Goals, skill.Thresholds{10, 20, 30})
	}
}

// What a handler kept after its own append must be what folding the events again gives.
func TestKeptStatesAreTheFoldedOnes(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	for _, c := range f.bodies() {
		r.do("acme", c)
	}
	cold := handlerOn(r.store)
	ctx := t.Context()
	compare := func(what string, get func(h *commands.Handler) (any, error)) {
		t.Helper()
		warm, err := get(r.handler)
		if err != nil {
			t.Fatal(err)
		}
		folded, err := get(cold)
		if err != nil {
			t.Fatal(err)
		}
		if bodyOf(warm) != bodyOf(folded) {
			t.Errorf("%s: kept %+v, folded %+v", what, warm, folded)
		}
	}
	for _, id := range []domain.RoleID{f.role, f.draft, f.catalogRole} {
		compare("role", func(h *commands.Handler) (any, error) { return h.Role(ctx, "acme", id) })
	}
	for _, id := range []domain.MemberID{f.member, f.guest} {
		compare("member", func(h *commands.Handler) (any, error) { return h.Member(ctx, "acme", id) })
	}
	for _, id := range []domain.SkillID{f.skill, f.beta, f.retiring, f.catalogSkill} {
		compare("skill", func(h *commands.Handler) (any, error) { return h.Skill(ctx, "acme", id) })
	}
	compare("teams", func(h *commands.Handler) (any, error) { return h.Teams(ctx, "acme") })
	for _, id := range []domain.PlanID{"acme", "acme-ops", domain.CatalogPlan} {
		compare("plan", func(h *commands.Handler) (any, error) { return h.Plan(ctx, id) })
	}
}

func TestWarnings(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	role := domain.RoleID(newID())
	warned := func(answer commands.Answer, want bool) {
		t.Helper()
		if got := len(answer.Warnings) > 0; got != want {
			t.Errorf("ROL-5 warnings %v, want some: %v", answer.Warnings, want)
		}
	}
	create := commands.CreateRole{Role: role, Title: "Warned"}
	warned(r.handle(request("acme", create, "create"), create), true)
	var ids []domain.SkillID
	for n := 1; n <= 9; n++ {
		ids = append(ids, domain.SkillID(newID()))
		r.do("acme", commands.DefineSkill{Skill: ids[n-1], Name: "Skill", State: skill.Validated})
		c := commands.AddRoleSkill{Role: role, Skill: ids[n-1], Required: true}
		req := request("acme", c, "")
		req.DryRun = true
		warned(r.handle(req, c), n < 5 || n > 8) // of the state that would be
		warned(r.do("acme", c), n < 5 || n > 8)
	}
	warned(r.do("acme", commands.RenameRole{Role: role, Title: "Warned"}), true) // nothing changed
	warned(r.do("acme", commands.PublishRole{Role: role}), true)                 // a warning, not a refusal
	warned(r.do("acme", commands.RemoveRoleSkill{Role: role, Skill: ids[0]}), false)
	warned(r.handle(request("acme", create, "create"), create), true) // the first answer, not one about the role of now
	warned(r.do("acme", commands.RenameTeam{Team: f.team, Name: "Warned"}), false)
}
