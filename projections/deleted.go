package projections

import (
	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/readmodels"
)

// roleDeleted and roleRestored hide the standings of all who hold a role, and show them again (SPEC ROL-9). What happens
// meanwhile counts: a restored role is as if it had been there all the time. Only a plan's own roles are deleted.

func (s *standings) roleDeleted(f *Fold, e role.RoleDeleted) error {
	return s.setDeleted(f, e.Role, true)
}

func (s *standings) roleRestored(f *Fold, e role.RoleRestored) error {
	return s.setDeleted(f, e.Role, false)
}

func (s *standings) setDeleted(f *Fold, id domain.RoleID, is bool) error {
	known, err := peek(f, readmodels.RoleStates, id)
	if err != nil || known == nil { // a draft, which nobody holds
		return err
	}
	groups, err := holdersIn(f, []string{f.Plan}, string(id))
	if err != nil {
		return err
	}
	err = s.change(f, groups, func() error {
		state, err := edit(f, readmodels.RoleStates, id)
		if err == nil {
			state.Deleted = is
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.published(f, f.Plan, string(id))
}
