package commands

import (
	"context"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/role"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
	"rolewise/eventstore"
)

// Plan returns a plan's state, as the event store has it now.
func (h *Handler) Plan(ctx context.Context, id domain.PlanID) (plan.State, error) {
	at, err := load(ctx, h, plans, id, eventstore.PlanWide)
	return at.state, err
}

// Member returns a member's state, as the event store has it now.
func (h *Handler) Member(ctx context.Context, planID domain.PlanID, id domain.MemberID) (member.State, error) {
	at, err := load(ctx, h, members, planID, string(id))
	return at.state, err
}

// Teams returns the tree of a plan's teams.
func (h *Handler) Teams(ctx context.Context, planID domain.PlanID) (team.State, error) {
	at, err := load(ctx, h, teams, planID, eventstore.PlanWide)
	return at.state, err
}

// Skill returns a skill of the plan, or else of the catalog.
func (h *Handler) Skill(ctx context.Context, planID domain.PlanID, id domain.SkillID) (skill.State, error) {
	at, err := load(ctx, h, skills, planID, string(id))
	if err == nil && !at.state.Exists && planID != domain.CatalogPlan {
		at, err = load(ctx, h, skills, domain.CatalogPlan, string(id))
	}
	return at.state, err
}

// Role returns a role of the plan, or else a published one of the catalog.
func (h *Handler) Role(ctx context.Context, planID domain.PlanID, id domain.RoleID) (role.State, error) {
	at, err := load(ctx, h, roles, planID, string(id))
	if err != nil || at.state.Exists || planID == domain.CatalogPlan {
		return at.state, err
	}
	at, err = load(ctx, h, roles, domain.CatalogPlan, string(id))
	if !at.state.Published() {
		return role.State{}, err
	}
	return at.state, err
}

// OfRole returns what bears on a principal's rights to a role of the plan, as the event store has it now.
func (h *Handler) OfRole(ctx context.Context, p access.Principal, planID domain.PlanID, s role.State) (access.OfRole, error) {
	rights := access.OfRole{Principal: p, Creator: s.Creator}
	settings, err := h.Plan(ctx, planID)
	if err != nil {
		return rights, err
	}
	rights.AdminsEdit = settings.RoleEditing == plan.AdminsEdit
	if p.Member != "" {
		if rights.Admin, err = h.admin(ctx, planID, p.Member); err != nil {
			return rights, err
		}
	}
	if s.Creator != "" && rights.Admin { // only to them it matters
		creator, err := h.Member(ctx, planID, s.Creator)
		if err != nil {
			return rights, err
		}
		rights.CreatorGone = !creator.Present()
	}
	return rights, nil
}

// Seats returns who of a plan is an owner and has content access, as the event store has it now.
func (h *Handler) Seats(ctx context.Context, planID domain.PlanID) (seats.State, error) {
	at, err := load(ctx, h, chairs, planID, eventstore.PlanWide)
	return at.state, err
}

// Owner tells whether a member is an owner of the plan who may act as one.
func (h *Handler) Owner(ctx context.Context, planID domain.PlanID, id domain.MemberID) (bool, error) {
	state, err := h.Member(ctx, planID, id)
	if err != nil || !state.Active() {
		return false, err
	}
	held, err := h.Seats(ctx, planID)
	return held.Owner(id, state.InvitedOwner), err
}

// admin tells whether a member is an owner or an admin of the plan who may act as one.
func (h *Handler) admin(ctx context.Context, planID domain.PlanID, id domain.MemberID) (bool, error) {
	state, err := h.Member(ctx, planID, id)
	if err != nil || state.Active() && state.AccessRole == member.Admin {
		return err == nil, err
	}
	return h.Owner(ctx, planID, id)
}

// memberExists tells whether the plan has the member. One who was removed is as one who never was.
func (w *work) memberExists(id domain.MemberID) (bool, error) {
	state, err := w.Member(w.ctx, w.req.Plan, id)
	return state.Present(), err
}

// memberActs is memberExists for what only an active member can do or be given.
func (w *work) memberActs(id domain.MemberID) (bool, error) {
	state, err := w.Member(w.ctx, w.req.Plan, id)
	if err == nil && state.Present() && state.Deactivated {
		err = member.Inactive()
	}
	return state.Present(), err
}

func (w *work) rolePublished(id domain.RoleID) (bool, error) {
	state, err := w.Role(w.ctx, w.req.Plan, id)
	return state.Published(), err
}
