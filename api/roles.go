package api

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/role"
	"rolewise/readmodels"
)

const (
	draft   = "draft"
	deleted = "deleted"
)

// rights returns what the caller may do with the roles of a creator. Within a request it is found out once for each.
func (s *server) rights(c *call, plan domain.PlanID, creator string) (access.OfRole, error) {
	if known, ok := c.rights[creator]; ok {
		return known, nil
	}
	rights, err := s.Commands.OfRole(c.ctx, c.principal, plan, role.State{Creator: domain.MemberID(creator)})
	if err == nil {
		if c.rights == nil {
			c.rights = map[string]access.OfRole{}
		}
		c.rights[creator] = rights
	}
	return rights, err
}

// show returns a role as the caller may see it, nil if not at all: drafts, also those of a next version, are for those
// who may edit them, and deleted roles for those who may restore them (SPEC ROL-4, ROL-9).
func (s *server) show(c *call, plan domain.PlanID, row *readmodels.RoleRow) (*readmodels.RoleRow, error) {
	if own := c.principal.Vendor || c.principal.Plan == plan; own {
		rights, err := s.rights(c, plan, row.Creator)
		if err != nil || rights.Edit() == nil || row.State == deleted && rights.Delete() == nil {
			return row, err
		}
	}
	if row.State != "published" {
		return nil, nil
	}
	row.Draft, row.Edited, row.Icons = *row.InForce, false, []string{}
	return row, nil
}

func (s *server) roles(c *call) (answer, error) {
	filter := readmodels.RoleFilter{State: c.params.oneOf(stateParam)}
	want := c.page(filter.State)
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	if c.guest() && (filter.State == draft || filter.State == deleted) { // those of the catalog are the vendor's
		filter.Creators = []string{}
	} else if err := s.creators(c, &filter); err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.Roles(c.ctx, string(c.plan), filter, want)
	if err != nil {
		return answer{}, err
	}
	shown := page.Items[:0]
	for _, row := range page.Items {
		visible, err := s.show(c, c.plan, row)
		if err != nil {
			return answer{}, err
		}
		if visible != nil {
			shown = append(shown, visible)
		}
	}
	page.Items = shown
	return answer{content: listed(c, page), at: at}, nil
}

// creators limits a list to the drafts and deleted roles that the caller may see.
func (s *server) creators(c *call, filter *readmodels.RoleFilter) error {
	if c.guest() {
		filter.State = "published"
		return nil
	}
	others, err := s.rights(c, c.plan, "another")
	if err != nil {
		return err
	}
	if others.Edit() == nil || filter.State == deleted && others.Delete() == nil {
		return nil
	}
	filter.Creators = []string{""}
	if c.principal.Member != "" {
		filter.Creators = append(filter.Creators, string(c.principal.Member))
	}
	return nil
}

func (s *server) role(c *call) (answer, error) {
	row, at, err := s.oneRole(c)
	return answer{content: Item[*readmodels.RoleRow]{row}, at: at}, err
}

// oneRole returns the role of the path as the caller may see it.
func (s *server) oneRole(c *call) (*readmodels.RoleRow, readmodels.Checkpoint, error) {
	id, err := c.one("role")
	if err != nil {
		return nil, readmodels.Checkpoint{}, err
	}
	row, at, err := s.visibleRole(c, c.plan, id)
	if err == nil && row == nil {
		err = domain.Missing("role")
	}
	return row, at, err
}

// visibleRole returns a role of the plan as the caller may see it, nil if there is none.
func (s *server) visibleRole(c *call, plan domain.PlanID, id string) (*readmodels.RoleRow, readmodels.Checkpoint, error) {
	row, at, err := s.Queries.Role(c.ctx, string(plan), id, c.min)
	if err == nil && row != nil {
		row, err = s.show(c, plan, row)
	}
	return row, at, err
}

func (s *server) versions(c *call) (answer, error) {
	want := c.page()
	row, _, err := s.oneRole(c)
	if err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.RoleVersions(c.ctx, string(c.plan), row.Role, want)
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
	case row == nil, row.State == deleted:
		return answer{}, domain.Missing("role")
	}
	page, at, err := s.Queries.RoleMembers(c.ctx, string(c.plan), id, want)
	return answer{content: listed(c, page), at: at}, err
}
