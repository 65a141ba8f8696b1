package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/role"
	"rolewise/eventstore"
)

// PersonalizeBadge sets the badge of the draft.
type PersonalizeBadge struct {
	Role  domain.RoleID `json:"role"`
	Icon  string        `json:"icon" doc:"Any; get-role suggests those of the role's skills."`
	Color role.Color    `json:"color" doc:"Of the ground, as #rrggbb. Its contrast to the white icon must be at least 3:1."`
}

func (PersonalizeBadge) About() About {
	return authoring("personalize-badge", "Set the badge of the draft: its icon and colour.")
}

func (c PersonalizeBadge) run(w *work) (Answer, error) {
	return w.decideRole(c.Role, role.PersonalizeBadge{Role: c.Role, Badge: role.Badge{Icon: c.Icon, Color: c.Color}})
}

// CategorizeRole puts a role into a category, at once and not only with its next version.
type CategorizeRole struct {
	Role     domain.RoleID     `json:"role"`
	Category domain.CategoryID `json:"category,omitempty" doc:"Left out: none."`
}

func (CategorizeRole) About() About {
	return About{Name: "categorize-role", Summary: "Put a role into a category.", Action: access.ClassifyRoles, Feature: plan.Authoring}
}

func (c CategorizeRole) run(w *work) (Answer, error) {
	return w.titled(c.Role, func(role.State) (role.Command, error) {
		at, err := load(w.ctx, w.Handler, categories, w.req.Plan, eventstore.PlanWide)
		return role.Categorize{Role: c.Role, Category: c.Category, CategoryExists: at.state.Has(c.Category)}, err
	})
}

// DeleteRole takes a company role out of the pages and the analytics. Its history remains, and it can be restored.
type DeleteRole struct {
	Role         domain.RoleID `json:"role"`
	ConfirmTitle string        `json:"confirm_title" doc:"The title of the role, letter by letter."`
}

func (DeleteRole) About() About {
	return About{Name: "delete-role", Summary: "Delete a role of the plan; restore-role brings it back.", Action: access.DeleteRoles, Feature: plan.Authoring}
}

func (c DeleteRole) run(w *work) (Answer, error) {
	return w.permitted(c.Role, access.OfRole.Delete, func(s role.State) (role.Command, error) {
		if err := w.notOfCatalog(c.Role, s); err != nil {
			return nil, err
		}
		return role.Delete(c), nil
	})
}

// notOfCatalog refuses what is about the vendor's roles: plans rely on them (SPEC ROL-9).
func (w *work) notOfCatalog(id domain.RoleID, s role.State) error {
	if !s.Exists {
		vendors, err := w.Role(w.ctx, w.req.Plan, id)
		if err != nil || !vendors.Exists {
			return err
		}
	} else if w.req.Plan != domain.CatalogPlan {
		return nil
	}
	return &domain.Error{Kind: domain.Forbidden, Code: "catalog_role", Field: "/role", Message: "a role of the catalog cannot be deleted, only a company's own"}
}

// RestoreRole brings a deleted role back, with all who hold it.
type RestoreRole struct {
	Role domain.RoleID `json:"role"`
}

func (RestoreRole) About() About {
	return About{Name: "restore-role", Summary: "Bring a deleted role back.", Action: access.DeleteRoles, Feature: plan.Authoring}
}

func (c RestoreRole) run(w *work) (Answer, error) {
	return w.permitted(c.Role, access.OfRole.Delete, func(role.State) (role.Command, error) { return role.Restore(c), nil })
}

// TransferRole makes another member the creator of a role, who may then edit it.
type TransferRole struct {
	Role domain.RoleID   `json:"role"`
	To   domain.MemberID `json:"to"`
}

func (TransferRole) About() About {
	return About{Name: "transfer-role", Summary: "Make another member the creator of a role.", Action: access.TransferRoles, Feature: plan.Authoring}
}

func (c TransferRole) run(w *work) (Answer, error) {
	return w.permitted(c.Role, access.OfRole.Transfer, func(role.State) (role.Command, error) {
		exists, err := w.memberActs(c.To)
		return role.Transfer{Role: c.Role, To: c.To, ToExists: exists}, err
	})
}
