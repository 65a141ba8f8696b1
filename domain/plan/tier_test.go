package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/plan"
)

// tierTable is the table of SPEC PLN-1, written down once more.
var tierTable = []struct {
	feature plan.Feature
	in      map[plan.Tier]bool
	lowest  plan.Tier
}{
	{"roles", tiers(false, false, true, true, true), "starter"},
	{"authoring", tiers(false, false, false, false, true), "enterprise"},
	{"advanced_analytics", tiers(false, false, false, false, true), "enterprise"},
	{"careers", tiers(false, false, false, true, true), "professional"},
	{"training", tiers(false, false, false, true, true), "professional"},
	{"scim", tiers(false, false, false, true, true), "professional"},
	{"audit", tiers(false, false, false, true, true), "professional"},
}

func tiers(standard, premium, starter, professional, enterprise bool) map[plan.Tier]bool {
	return map[plan.Tier]bool{
		"standard": standard, "premium": premium, "starter": starter, "professional": professional, "enterprise": enterprise,
	}
}

func TestTierTable(t *testing.T) {
	var features []plan.Feature
	for _, row := range tierTable {
		features = append(features, row.feature)
		for tier, want := range row.in {
			t.Run(fmt.Sprintf("PLN-1 %s in %s", row.feature, tier), func(t *testing.T) {
				state := plan.Decider.Fold(of(tier)...)
				if got := state.Has(row.feature); got != want {
					t.Errorf("has %s: %t, want %t", row.feature, got, want)
				}
				checkRequire(t, state, row.feature, row.lowest, want)
			})
		}
		t.Run(fmt.Sprintf("PLN-1 lowest tier with %s", row.feature), func(t *testing.T) {
			if got := plan.LowestTier(row.feature); got != row.lowest {
				t.Errorf("lowest tier %s, want %s", got, row.lowest)
			}
		})
	}
	t.Run("PLN-1 the table has every feature", func(t *testing.T) {
		clear(plan.Features()) // what a caller does with its list is its own business
		if got := plan.Features(); !slices.Equal(got, features) {
			t.Errorf("features %v, the table has %v", got, features)
		}
	})
}

func checkRequire(t *testing.T, state plan.State, f plan.Feature, lowest plan.Tier, permitted bool) {
	t.Helper()
	err := state.Require(f)
	if permitted {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var refusal *domain.Error
	if !errors.As(err, &refusal) || refusal.Kind != domain.Forbidden || refusal.Code != "feature_not_in_plan" {
		t.Fatalf("require %s: %v, want the refusal feature_not_in_plan", f, err)
	}
	if !strings.Contains(refusal.Message, "feature "+string(f)+";") || !strings.HasSuffix(refusal.Message, " is "+string(lowest)) {
		t.Errorf("message %q does not name the feature %s and the tier %s", refusal.Message, f, lowest)
	}
}

func TestSingleFeatures(t *testing.T) {
	grant := plan.PlanFeatureGranted{Feature: plan.Authoring}
	withdraw := plan.PlanFeatureWithdrawn{Feature: plan.Authoring}
	tests := []struct {
		name  string
		given []plan.Event
		want  bool
	}{
		{"PLN-1 a grant adds to the tier", of(plan.Starter, grant), true},
		{"PLN-1 a withdrawal takes from the tier", of(plan.Enterprise, withdraw), false},
		{"PLN-1 the later of the two counts", of(plan.Starter, grant, withdraw), false},
		{"PLN-1 a grant outlives a change of tier", of(plan.Enterprise, grant, plan.PlanTierChanged{From: plan.Enterprise, To: plan.Standard}), true},
		{"PLN-2 a downgrade takes the feature", of(plan.Enterprise, plan.PlanTierChanged{From: plan.Enterprise, To: plan.Professional}), false},
		{"PLN-1 no plan has no feature", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := plan.Decider.Fold(tt.given...)
			if got := state.Has(plan.Authoring); got != tt.want {
				t.Errorf("has authoring: %t, want %t", got, tt.want)
			}
			if others := plan.Decider.Fold(of(state.Tier)...); state.Exists && state.Has(plan.Roles) != others.Has(plan.Roles) {
				t.Error("another feature changed too")
			}
		})
	}
}

func TestCheckID(t *testing.T) {
	tests := []struct {
		id domain.PlanID
		ok bool
	}{
		{"ab", true}, {"0-", true}, {"acme-2", true}, {domain.PlanID(strings.Repeat("z", 40)), true},
		{"", false}, {"a", false}, {domain.PlanID(strings.Repeat("z", 41)), false},
		{"a.b", false}, {"a~b", false}, {"a_b", false}, {"aBc", false}, {"a b", false}, {"aé", false}, {"a/b", false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.id), func(t *testing.T) {
			err := plan.CheckID(tt.id)
			if tt.ok != (err == nil) {
				t.Errorf("got %v, want ok: %t", err, tt.ok)
			}
			if err != nil && domain.CodeOf(err) != "invalid_plan_id" {
				t.Errorf("code %q", domain.CodeOf(err))
			}
		})
	}
}
