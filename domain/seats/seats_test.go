package seats_test

import (
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/seats"
)

const (
	ada = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900001")
	bob = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900002")
	cyd = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900003")
)

type test = decidertest.Case[seats.Command, seats.Event]

func owners(ids ...domain.MemberID) (events []seats.Event) {
	for _, id := range ids {
		events = append(events, seats.OwnerGranted{Member: id})
	}
	return events
}

func licensed(ids ...domain.MemberID) (events []seats.Event) {
	for _, id := range ids {
		events = append(events, seats.ContentAccessGranted{Member: id})
	}
	return events
}

func invited(ids ...domain.MemberID) []domain.MemberID { return ids }

func closed(id domain.MemberID, events int) seats.Event {
	return seats.MemberSeatsClosed{Member: id, Events: events}
}

func given(parts ...[]seats.Event) (all []seats.Event) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func withdrawn(ids ...domain.MemberID) (events []seats.Event) {
	for _, id := range ids {
		events = append(events, seats.OwnerWithdrawn{Member: id})
	}
	return events
}

func TestOwners(t *testing.T) {
	last := decidertest.Conflict("last_owner", "/member")
	grant := seats.GrantOwner{Member: ada, Active: true, Events: 3}
	decidertest.Run(t, seats.Decider, []test{
		{Name: "ACC-1 make an owner", When: grant, Then: owners(ada)},
		{Name: "ACC-1 make an owner twice", Given: owners(ada), When: grant},
		{Name: "ACC-1 make an owner again", Given: given(owners(ada, bob), withdrawn(ada)), When: grant, Then: owners(ada)},
		{Name: "ACC-1 make a deactivated member an owner", When: seats.GrantOwner{Member: ada, Events: 3}, Refused: decidertest.Conflict("member_inactive", "/member")},
		{Name: "ACC-1 make an owner of who is leaving", Given: []seats.Event{closed(ada, 3)}, When: grant, Refused: decidertest.Conflict("member_leaving", "/member")},
		{Name: "ACC-1 make an owner of who was leaving", Given: []seats.Event{closed(ada, 2)}, When: grant, Then: owners(ada)},
		{Name: "ACC-1 confirm an owner by invitation", When: seats.ConfirmOwner{Member: ada}, Then: owners(ada)},
		{Name: "ACC-1 confirm an owner who was one", Given: given(owners(ada, bob), withdrawn(ada)), When: seats.ConfirmOwner{Member: ada}},
		{Name: "ACC-1 confirm an owner who left", Given: []seats.Event{closed(ada, 1)}, When: seats.ConfirmOwner{Member: ada}},

		{Name: "ACC-1 unmake one of two owners", Given: owners(ada, bob), When: seats.WithdrawOwner{Member: ada}, Then: withdrawn(ada)},
		{Name: "ACC-1 unmake who is no owner", Given: owners(bob), When: seats.WithdrawOwner{Member: ada}},
		{Name: "ACC-1 unmake the last owner", Given: owners(ada), When: seats.WithdrawOwner{Member: ada}, Refused: last},
		{Name: "ACC-1 unmake the last owner after another was unmade", Given: given(owners(ada, bob), withdrawn(bob)), When: seats.WithdrawOwner{Member: ada}, Refused: last},
		{Name: "ACC-1 unmake the last owner after another left", Given: given(owners(ada, bob), []seats.Event{closed(bob, 1)}), When: seats.WithdrawOwner{Member: ada}, Refused: last},
		{Name: "ACC-1 unmake the last owner, made twice", Given: owners(ada, ada), When: seats.WithdrawOwner{Member: ada}, Refused: last},
		{
			Name: "ACC-1 unmake the last owner after the other was unmade twice", Given: given(owners(ada, bob), withdrawn(bob, bob)),
			When: seats.WithdrawOwner{Member: ada}, Refused: last,
		},
		{Name: "ACC-1 unmake an owner beside one by invitation", Given: owners(ada), When: seats.WithdrawOwner{Member: ada, Invited: invited(bob)}, Then: withdrawn(ada)},
		{
			Name: "ACC-1 unmake the last owner beside one who was an owner by invitation", Given: given(owners(ada), withdrawn(bob)),
			When: seats.WithdrawOwner{Member: ada, Invited: invited(bob)}, Refused: last,
		},
		{Name: "ACC-1 unmake an owner by invitation", Given: owners(bob), When: seats.WithdrawOwner{Member: ada, Invited: invited(ada)}, Then: withdrawn(ada)},
		{Name: "ACC-1 unmake the last owner, by invitation", When: seats.WithdrawOwner{Member: ada, Invited: invited(ada)}, Refused: last},
		{Name: "ACC-1 unmake an owner by invitation twice", Given: given(owners(bob), withdrawn(ada)), When: seats.WithdrawOwner{Member: ada, Invited: invited(ada)}},
	})
}

func TestContentAccess(t *testing.T) {
	grant := seats.GrantAccess{Member: ada, Active: true, Events: 3, Licences: 2}
	decidertest.Run(t, seats.Decider, []test{
		{Name: "ACC-3 grant content access", Given: licensed(bob), When: grant, Then: licensed(ada)},
		{Name: "ACC-3 grant content access twice", Given: licensed(ada, bob), When: grant},
		{Name: "ACC-3 grant more than there is", Given: licensed(bob, cyd), When: grant, Refused: decidertest.Conflict("no_licence_left", "/member")},
		{Name: "ACC-3 grant where more are granted than the plan has by now", Given: licensed(bob, cyd), When: seats.GrantAccess{Member: ada, Active: true, Events: 3}, Refused: decidertest.Conflict("no_licence_left", "/member")},
		{Name: "ACC-3 grant what another gave back", Given: given(licensed(bob, cyd), []seats.Event{seats.ContentAccessWithdrawn{Member: cyd}}), When: grant, Then: licensed(ada)},
		{Name: "ACC-3 grant what one who left had", Given: given(licensed(bob, cyd), []seats.Event{closed(cyd, 1)}), When: grant, Then: licensed(ada)},
		{Name: "ACC-3 managing needs no licence", Given: licensed(bob, cyd), When: seats.GrantOwner{Member: ada, Active: true, Events: 3}, Then: owners(ada)},
		{Name: "ACC-3 grant content access to a deactivated member", When: seats.GrantAccess{Member: ada, Events: 3, Licences: 2}, Refused: decidertest.Conflict("member_inactive", "/member")},
		{Name: "ACC-3 grant content access to who is leaving", Given: []seats.Event{closed(ada, 3)}, When: grant, Refused: decidertest.Conflict("member_leaving", "/member")},
		{Name: "ACC-3 withdraw content access", Given: licensed(ada), When: seats.WithdrawAccess{Member: ada}, Then: []seats.Event{seats.ContentAccessWithdrawn{Member: ada}}},
		{Name: "ACC-3 withdraw content access from who has none", Given: licensed(bob), When: seats.WithdrawAccess{Member: ada}},
	})
}

func TestClose(t *testing.T) {
	last := decidertest.Conflict("last_owner", "/member")
	decidertest.Run(t, seats.Decider, []test{
		{Name: "MEM-2 close for a member without seats", When: seats.Close{Member: ada, Events: 3}, Then: []seats.Event{closed(ada, 3)}},
		{Name: "MEM-2 close again for the same", Given: []seats.Event{closed(ada, 3)}, When: seats.Close{Member: ada, Events: 3}},
		{Name: "MEM-2 close again after the member changed", Given: []seats.Event{closed(ada, 3)}, When: seats.Close{Member: ada, Events: 4}, Then: []seats.Event{closed(ada, 4)}},
		{Name: "MEM-2 close for an owner beside another", Given: owners(ada, bob), When: seats.Close{Member: ada, Events: 3}, Then: []seats.Event{closed(ada, 3)}},
		{Name: "MEM-2 close for an owner beside one by invitation", Given: owners(ada), When: seats.Close{Member: ada, Events: 3, Invited: invited(bob)}, Then: []seats.Event{closed(ada, 3)}},
		{Name: "MEM-2 close for the last owner", Given: owners(ada), When: seats.Close{Member: ada, Events: 3}, Refused: last},
		{Name: "MEM-2 close for the last owner, by invitation", When: seats.Close{Member: ada, Events: 3, Invited: invited(ada)}, Refused: last},
		{
			Name: "MEM-2 close again for who became an owner since", Given: given([]seats.Event{closed(ada, 3)}, owners(ada, bob)),
			When: seats.Close{Member: ada, Events: 3}, Then: []seats.Event{closed(ada, 3)},
		},
		{
			Name: "MEM-2 close again for who got content access since", Given: given([]seats.Event{closed(ada, 3)}, licensed(ada)),
			When: seats.Close{Member: ada, Events: 3}, Then: []seats.Event{closed(ada, 3)},
		},
	})
}

func TestState(t *testing.T) {
	s := seats.Decider.Fold(given(owners(ada, bob), withdrawn(bob), licensed(ada, cyd))...)
	for _, tt := range []struct {
		name      string
		got, want bool
	}{
		{"ACC-1 an owner", s.Owner(ada, false), true},
		{"ACC-1 who was one", s.Owner(bob, true), false},
		{"ACC-1 one by invitation", s.Owner(cyd, true), true},
		{"ACC-1 another", s.Owner(cyd, false), false},
		{"ACC-3 who has content access", s.Access(cyd), true},
		{"ACC-3 who has none", s.Access(bob), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Error(tt.got)
			}
		})
	}
	if s.Held() != 2 {
		t.Errorf("ACC-3 %d licences held", s.Held())
	}
}
