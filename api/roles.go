package api

import (
	"rolewise/domain"
	"rolewise/readmodels"
)

// asGuest takes out of a role of the catalog what only its authors see: the draft of the next version.
func asGuest(row *readmodels.RoleRow) {
	row.Draft, row.Edited = *row.InForce, false
}

func (s *server) roles(c *call) (answer, error) {
	state := c.params.oneOf(stateParam)
	want := c.page(state)
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	shown := state
	if c.guest() { // drafts of the catalog are the vendor's
		shown = "published"
	}
	page, at, err := s.Queries.Roles(c.ctx, string(c.plan), shown, want)
	if c.guest() {
		for _, row := range page.Items {
			asGuest(row)
		}
		if state == "draft" {
			page = readmodels.List[*readmodels.RoleRow]{}
		}
	}
	return answer{content: listed(c, page), at: at}, err
}

func (s *server) role(c *call) (answer, error) {
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	row, at, err := s.visibleRole(c, c.plan, id)
	if err == nil && row == nil {
		err = domain.Missing("role")
	}
	return answer{content: Item[*readmodels.RoleRow]{row}, at: at}, err
}

// visibleRole returns a role of the plan as the caller may see it, nil if there is none.
func (s *server) visibleRole(c *call, plan domain.PlanID, id string) (*readmodels.RoleRow, readmodels.Checkpoint, error) {
	row, at, err := s.Queries.Role(c.ctx, string(plan), id, c.min)
	if err != nil || row == nil {
		return nil, at, err
	}
	if !c.principal.Vendor && c.principal.Plan != plan {
		if row.InForce == nil {
			return nil, at, nil
		}
		asGuest(row)
	}
	return row, at, nil
}

func (s *server) versions(c *call) (answer, error) {
	want := c.page()
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	row, _, err := s.visibleRole(c, c.plan, id)
	switch {
	case err != nil:
		return answer{}, err
	case row == nil:
		return answer{}, domain.Missing("role")
	}
	page, at, err := s.Queries.RoleVersions(c.ctx, string(c.plan), id, want)
	return answer{content: listed(c, page), at: at}, err
}

// holders lists the members who hold a role of the plan, or one of the catalog.
func (s *server) holders(c *call) (answer, error) {
	want := c.page()
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	row, _, err := s.visibleRole(c, c.plan, id)
	if err == nil && row == nil {
		row, _, err = s.visibleRole(c, domain.CatalogPlan, id)
	}
	switch {
	case err != nil:
		return answer{}, err
	case row == nil:
		return answer{}, domain.Missing("role")
	}
	page, at, err := s.Queries.RoleMembers(c.ctx, string(c.plan), id, want)
	return answer{content: listed(c, page), at: at}, err
}
