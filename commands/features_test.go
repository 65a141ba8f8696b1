package commands_test

import (
	"errors"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/role"
)

// needs says which feature a command needs; those that are not listed need none.
var needs = map[string]plan.Feature{
	"create-role": "authoring", "customize-role": "authoring", "duplicate-role": "authoring", "rename-role": "authoring",
	"describe-role": "authoring", "add-role-skill": "authoring", "remove-role-skill": "authoring", "reorder-role-skills": "authoring",
	"set-skill-required": "authoring", "adjust-goal": "authoring", "set-required-level": "authoring", "publish-role": "authoring",
	"personalize-badge": "authoring", "categorize-role": "authoring", "set-pathway": "authoring", "delete-role": "authoring",
	"restore-role": "authoring", "transfer-role": "authoring", "create-category": "authoring", "feature-category": "authoring",
	"assign-role": "roles", "unassign-role": "roles", "select-level": "roles", "visit-role": "roles", "refresh-progress": "roles",
}

// tiers is the table of SPEC PLN-1, as far as commands need features by now.
var tiers = map[plan.Tier]map[plan.Feature]bool{
	"standard": {}, "premium": {}, "starter": {"roles": true}, "professional": {"roles": true},
	"enterprise": {"roles": true, "authoring": true},
}

var lowest = map[plan.Feature]string{"roles": "starter", "authoring": "enterprise"}

// tryAll dry-runs each command of a plan, and demands that exactly those are allowed whose feature it has.
func tryAll(r *rig, f fixture, has map[plan.Feature]bool) {
	r.Helper()
	owner := as(f.plan, "*")
	before := r.head()
	for _, c := range f.bodies() {
		if c.About().Action == access.OperatePlans {
			continue
		}
		name := c.About().Name
		_, err := r.handler.Handle(r.Context(), commands.Request{Plan: f.plan, Principal: owner, DryRun: true, Key: "k"}, c)
		feature := needs[name]
		if feature == "" || has[feature] {
			if err != nil {
				r.Errorf("%s: %v", name, err)
			}
			continue
		}
		var refusal *domain.Error
		if !errors.As(err, &refusal) || refusal.Kind != domain.Forbidden || refusal.Code != "feature_not_in_plan" {
			r.Errorf("%s: %v, want feature_not_in_plan", name, err)
			continue
		}
		if !strings.Contains(refusal.Message, "feature "+string(feature)+";") || !strings.HasSuffix(refusal.Message, " "+lowest[feature]) {
			r.Errorf("%s: %q names not %s and %s", name, refusal.Message, feature, lowest[feature])
		}
	}
	if r.head() != before {
		r.Errorf("appended %v", r.types(before))
	}
}

func TestFeatures(t *testing.T) {
	base := newRig(t)
	f := base.fixture("acme")
	for tier, has := range tiers {
		t.Run("PLN-1 commands in tier "+string(tier), func(t *testing.T) {
			r := base.on(t, base.store)
			r.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: tier})
			tryAll(r, f, has)
		})
	}
	single := []struct {
		name    string
		tier    plan.Tier
		command commands.Command
		has     map[plan.Feature]bool
	}{
		{"granted to the lowest tier", plan.Standard, commands.GrantPlanFeature{Plan: "acme", Feature: plan.Authoring}, map[plan.Feature]bool{"authoring": true}},
		{"kept in another tier", plan.Premium, nil, map[plan.Feature]bool{"authoring": true}},
		{"withdrawn again", plan.Premium, commands.WithdrawPlanFeature{Plan: "acme", Feature: plan.Authoring}, map[plan.Feature]bool{}},
		{"withdrawn from the highest tier", plan.Enterprise, commands.WithdrawPlanFeature{Plan: "acme", Feature: plan.Roles}, map[plan.Feature]bool{}},
		{"granted again", plan.Enterprise, commands.GrantPlanFeature{Plan: "acme", Feature: plan.Authoring}, map[plan.Feature]bool{"authoring": true}},
		{"both granted again", plan.Enterprise, commands.GrantPlanFeature{Plan: "acme", Feature: plan.Roles}, map[plan.Feature]bool{"authoring": true, "roles": true}},
	}
	for _, tt := range single {
		t.Run("PLN-1 a single feature "+tt.name, func(t *testing.T) {
			r := base.on(t, base.store)
			r.do("acme", commands.ChangePlanTier{Plan: "acme", Tier: tt.tier})
			if tt.command != nil {
				if answer := r.do("acme", tt.command); len(answer.Events) != 1 {
					t.Errorf("answer %+v", answer)
				}
				if answer := r.do("acme", tt.command); len(answer.Events) != 0 {
					t.Errorf("the second time: %+v", answer)
				}
			}
			tryAll(r, f, tt.has)
		})
	}
	t.Run("PLN-2 a downgrade loses nothing", func(t *testing.T) {
		r := base.on(t, base.store)
		f := r.fixture("zeta") // enterprise, with no feature of its own
		own := r.handle(request("zeta", commands.CreateRole{Title: "Kept"}, ""), commands.CreateRole{Title: "Kept"})
		before := states(r, f, domain.RoleID(own.ID))
		edit := commands.RenameRole{Role: domain.RoleID(own.ID), Title: "Edited"}
		head := r.head()
		r.do("zeta", commands.ChangePlanTier{Plan: "zeta", Tier: plan.Standard})
		equal(t, "events", r.types(head), []string{"PlanTierChanged"})
		equal(t, "roles", states(r, f, domain.RoleID(own.ID)), before)
		refused := request("zeta", edit, "edit")
		r.refused(refused, edit, domain.Forbidden, "feature_not_in_plan", "")
		r.do("zeta", commands.RecordSkillIQ{Member: f.member, Skill: f.skill, MeasuredAt: clock, Session: "after the downgrade"})
		r.do("zeta", commands.ChangePlanTier{Plan: "zeta", Tier: plan.Enterprise})
		if answer := r.handle(refused, edit); answer.Revision != 1 {
			t.Errorf("after the upgrade: %+v", answer)
		}
	})
}

func states(r *rig, f fixture, more ...domain.RoleID) []role.State {
	r.Helper()
	var all []role.State
	for _, id := range append(more, f.role, f.draft, f.catalogRole) {
		state, err := handlerOn(r.store).Role(r.Context(), f.plan, id)
		if err != nil || !state.Exists {
			r.Fatalf("role %s: %+v, %v", id, state, err)
		}
		all = append(all, state)
	}
	return all
}
