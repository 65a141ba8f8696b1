package plan_test

import (
	"strings"
	"testing"

	"rolewise/domain/decidertest"
	"rolewise/domain/plan"
)

const owner = "01890a5d-ac96-774b-bcce-b30209900001"

func of(tier plan.Tier, more ...plan.Event) []plan.Event {
	created := plan.PlanCreated{Plan: "acme", Name: "Acme", Tier: tier, Owner: owner}
	return append([]plan.Event{created}, more...)
}

func TestCreate(t *testing.T) {
	create := func(edit func(*plan.Create)) plan.Create {
		c := plan.Create{Plan: "acme", Name: "Acme", Tier: plan.Enterprise, Owner: owner}
		edit(&c)
		return c
	}
	var cases []decidertest.Case[plan.Command, plan.Event]
	for _, tier := range []plan.Tier{"standard", "premium", "starter", "professional", "enterprise"} {
		cases = append(cases, decidertest.Case[plan.Command, plan.Event]{
			Name: "PLN-1 create in tier " + string(tier),
			When: create(func(c *plan.Create) { c.Tier = tier }),
			Then: []plan.Event{plan.PlanCreated{Plan: "acme", Name: "Acme", Tier: tier, Owner: owner}},
		})
	}
	cases = append(cases, []decidertest.Case[plan.Command, plan.Event]{
		{
			Name: "PLN-1 the catalog has no owner",
			When: plan.Create{Plan: "catalog", Name: "Catalog", Tier: plan.Enterprise},
			Then: []plan.Event{plan.PlanCreated{Plan: "catalog", Name: "Catalog", Tier: plan.Enterprise}},
		},
		{
			Name:    "PLN-1 create twice",
			Given:   of(plan.Starter),
			When:    create(func(*plan.Create) {}),
			Refused: decidertest.Conflict("plan_exists", "/plan"),
		},
		{
			Name:    "PLN-1 create with a wrong id",
			When:    create(func(c *plan.Create) { c.Plan = "Acme" }),
			Refused: decidertest.Invalid("invalid_plan_id", "/plan"),
		},
		{
			Name: "PLN-1 create with a name of two characters",
			When: create(func(c *plan.Create) { c.Name = "AB" }),
			Then: []plan.Event{plan.PlanCreated{Plan: "acme", Name: "AB", Tier: plan.Enterprise, Owner: owner}},
		},
		{
			Name: "PLN-1 create with a name of 200 characters",
			When: create(func(c *plan.Create) { c.Name = strings.Repeat("é", 200) }),
			Then: []plan.Event{plan.PlanCreated{Plan: "acme", Name: strings.Repeat("é", 200), Tier: plan.Enterprise, Owner: owner}},
		},
		{
			Name:    "PLN-1 create with a name of one character",
			When:    create(func(c *plan.Create) { c.Name = "A" }),
			Refused: decidertest.Invalid("invalid_length", "/name"),
		},
		{
			Name:    "PLN-1 create with a name of 201 characters",
			When:    create(func(c *plan.Create) { c.Name = strings.Repeat("a", 201) }),
			Refused: decidertest.Invalid("invalid_length", "/name"),
		},
		{
			Name:    "PLN-1 create in an unknown tier",
			When:    create(func(c *plan.Create) { c.Tier = "gold" }),
			Refused: decidertest.Invalid("unknown_tier", "/tier"),
		},
	}...)
	decidertest.Run(t, plan.Decider, cases)
}

func TestTierAndFeatures(t *testing.T) {
	granted := func(f plan.Feature) plan.Event { return plan.PlanFeatureGranted{Feature: f} }
	withdrawn := func(f plan.Feature) plan.Event { return plan.PlanFeatureWithdrawn{Feature: f} }
	decidertest.Run(t, plan.Decider, []decidertest.Case[plan.Command, plan.Event]{
		{
			Name:  "PLN-1 change the tier",
			Given: of(plan.Starter),
			When:  plan.ChangeTier{Tier: plan.Enterprise},
			Then:  []plan.Event{plan.PlanTierChanged{From: plan.Starter, To: plan.Enterprise}},
		},
		{
			Name:  "PLN-2 a downgrade is accepted and names the tier before",
			Given: of(plan.Starter, plan.PlanTierChanged{From: plan.Starter, To: plan.Enterprise}),
			When:  plan.ChangeTier{Tier: plan.Standard},
			Then:  []plan.Event{plan.PlanTierChanged{From: plan.Enterprise, To: plan.Standard}},
		},
		{
			Name:  "PLN-1 change to the tier it has",
			Given: of(plan.Starter),
			When:  plan.ChangeTier{Tier: plan.Starter},
		},
		{
			Name:    "PLN-1 change to an unknown tier",
			Given:   of(plan.Starter),
			When:    plan.ChangeTier{Tier: ""},
			Refused: decidertest.Invalid("unknown_tier", "/tier"),
		},
		{
			Name:    "PLN-1 change the tier of no plan",
			When:    plan.ChangeTier{Tier: plan.Starter},
			Refused: decidertest.Missing("plan_not_found", ""),
		},
		{
			Name:  "PLN-1 grant a feature that the tier lacks",
			Given: of(plan.Starter),
			When:  plan.GrantFeature{Feature: plan.Authoring},
			Then:  []plan.Event{granted(plan.Authoring)},
		},
		{
			Name:  "PLN-1 grant a feature that the tier has",
			Given: of(plan.Starter),
			When:  plan.GrantFeature{Feature: plan.Roles},
		},
		{
			Name:  "PLN-1 grant a feature twice",
			Given: of(plan.Starter, granted(plan.Authoring)),
			When:  plan.GrantFeature{Feature: plan.Authoring},
		},
		{
			Name:  "PLN-1 grant a feature that was withdrawn",
			Given: of(plan.Starter, withdrawn(plan.Roles)),
			When:  plan.GrantFeature{Feature: plan.Roles},
			Then:  []plan.Event{granted(plan.Roles)},
		},
		{
			Name:    "PLN-1 grant an unknown feature",
			Given:   of(plan.Starter),
			When:    plan.GrantFeature{Feature: "flying"},
			Refused: decidertest.Invalid("unknown_feature", "/feature"),
		},
		{
			Name:    "PLN-1 grant a feature to no plan",
			When:    plan.GrantFeature{Feature: plan.Roles},
			Refused: decidertest.Missing("plan_not_found", ""),
		},
		{
			Name:  "PLN-1 withdraw a feature of the tier",
			Given: of(plan.Starter),
			When:  plan.WithdrawFeature{Feature: plan.Roles},
			Then:  []plan.Event{withdrawn(plan.Roles)},
		},
		{
			Name:  "PLN-1 withdraw a granted feature",
			Given: of(plan.Starter, granted(plan.Careers)),
			When:  plan.WithdrawFeature{Feature: plan.Careers},
			Then:  []plan.Event{withdrawn(plan.Careers)},
		},
		{
			Name:  "PLN-1 withdraw a feature that the plan lacks",
			Given: of(plan.Starter),
			When:  plan.WithdrawFeature{Feature: plan.Careers},
		},
		{
			Name:    "PLN-1 withdraw an unknown feature",
			Given:   of(plan.Starter),
			When:    plan.WithdrawFeature{Feature: ""},
			Refused: decidertest.Invalid("unknown_feature", "/feature"),
		},
	})
}

func TestPolicies(t *testing.T) {
	rule := func(name plan.RuleName, k int) plan.LevelRule { return plan.LevelRule{Name: name, K: k} }
	decidertest.Run(t, plan.Decider, []decidertest.Case[plan.Command, plan.Event]{
		{
			Name:  "PLN-4 recalculation on visit",
			Given: of(plan.Starter),
			When:  plan.SetRecalculation{Recalculation: "on_visit"},
			Then:  []plan.Event{plan.RecalculationPolicySet{Recalculation: plan.OnVisit}},
		},
		{
			Name:  "PLN-4 recalculation is automatic unless set",
			Given: of(plan.Starter),
			When:  plan.SetRecalculation{Recalculation: "automatic"},
		},
		{
			Name:  "PLN-4 recalculation back to automatic",
			Given: of(plan.Starter, plan.RecalculationPolicySet{Recalculation: plan.OnVisit}),
			When:  plan.SetRecalculation{Recalculation: "automatic"},
			Then:  []plan.Event{plan.RecalculationPolicySet{Recalculation: plan.Automatic}},
		},
		{
			Name:    "PLN-4 unknown recalculation",
			Given:   of(plan.Starter),
			When:    plan.SetRecalculation{Recalculation: "never"},
			Refused: decidertest.Invalid("invalid_policy_value", "/value"),
		},
		{
			Name:    "PLN-4 recalculation of no plan",
			When:    plan.SetRecalculation{Recalculation: plan.OnVisit},
			Refused: decidertest.Missing("plan_not_found", ""),
		},
		{
			Name:  "PRG-2 rule k of n",
			Given: of(plan.Starter),
			When:  plan.SetLevelRule{Rule: rule("k_of_n.v1", 1)},
			Then:  []plan.Event{plan.LevelRulePolicySet{Rule: rule("k_of_n.v1", 1)}},
		},
		{
			Name:  "PRG-2 rule k of n with another k",
			Given: of(plan.Starter, plan.LevelRulePolicySet{Rule: rule("k_of_n.v1", 1)}),
			When:  plan.SetLevelRule{Rule: rule("k_of_n.v1", 1000)},
			Then:  []plan.Event{plan.LevelRulePolicySet{Rule: rule("k_of_n.v1", 1000)}},
		},
		{
			Name:  "PRG-2 rule mean of thresholds",
			Given: of(plan.Starter),
			When:  plan.SetLevelRule{Rule: rule("mean_of_thresholds.v1", 0)},
			Then:  []plan.Event{plan.LevelRulePolicySet{Rule: rule("mean_of_thresholds.v1", 0)}},
		},
		{
			Name:  "PRG-2 all required is the rule unless set",
			Given: of(plan.Starter),
			When:  plan.SetLevelRule{Rule: rule("all_required.v1", 0)},
		},
		{
			Name:  "PRG-2 the rule as it is set",
			Given: of(plan.Starter, plan.LevelRulePolicySet{Rule: rule("k_of_n.v1", 2)}),
			When:  plan.SetLevelRule{Rule: rule("k_of_n.v1", 2)},
		},
		{
			Name:    "PRG-2 k of n without k",
			Given:   of(plan.Starter),
			When:    plan.SetLevelRule{Rule: rule("k_of_n.v1", 0)},
			Refused: decidertest.Invalid("invalid_policy_value", "/value/k"),
		},
		{
			Name:    "PRG-2 k of n with k over 1000",
			Given:   of(plan.Starter),
			When:    plan.SetLevelRule{Rule: rule("k_of_n.v1", 1001)},
			Refused: decidertest.Invalid("invalid_policy_value", "/value/k"),
		},
		{
			Name:    "PRG-2 all required with k",
			Given:   of(plan.Starter),
			When:    plan.SetLevelRule{Rule: rule("all_required.v1", 2)},
			Refused: decidertest.Invalid("invalid_policy_value", "/value/k"),
		},
		{
			Name:    "PRG-2 unknown rule",
			Given:   of(plan.Starter),
			When:    plan.SetLevelRule{Rule: rule("best_guess.v1", 0)},
			Refused: decidertest.Invalid("invalid_policy_value", "/value"),
		},
	})
}

func TestState(t *testing.T) {
	s := plan.Decider.Fold(of(plan.Starter,
		plan.PlanFeatureGranted{Feature: plan.Authoring}, plan.PlanFeatureGranted{Feature: plan.Careers}, plan.PlanFeatureWithdrawn{Feature: plan.Roles},
	)...)
	if !s.Exists || s.Name != "Acme" || s.Tier != plan.Starter || s.Owner != owner {
		t.Errorf("state %+v", s)
	}
	if !s.Has(plan.Authoring) || !s.Has(plan.Careers) || s.Has(plan.Roles) {
		t.Errorf("a later grant undid an earlier one: %v", s.Features)
	}
}
