package access_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"rolewise/domain"
	"rolewise/domain/access"
)

const (
	yes = true
	no  = false
)

// cells is the policy table, written down once more: which scope permits an action in the key's own plan.
var cells = []struct {
	action                                              access.Action
	everything, read, write, measurements, actAs, audit bool
}{
	{"operate_plans", no, no, no, no, no, no},
	{"manage_plan", yes, no, no, no, no, no},
	{"manage_owners", yes, no, no, no, no, no},
	{"manage_members", yes, no, yes, no, no, no},
	{"see_removed", yes, no, no, no, no, no},
	{"manage_teams", yes, no, yes, no, no, no},
	{"define_skills", yes, no, yes, no, no, no},
	{"author_roles", yes, no, yes, no, no, no},
	{"delete_roles", yes, no, yes, no, no, no},
	{"transfer_roles", yes, no, no, no, no, no},
	{"classify_roles", yes, no, yes, no, no, no},
	{"assign_roles", yes, no, yes, no, no, no},
	{"refresh_progress", yes, no, yes, no, no, no},
	{"learn_role", yes, no, yes, no, no, no},
	{"act_for_member", yes, no, no, no, yes, no},
	{"record_results", yes, no, no, yes, no, no},
	{"query_plan", yes, yes, no, no, no, no},
	{"read_analytics", yes, yes, no, no, no, no},
	{"read_history", yes, no, no, no, no, yes},
	{"read_own_identity", yes, yes, yes, yes, yes, yes},
}

func key(scopes ...access.Scope) access.Principal {
	return access.Principal{ID: "key:k1", Plan: "acme", Scopes: scopes}
}

// refusal tells how a call was refused: 0 is not at all. The message never says more than that.
func refusal(t *testing.T, err error) (domain.Kind, string) {
	t.Helper()
	if err == nil {
		return 0, ""
	}
	var refused *domain.Error
	if !errors.As(err, &refused) {
		t.Fatalf("error %v is no refusal", err)
	}
	return refused.Kind, refused.Code
}

func TestTable(t *testing.T) {
	var actions []access.Action
	for _, row := range cells {
		actions = append(actions, row.action)
		permits := map[access.Scope]bool{
			"*": row.everything, "read": row.read, "write": row.write, "measurements:write": row.measurements,
			"act_as": row.actAs, "audit": row.audit,
		}
		for _, scope := range access.Scopes() {
			permitted, listed := permits[scope]
			if !listed {
				t.Fatalf("the table has no column for %s", scope)
			}
			t.Run(fmt.Sprintf("ACC-1 %s with %s", row.action, scope), func(t *testing.T) {
				kind, code := refusal(t, key(scope).May(row.action, "acme"))
				if permitted && kind != 0 {
					t.Errorf("refused with %s", code)
				}
				if !permitted && (kind != domain.Forbidden || code != "not_permitted") {
					t.Errorf("kind %d, code %q; want %d, not_permitted", kind, code, domain.Forbidden)
				}
			})
			t.Run(fmt.Sprintf("ACC-5 %s with %s in another plan", row.action, scope), func(t *testing.T) {
				kind, code := refusal(t, key(scope).May(row.action, "other"))
				if kind != domain.NotFound || code != "plan_not_found" {
					t.Errorf("kind %d, code %q; want %d, plan_not_found", kind, code, domain.NotFound)
				}
			})
		}
		t.Run(fmt.Sprintf("ACC-1 %s without a scope", row.action), func(t *testing.T) {
			if kind, _ := refusal(t, key().May(row.action, "acme")); kind != domain.Forbidden {
				t.Errorf("kind %d, want %d", kind, domain.Forbidden)
			}
		})
		t.Run(fmt.Sprintf("ACC-1 %s by the operator", row.action), func(t *testing.T) {
			operator := access.Principal{ID: "operator", Vendor: true}
			for _, plan := range []domain.PlanID{"acme", "other", domain.CatalogPlan} {
				if err := operator.May(row.action, plan); err != nil {
					t.Errorf("refused in %s: %v", plan, err)
				}
			}
		})
		t.Run(fmt.Sprintf("ACC-5 %s by nobody", row.action), func(t *testing.T) {
			for _, plan := range []domain.PlanID{"acme", domain.CatalogPlan, ""} {
				if kind, _ := refusal(t, (access.Principal{Scopes: []access.Scope{"*"}}).May(row.action, plan)); kind != domain.NotFound {
					t.Errorf("in plan %q: kind %d, want %d", plan, kind, domain.NotFound)
				}
			}
		})
	}
	t.Run("ACC-1 the table has every action", func(t *testing.T) {
		slices.Sort(actions)
		if got := access.Actions(); !slices.Equal(got, actions) {
			t.Errorf("actions %v\nthe table has %v", got, actions)
		}
	})
}

func TestCatalogPlan(t *testing.T) {
	for _, action := range access.Actions() {
		t.Run(fmt.Sprintf("PLN-3 %s in the catalog, from another plan", action), func(t *testing.T) {
			kind, _ := refusal(t, key(access.Everything).May(action, domain.CatalogPlan))
			want := domain.NotFound
			if action == access.QueryPlan { // the catalog is readable by all
				want = 0
			}
			if kind != want {
				t.Errorf("kind %d, want %d", kind, want)
			}
		})
	}
	t.Run("PLN-3 reading the catalog needs a scope", func(t *testing.T) {
		if kind, _ := refusal(t, key(access.Write).May(access.QueryPlan, domain.CatalogPlan)); kind != domain.Forbidden {
			t.Errorf("kind %d, want %d", kind, domain.Forbidden)
		}
	})
}

func TestScopesTogether(t *testing.T) {
	tests := []struct {
		name   string
		key    access.Principal
		action access.Action
		want   domain.Kind
	}{
		{"ACC-1 the second scope permits", key(access.Read, access.Write), access.AssignRoles, 0},
		{"ACC-1 two scopes permit no third thing", key(access.Read, access.Write), access.ReadHistory, domain.Forbidden},
		{"ACC-1 every scope but everything", key(access.Scopes()[1:]...), access.ManagePlan, domain.Forbidden},
		{"ACC-1 an unknown action", key(access.Everything), "fly", domain.Forbidden},
		{"ACC-1 an unknown scope", key("root"), access.QueryPlan, domain.Forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if kind, code := refusal(t, tt.key.May(tt.action, "acme")); kind != tt.want {
				t.Errorf("kind %d (%s), want %d", kind, code, tt.want)
			}
		})
	}
	t.Run("ACC-5 another plan answers as no plan", func(t *testing.T) {
		other, none := key(access.Everything).May(access.QueryPlan, "other"), domain.Missing("plan")
		if other.Error() != none.Error() {
			t.Errorf("%q and %q", other, none)
		}
	})
}
