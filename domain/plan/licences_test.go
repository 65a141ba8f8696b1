package plan_test

import (
	"testing"

	"rolewise/domain/decidertest"
	"rolewise/domain/plan"
)

func TestLicences(t *testing.T) {
	acme := plan.PlanCreated{Plan: "acme", Name: "Acme", Tier: plan.Starter}
	set := func(n int) plan.Event { return plan.PlanLicencesSet{Licences: n} }
	out := decidertest.Invalid("out_of_range", "/licences")
	decidertest.Run(t, plan.Decider, []decidertest.Case[plan.Command, plan.Event]{
		{Name: "ACC-3 set the licences", Given: []plan.Event{acme}, When: plan.SetLicences{Licences: 25}, Then: []plan.Event{set(25)}},
		{Name: "ACC-3 set the licences to those of the tier, for good", Given: []plan.Event{acme}, When: plan.SetLicences{Licences: 10}, Then: []plan.Event{set(10)}},
		{Name: "ACC-3 set none", Given: []plan.Event{acme}, When: plan.SetLicences{}, Then: []plan.Event{set(0)}},
		{Name: "ACC-3 set none twice", Given: []plan.Event{acme, set(0)}, When: plan.SetLicences{}},
		{Name: "ACC-3 set less than none", Given: []plan.Event{acme}, When: plan.SetLicences{Licences: -1}, Refused: out},
		{Name: "ACC-3 set as many as can be", Given: []plan.Event{acme}, When: plan.SetLicences{Licences: 10_000_000}, Then: []plan.Event{set(10_000_000)}},
		{Name: "ACC-3 set more than can be", Given: []plan.Event{acme}, When: plan.SetLicences{Licences: 10_000_001}, Refused: out},
		{Name: "ACC-3 set the licences of no plan", When: plan.SetLicences{Licences: 1}, Refused: decidertest.Missing("plan_not_found", "")},
	})
	for tier, want := range map[plan.Tier]int{"standard": 10, "starter": 10, "premium": 50, "professional": 100, "enterprise": 1000} {
		t.Run("ACC-3 licences of tier "+string(tier), func(t *testing.T) {
			s := plan.Decider.Fold(plan.PlanCreated{Plan: "acme", Name: "Acme", Tier: tier})
			if got := s.ContentLicences(); got != want {
				t.Errorf("%d, want %d", got, want)
			}
			if got := plan.Decider.Evolve(s, set(3)).ContentLicences(); got != 3 {
				t.Errorf("%d after 3 were set", got)
			}
		})
	}
}
