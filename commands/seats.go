package commands

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/seats"
	"rolewise/eventstore"
)

// seat decides about giving a member a seat, on the member's state as it is after the seats were read. What a
// deactivation or a removal under way leaves of the member is found out first.
func (w *work) seat(id domain.MemberID, build func(member.State) (seats.Command, error)) (Answer, error) {
	return decide(w, chairs, eventstore.PlanWide, func(s seats.State) (seats.Command, error) {
		state, err := w.Member(w.ctx, w.req.Plan, id)
		if err == nil && state.Active() && s.Leaving(id, state.Events) && !w.req.DryRun {
			state, err = w.decided(id, state.Events)
		}
		if err == nil && !state.Present() {
			err = domain.Missing("member").At("/member")
		}
		if err != nil {
			return nil, err
		}
		return build(state)
	})
}

// decideOwners decides about what may take the last owner away. Owners that the seats have not heard of are those by
// invitation: first the one whom the plan was created with, and all others before it comes to a refusal.
func (w *work) decideOwners(build func(s seats.State, invited []domain.MemberID) (seats.Command, error)) (Answer, error) {
	with := func(invited []domain.MemberID) (Answer, error) {
		return decide(w, chairs, eventstore.PlanWide, func(s seats.State) (seats.Command, error) { return build(s, slices.Clip(invited)) })
	}
	invited, err := w.firstOwner()
	if err != nil {
		return Answer{}, err
	}
	answer, err := with(invited)
	if domain.CodeOf(err) != "last_owner" {
		return answer, err
	}
	if invited, err = w.invitations.owners(w.ctx, w.store, w.req.Plan); err != nil {
		return Answer{}, err
	}
	return with(invited)
}

// firstOwner returns whom the plan was created with, unless that was cut short before the invitation.
func (w *work) firstOwner() ([]domain.MemberID, error) {
	of, err := w.Plan(w.ctx, w.req.Plan)
	if err != nil || of.Owner == "" {
		return nil, err
	}
	state, err := w.Member(w.ctx, w.req.Plan, of.Owner)
	if err != nil || !state.InvitedOwner {
		return nil, err
	}
	return []domain.MemberID{of.Owner}, nil
}

// confirmOwner tells the seats of an owner who was just invited. If it does not come to that, the invitation goes on
// telling, and decideOwners finds it.
func (w *work) confirmOwner(id domain.MemberID) error {
	_, err := decide(w.side(), chairs, eventstore.PlanWide, func(seats.State) (seats.Command, error) {
		return seats.ConfirmOwner{Member: id}, nil
	})
	return err
}

// invitations finds the members who were invited as owners in the history of a plan. That is read once, and then what
// was added since: plans from before there were seats have nothing else that lists their owners.
type invitations struct {
	mu    sync.Mutex
	plans map[domain.PlanID]*foundOwners
}

type foundOwners struct {
	mu      sync.Mutex
	through eventstore.Position
	owners  []domain.MemberID
}

func (i *invitations) owners(ctx context.Context, store eventstore.Store, planID domain.PlanID) ([]domain.MemberID, error) {
	i.mu.Lock()
	found := i.plans[planID]
	if found == nil {
		found = &foundOwners{}
		i.plans[planID] = found
	}
	i.mu.Unlock()
	found.mu.Lock()
	defer found.mu.Unlock()
	filter := eventstore.Filter{Plan: string(planID), Types: []string{"MemberInvited"}}
	for page, err := range store.Follow(ctx, found.through, filter) {
		if err != nil {
			return nil, fmt.Errorf("look for the owners of %s: %w", planID, err)
		}
		for _, recorded := range page.Events {
			event, _, err := decode[member.Event](member.Events, recorded)
			if err != nil {
				return nil, err
			}
			if invited, ok := event.(member.MemberInvited); ok && invited.AccessRole == member.Owner {
				found.owners = append(found.owners, invited.Member)
			}
		}
		found.through = page.Through
		if page.Live {
			break
		}
	}
	return slices.Clone(found.owners), nil
}
