package commands_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/apikey"
	"rolewise/domain/plan"
	"rolewise/domain/skill"
)

// permits says which scopes a command needs, together; "*" permits all but those of the operator, who may do everything.
var permits = map[string]string{
	"create-plan": "", "change-plan-tier": "", "grant-plan-feature": "", "withdraw-plan-feature": "", "set-plan-licences": "",
	"set-policy": "*", "create-api-key": "*", "revoke-api-key": "*",
	"invite-member": "write", "add-team-member": "write", "change-team-role": "write", "remove-team-member": "write",
	"create-team": "write", "rename-team": "write", "move-team": "write", "delete-team": "write",
	"change-member-profile": "write", "deactivate-member": "write", "reactivate-member": "write", "remove-member": "write",
	"grant-access-role": "*", "withdraw-access-role": "*", "grant-content-access": "write", "withdraw-content-access": "write",
	"define-skill": "write", "rename-skill": "write", "validate-skill": "write", "retire-skill": "write", "publish-benchmark": "write",
	"record-skill-iq": "measurements:write", "invalidate-skill-iq": "measurements:write",
	"create-role": "write", "customize-role": "write", "duplicate-role": "write", "rename-role": "write", "describe-role": "write",
	"add-role-skill": "write", "remove-role-skill": "write", "reorder-role-skills": "write", "set-skill-required": "write",
	"adjust-goal": "write", "set-required-level": "write", "publish-role": "write",
	"personalize-badge": "write", "categorize-role": "write", "set-pathway": "write", "delete-role": "write", "restore-role": "write",
	"transfer-role": "*", "create-category": "write", "feature-category": "write",
	"assign-role": "write", "unassign-role": "write", "refresh-progress": "write",
	// For oneself; these are the bodies that name another member.
	"accept-invitation": "write act_as", "select-level": "write act_as", "visit-role": "write act_as",
}

func TestAccess(t *testing.T) {
	base := newRig(t)
	f := base.fixture("acme")
	base.fixture("zeta")
	none := domain.Missing("plan").Error()
	before := base.head()
	scopes := [][]access.Scope{{"*"}, {"read"}, {"write"}, {"measurements:write"}, {"act_as"}, {"audit"}, {"write", "act_as"}, {"read", "measurements:write", "act_as", "audit"}, {}, {"root"}}
	for _, c := range f.bodies() {
		name := c.About().Name
		t.Run("ACC-1 ACC-5 "+name, func(t *testing.T) {
			needed, listed := permits[name]
			if !listed {
				t.Fatal("the table has no row for it")
			}
			try := func(p access.Principal, in domain.PlanID) error {
				req := request(f.plan, c, "key")
				req.Principal, req.DryRun = p, true
				if in != f.plan {
					req.Plan = in
				}
				_, err := base.handler.Handle(t.Context(), req, c)
				return err
			}
			home := planOf(c, f.plan)
			for _, key := range scopes {
				permitted := needed != "" && slices.Contains(key, "*")
				if !permitted && needed != "" {
					permitted = !slices.ContainsFunc(strings.Fields(needed), func(s string) bool { return !slices.Contains(key, access.Scope(s)) })
				}
				err := try(as(home, key...), f.plan)
				if permitted && err != nil {
					t.Errorf("refused with %v: %v", key, err)
				}
				if !permitted && domain.CodeOf(err) != "not_permitted" {
					t.Errorf("with %v: %v, want not_permitted", key, err)
				}
				for _, in := range []domain.PlanID{"zeta", domain.CatalogPlan, "none-such", "", "No Plan", "acme-ops2"} {
					if err := try(as(home, key...), in); err == nil || err.Error() != none {
						t.Errorf("with %v in plan %q: %v, want %s", key, in, err, none)
					}
				}
			}
			if err := try(operator, f.plan); err != nil {
				t.Errorf("the operator: %v", err)
			}
			if needed != "" {
				if err := try(operator, "none-such"); err == nil || err.Error() != none {
					t.Errorf("the operator in a plan that does not exist: %v", err)
				}
			}
			for _, in := range []domain.PlanID{f.plan, "zeta", "none-such"} {
				for _, nobody := range []access.Principal{{}, {ID: "key:x", Scopes: []access.Scope{"*"}}} {
					if err := try(nobody, in); err == nil || err.Error() != none {
						t.Errorf("nobody in plan %q: %v, want %s", in, err, none)
					}
				}
			}
		})
	}
	if base.head() != before {
		t.Errorf("appended %v", base.types(before))
	}
}

func TestAccessRolesAreSettings(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	invite := commands.InviteMember{Name: "Ada", Email: "ada-the-owner@acme.example", AccessRole: "owner"}
	req := request("acme", invite, "")
	req.Principal = as("acme", "write")
	t.Run("ACC-1 a key that may invite makes nobody an owner", func(t *testing.T) {
		r.on(t, r.store).refused(req, invite, domain.Forbidden, "not_permitted", "")
	})
	t.Run("ACC-1 one that may do everything does", func(t *testing.T) {
		req.Principal = as("acme", "*")
		equal(t, "events", r.handle(req, invite).Events, []string{"MemberInvited"})
	})
}

func TestActingForAMember(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	other := r.fixture("zeta")
	key := func(m domain.MemberID, scopes ...access.Scope) access.Principal {
		p := as("acme", scopes...)
		p.Member = m
		return p
	}
	bodies := func(m domain.MemberID) []commands.Command {
		return []commands.Command{commands.AcceptInvitation{Member: m}, commands.SelectLevel{Role: f.role, Level: "mid", Member: m}, commands.VisitRole{Role: f.role, Member: m}}
	}
	tests := []struct {
		name  string
		by    access.Principal
		given domain.MemberID
		code  string
	}{
		{"oneself, not named", key(f.member, "write"), "", ""},
		{"oneself, named", key(f.member, "write"), f.member, ""},
		{"another", key(f.member, "write"), f.guest, "not_permitted"},
		{"another, by a key with act_as", key(f.member, "write", "act_as"), f.guest, ""},
		{"another, by a key with every scope", key(f.member, "*"), f.guest, ""},
		{"nobody, by a key of no member", key("", "write"), "", "required"},
		{"a member, by a key of no member", key("", "write"), f.guest, "not_permitted"},
		{"a member, by a key of no member with act_as", key("", "write", "act_as"), f.guest, ""},
		{"who does not exist, without the right to know", key(f.member, "write"), domain.MemberID(newID()), "not_permitted"},
		{"who does not exist", key(f.member, "*"), domain.MemberID(newID()), "member_not_found"},
		{"a member of another plan", key(f.member, "*"), other.member, "member_not_found"},
		{"a member of another plan, whose key it is", key(other.member, "write"), "", "member_not_found"},
	}
	for _, tt := range tests {
		for _, c := range bodies(tt.given) {
			t.Run("ACC-1 "+c.About().Name+" for "+tt.name, func(t *testing.T) {
				before := r.head()
				answer, err := r.handler.Handle(t.Context(), commands.Request{Plan: "acme", Principal: tt.by}, c)
				if domain.CodeOf(err) != tt.code || (err != nil && r.head() != before) {
					t.Fatalf("%v, want %q; events %v", err, tt.code, r.types(before))
				}
				if tt.code != "" {
					return
				}
				want := string(tt.given)
				if want == "" {
					want = string(tt.by.Member)
				}
				if c.About().Name != "accept-invitation" {
					want += "." + string(f.role)
				}
				if got := answer.Stream[len(answer.Stream)-len(want):]; got != want {
					t.Errorf("stream %s, want one of %s", answer.Stream, want)
				}
			})
		}
	}
}

// What another plan has answers exactly as what nobody has.
func TestOtherPlansThings(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	z := r.fixture("zeta")
	pairs := []struct {
		name           string
		foreign, noone commands.Command
		field          string
	}{
		{"member", commands.AddTeamMember{Team: f.team, Member: z.member, TeamRole: "member"}, commands.AddTeamMember{Team: f.team, Member: domain.MemberID(newID()), TeamRole: "member"}, "/member"},
		{"team to join", commands.AddTeamMember{Team: z.team, Member: f.member, TeamRole: "member"}, commands.AddTeamMember{Team: domain.TeamID(newID()), Member: f.member, TeamRole: "member"}, "/team"},
		{"team to leave", commands.RemoveTeamMember{Team: z.team, Member: f.member}, commands.RemoveTeamMember{Team: domain.TeamID(newID()), Member: f.member}, "/team"},
		{"team to be another in", commands.ChangeTeamRole{Team: z.team, Member: f.member, TeamRole: "member"}, commands.ChangeTeamRole{Team: domain.TeamID(newID()), Member: f.member, TeamRole: "member"}, "/team"},
		{"team in an invitation", commands.InviteMember{Name: "Q", Email: "q@example.org", Teams: []commands.TeamMembership{{Team: z.team, TeamRole: "member"}}},
			commands.InviteMember{Name: "Q", Email: "q@example.org", Teams: []commands.TeamMembership{{Team: domain.TeamID(newID()), TeamRole: "member"}}}, "/teams/0/team"},
		{"team", commands.RenameTeam{Team: z.team, Name: "Mine"}, commands.RenameTeam{Team: domain.TeamID(newID()), Name: "Mine"}, "/team"},
		{"parent of a team", commands.CreateTeam{Name: "Mine", Parent: z.team}, commands.CreateTeam{Name: "Mine", Parent: domain.TeamID(newID())}, "/parent"},
		{"parent to move below", commands.MoveTeam{Team: f.team, Parent: z.team}, commands.MoveTeam{Team: f.team, Parent: domain.TeamID(newID())}, "/parent"},
		{"skill", commands.RenameSkill{Skill: z.skill, Name: "Mine"}, commands.RenameSkill{Skill: domain.SkillID(newID()), Name: "Mine"}, "/skill"},
		{"skill of the catalog, to change", commands.RetireSkill{Skill: f.catalogSkill}, commands.RetireSkill{Skill: domain.SkillID(newID())}, "/skill"},
		{"skill's benchmark", commands.PublishBenchmark{Skill: z.skill, Thresholds: []int{1, 2, 3}, Source: "x"}, commands.PublishBenchmark{Skill: domain.SkillID(newID()), Thresholds: []int{1, 2, 3}, Source: "x"}, "/skill"},
		{"role of a benchmark", commands.PublishBenchmark{Skill: f.skill, Role: z.role, Thresholds: []int{1, 2, 3}, Source: "x"}, commands.PublishBenchmark{Skill: f.skill, Role: domain.RoleID(newID()), Thresholds: []int{1, 2, 3}, Source: "x"}, "/role"},
		{"parent of a skill", commands.DefineSkill{Name: "Mine", State: skill.Beta, Parent: z.skill}, commands.DefineSkill{Name: "Mine", State: skill.Beta, Parent: domain.SkillID(newID())}, "/parent"},
		{"member measured", commands.RecordSkillIQ{Member: z.member, Skill: f.skill, MeasuredAt: clock, Session: "s"}, commands.RecordSkillIQ{Member: domain.MemberID(newID()), Skill: f.skill, MeasuredAt: clock, Session: "s"}, "/member"},
		{"skill measured", commands.RecordSkillIQ{Member: f.member, Skill: z.skill, MeasuredAt: clock, Session: "s"}, commands.RecordSkillIQ{Member: f.member, Skill: domain.SkillID(newID()), MeasuredAt: clock, Session: "s"}, "/skill"},
		{"measurement", commands.InvalidateSkillIQ{Member: z.member, Skill: z.spare, Session: "first", Reason: "x"}, commands.InvalidateSkillIQ{Member: f.member, Skill: f.skill, Session: "first", Reason: "x"}, "/session"},
		{"role to customise", commands.CustomizeRole{Source: z.role}, commands.CustomizeRole{Source: domain.RoleID(newID())}, "/source"},
		{"own role to customise", commands.CustomizeRole{Source: f.role}, commands.CustomizeRole{Source: domain.RoleID(newID())}, "/source"},
		{"draft of the catalog to customise", commands.CustomizeRole{Source: f.catalogDraft}, commands.CustomizeRole{Source: domain.RoleID(newID())}, "/source"},
		{"role to duplicate", commands.DuplicateRole{Source: z.role}, commands.DuplicateRole{Source: domain.RoleID(newID())}, "/source"},
		{"role to rename", commands.RenameRole{Role: z.role, Title: "Mine"}, commands.RenameRole{Role: domain.RoleID(newID()), Title: "Mine"}, "/role"},
		{"role of the catalog, to change", commands.PublishRole{Role: f.catalogRole}, commands.PublishRole{Role: domain.RoleID(newID())}, "/role"},
		{"skill to add", commands.AddRoleSkill{Role: f.role, Skill: z.skill}, commands.AddRoleSkill{Role: f.role, Skill: domain.SkillID(newID())}, "/skill"},
		{"role to assign", commands.AssignRole{Role: z.role, Members: []domain.MemberID{f.member}}, commands.AssignRole{Role: domain.RoleID(newID()), Members: []domain.MemberID{f.member}}, "/role"},
		{"role to unassign", commands.UnassignRole{Role: z.role, Members: []domain.MemberID{f.member}}, commands.UnassignRole{Role: domain.RoleID(newID()), Members: []domain.MemberID{f.member}}, "/role"},
		{"member to assign to", commands.AssignRole{Role: f.role, Members: []domain.MemberID{z.member}, Mode: "atomic"}, commands.AssignRole{Role: f.role, Members: []domain.MemberID{domain.MemberID(newID())}, Mode: "atomic"}, "/members/0"},
		{"team to assign to", commands.AssignRole{Role: f.role, Teams: []domain.TeamID{z.team}, Mode: "atomic"}, commands.AssignRole{Role: f.role, Teams: []domain.TeamID{domain.TeamID(newID())}, Mode: "atomic"}, "/teams/0"},
		{"role to select", commands.SelectLevel{Role: z.role, Level: "mid", Member: f.member}, commands.SelectLevel{Role: domain.RoleID(newID()), Level: "mid", Member: f.member}, "/role"},
		{"role to visit", commands.VisitRole{Role: z.role, Member: f.member}, commands.VisitRole{Role: domain.RoleID(newID()), Member: f.member}, "/role"},
		{"role to refresh", commands.RefreshProgress{Role: z.role}, commands.RefreshProgress{Role: domain.RoleID(newID())}, "/role"},
		{"member to refresh", commands.RefreshProgress{Role: f.role, Members: []domain.MemberID{f.member, z.member}}, commands.RefreshProgress{Role: f.role, Members: []domain.MemberID{f.member, domain.MemberID(newID())}}, "/members/1"},
		{"API key", commands.RevokeAPIKey{Key: apikey.KeyID(z.key)}, commands.RevokeAPIKey{Key: apikey.KeyID(newID())}, "/key"},
		{"member of an API key", commands.CreateAPIKey{Name: "x", Scopes: []access.Scope{"read"}, Member: z.member}, commands.CreateAPIKey{Name: "x", Scopes: []access.Scope{"read"}, Member: domain.MemberID(newID())}, "/member"},
	}
	for _, tt := range pairs {
		t.Run("ACC-5 PLN-3 "+tt.name, func(t *testing.T) {
			before := r.head()
			req := commands.Request{Plan: "acme", Principal: as("acme", "*")}
			_, foreign := r.handler.Handle(t.Context(), req, tt.foreign)
			_, noone := r.handler.Handle(t.Context(), req, tt.noone)
			var a, b *domain.Error
			if !errors.As(foreign, &a) || !errors.As(noone, &b) || *a != *b || a.Kind != domain.NotFound || a.Field != tt.field {
				t.Errorf("of another plan: %v\nof nobody: %v", foreign, noone)
			}
			if r.head() != before {
				t.Errorf("appended %v", r.types(before))
			}
		})
	}
	t.Run("PLN-3 the catalog is there for all", func(t *testing.T) {
		r := r.on(t, r.store)
		own := r.do("acme", commands.CustomizeRole{Source: f.catalogRole, Title: "Our reader"})
		state, err := r.handler.Role(t.Context(), "acme", domain.RoleID(own.ID))
		if err != nil || state.Source != f.catalogRole || state.Draft.Title != "Our reader" || len(state.Draft.Skills) != 1 {
			t.Errorf("ROL-2 copy %+v, %v", state, err)
		}
		for _, c := range []commands.Command{
			commands.AddRoleSkill{Role: f.role, Skill: f.catalogSkill},
			commands.AssignRole{Role: f.catalogRole, Members: []domain.MemberID{f.member}, Teams: []domain.TeamID{f.team}, Mode: commands.Atomic},
			commands.SelectLevel{Role: f.catalogRole, Level: "entry", Member: f.guest},
			commands.RecordSkillIQ{Member: f.member, Skill: f.catalogSkill, Score: 1, Percentile: 1, MeasuredAt: clock, Session: "c"},
			commands.PublishBenchmark{Skill: f.skill, Role: f.catalogRole, Thresholds: []int{1, 2, 3}, Source: "x"},
		} {
			r.handle(commands.Request{Plan: "acme", Principal: as("acme", "*")}, c)
		}
	})
	t.Run("PLN-3 a plan cannot put its own in the place of the catalog's", func(t *testing.T) {
		r := r.on(t, r.store)
		role, defined := commands.CreateRole{Role: f.catalogRole, Title: "Mine"}, commands.DefineSkill{Skill: f.catalogSkill, Name: "Mine", State: skill.Beta}
		r.refused(request("acme", role, ""), role, domain.Conflict, "role_exists", "/role")
		r.refused(request("acme", defined, ""), defined, domain.Conflict, "skill_exists", "/skill")
		hidden := commands.CreateRole{Role: f.catalogDraft, Title: "Mine"} // of a draft nobody learns
		r.do("acme", hidden)
	})
	t.Run("ROL-3 the vendor duplicates in the catalog", func(t *testing.T) {
		r := r.on(t, r.store)
		answer := r.do(domain.CatalogPlan, commands.DuplicateRole{Source: f.catalogRole, Title: "Reader II"})
		equal(t, "events", answer.Events, []string{"RoleDuplicated"})
		r.do(domain.CatalogPlan, commands.DuplicateRole{Source: f.catalogDraft, Title: "Writer II"})
	})
	t.Run("PLN-1 plans that exist, and ids that cannot be", func(t *testing.T) {
		r := r.on(t, r.store)
		for id, code := range map[domain.PlanID]string{"acme": "plan_exists", "catalog": "plan_exists", "A": "invalid_plan_id", "a_b": "invalid_plan_id", "": "invalid_plan_id"} {
			c := commands.CreatePlan{Plan: id, Name: "Mine", Tier: plan.Starter, OwnerName: "M", OwnerEmail: "m@example.org"}
			_, err := r.handler.Handle(t.Context(), request("", c, ""), c)
			if domain.CodeOf(err) != code {
				t.Errorf("plan %q: %v, want %s", id, err, code)
			}
		}
	})
}
