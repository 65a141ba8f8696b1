package plan_test

import (
	"testing"

	"rolewise/domain/decidertest"
	"rolewise/domain/plan"
)

func TestRolePolicies(t *testing.T) {
	given := of(plan.Enterprise)
	admins, featured := plan.RoleEditingPolicySet{Editing: plan.AdminsEdit}, plan.DirectoryVisibilityPolicySet{Visibility: plan.FeaturedCategory}
	decidertest.Run(t, plan.Decider, []decidertest.Case[plan.Command, plan.Event]{
		{Name: "ROL-10 role_editing admins", Given: given, When: plan.SetRoleEditing{Editing: "admins"}, Then: []plan.Event{admins}},
		{Name: "ROL-10 role_editing is creator unless set", Given: given, When: plan.SetRoleEditing{Editing: "creator"}},
		{Name: "ROL-10 role_editing back to creator", Given: append(of(plan.Enterprise), admins), When: plan.SetRoleEditing{Editing: "creator"}, Then: []plan.Event{plan.RoleEditingPolicySet{Editing: plan.CreatorEdits}}},
		{Name: "ROL-10 role_editing as it is", Given: append(of(plan.Enterprise), admins), When: plan.SetRoleEditing{Editing: "admins"}},
		{Name: "PLN-4 role_editing by all", Given: given, When: plan.SetRoleEditing{Editing: "all"}, Refused: decidertest.Invalid("invalid_policy_value", "/value")},
		{Name: "PLN-4 role_editing of no plan", When: plan.SetRoleEditing{Editing: "admins"}, Refused: decidertest.Missing("plan_not_found", "")},
		{Name: "ROL-12 directory_visibility featured_category", Given: given, When: plan.SetDirectoryVisibility{Visibility: "featured_category"}, Then: []plan.Event{featured}},
		{Name: "ROL-12 directory_visibility is published unless set", Given: given, When: plan.SetDirectoryVisibility{Visibility: "published"}},
		{Name: "ROL-12 directory_visibility back", Given: append(of(plan.Enterprise), featured), When: plan.SetDirectoryVisibility{Visibility: "published"}, Then: []plan.Event{plan.DirectoryVisibilityPolicySet{Visibility: plan.PublishedRoles}}},
		{Name: "PLN-4 directory_visibility none", Given: given, When: plan.SetDirectoryVisibility{Visibility: "none"}, Refused: decidertest.Invalid("invalid_policy_value", "/value")},
	})
}
