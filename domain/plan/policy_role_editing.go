package plan

import "rolewise/domain"

// RoleEditing says who may edit a role besides its creator (SPEC ROL-10).
type RoleEditing string

const (
	CreatorEdits RoleEditing = "creator" // nobody; others duplicate it
	AdminsEdit   RoleEditing = "admins"  // the plan's owners and admins
)

// RoleEditingPolicySet says who may edit roles from now on.
type RoleEditingPolicySet struct {
	Editing RoleEditing `json:"editing"`
}

func (RoleEditingPolicySet) plan() {}

// SetRoleEditing sets the policy role_editing.
type SetRoleEditing struct{ Editing RoleEditing }

func (SetRoleEditing) command() {}

func (c SetRoleEditing) decide(s State) ([]Event, error) {
	if c.Editing != CreatorEdits && c.Editing != AdminsEdit {
		return nil, domain.Invalidf("/value", "invalid_policy_value", "role_editing is creator or admins")
	}
	if c.Editing == s.RoleEditing {
		return nil, nil
	}
	return []Event{RoleEditingPolicySet(c)}, nil
}
