package access

import (
	"slices"

	"rolewise/domain"
)

// OfRole is what bears on who may work on a role of a plan, besides that the caller may author roles at all (SPEC ROL-9,
// ROL-10). All but the principal are facts.
type OfRole struct {
	Principal   Principal
	Admin       bool            // the principal's member is an owner or an admin of the plan
	Creator     domain.MemberID // empty: no single person's
	CreatorGone bool            // was removed: the role fell to the plan's owners and admins
	AdminsEdit  bool            // the policy role_editing is "admins"
}

// all tells whether the caller is bound to no person: the operator, or a key for everything that acts for no member.
func (o OfRole) all() bool {
	p := o.Principal
	return p.Vendor || p.Member == "" && slices.Contains(p.Scopes, Everything)
}

func (o OfRole) creates() bool { return o.Creator == "" || o.Creator == o.Principal.Member }

// Edit refuses who may not edit the role; they may not see its draft either.
func (o OfRole) Edit() error {
	if o.all() || o.creates() || o.Admin && (o.AdminsEdit || o.CreatorGone) {
		return nil
	}
	return &domain.Error{
		Kind: domain.Forbidden, Code: "not_the_creator", Field: "/role",
		Message: "only its creator may edit the role; duplicate it, or ask an owner or admin to transfer it",
	}
}

// Delete refuses who may neither delete nor restore the role.
func (o OfRole) Delete() error {
	own := o.Creator == o.Principal.Member // a role of no single person belongs to keys that act for none
	if o.all() || o.Admin || own {
		return nil
	}
	return &domain.Error{
		Kind: domain.Forbidden, Code: "not_the_creator", Field: "/role",
		Message: "only its creator, and owners and admins of the plan, may delete or restore the role",
	}
}

// Transfer refuses who may not make another member the creator of the role.
func (o OfRole) Transfer() error {
	if o.all() || o.Admin {
		return nil
	}
	return &domain.Error{Kind: domain.Forbidden, Code: "not_an_admin", Message: "only owners and admins of the plan transfer roles"}
}
