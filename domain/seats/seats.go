// Package seats decides about what a plan has only so many of: owners, of whom there is always one, and licences for
// content access. One stream for the plan, since both are counted. It alone tells who holds a seat; the member's own
// stream tells whether they are active. Stream: seats-<plan>.plan.
package seats

import (
	"slices"

	"rolewise/domain"
	"rolewise/domain/immutable"
)

// Category is the first part of the stream's name.
const Category = "seats"

// Events of the seats.
type (
	Event interface{ seats() }

	OwnerGranted struct {
		Member domain.MemberID `json:"member"`
	}
	OwnerWithdrawn struct {
		Member domain.MemberID `json:"member"`
	}
	ContentAccessGranted struct {
		Member domain.MemberID `json:"member"`
	}
	ContentAccessWithdrawn struct {
		Member domain.MemberID `json:"member"`
	}
	// MemberSeatsClosed takes a member's seats away before they are deactivated or removed. Events is how many events the
	// member's stream had when that was decided: until it has more, nobody knows what comes of it, and no seat is given.
	MemberSeatsClosed struct {
		Member domain.MemberID `json:"member"`
		Events int             `json:"events"`
	}
)

func (OwnerGranted) seats()           {}
func (OwnerWithdrawn) seats()         {}
func (ContentAccessGranted) seats()   {}
func (ContentAccessWithdrawn) seats() {}
func (MemberSeatsClosed) seats()      {}

// Events lists the event types of the seats.
var Events = domain.NewCatalog(
	domain.Type[OwnerGranted]("OwnerGranted"),
	domain.Type[OwnerWithdrawn]("OwnerWithdrawn"),
	domain.Type[ContentAccessGranted]("ContentAccessGranted"),
	domain.Type[ContentAccessWithdrawn]("ContentAccessWithdrawn"),
	domain.Type[MemberSeatsClosed]("MemberSeatsClosed"),
)

// Commands to the seats. The rest are facts: a member's stream has Events events by which they are Active; Invited are
// members who came into the plan as owners, by their invitation; Licences is how many the plan has.
type (
	Command interface{ command() }

	GrantOwner struct {
		Member domain.MemberID
		Active bool
		Events int
	}
	// ConfirmOwner tells the seats of an owner by invitation, if they have not heard of the member yet.
	ConfirmOwner  struct{ Member domain.MemberID }
	WithdrawOwner struct {
		Member  domain.MemberID
		Invited []domain.MemberID
	}
	GrantAccess struct {
		Member   domain.MemberID
		Active   bool
		Events   int
		Licences int
	}
	WithdrawAccess struct{ Member domain.MemberID }
	Close          struct {
		Member  domain.MemberID
		Events  int
		Invited []domain.MemberID
	}
)

func (GrantOwner) command()     {}
func (ConfirmOwner) command()   {}
func (WithdrawOwner) command()  {}
func (GrantAccess) command()    {}
func (WithdrawAccess) command() {}
func (Close) command()          {}

// State is who holds which seat.
type State struct {
	Owners   immutable.Map[domain.MemberID, bool] // false: was one, or was closed; absent: the invitation tells
	Known    int                                  // owners among them
	Licensed immutable.Map[domain.MemberID, bool]
	Closed   immutable.Map[domain.MemberID, int]
}

// Owner tells whether a member is an owner. Whoever was invited as one is, until the seats say otherwise: the plan's
// first owner, and all who were invited before there were seats.
func (s State) Owner(id domain.MemberID, invited bool) bool {
	owner, told := s.Owners.Get(id)
	return told && owner || !told && invited
}

// Access tells whether a member has a licence for content access.
func (s State) Access(id domain.MemberID) bool { return s.Licensed.Has(id) }

// Held returns how many licences are granted.
func (s State) Held() int { return s.Licensed.Len() }

// Leaving tells whether a member with so many events may be about to be deactivated or removed.
func (s State) Leaving(id domain.MemberID, events int) bool {
	closed, ok := s.Closed.Get(id)
	return ok && events <= closed
}

// AnotherOwner tells whether somebody besides a member is an owner, by the seats or else by their invitation.
func (s State) AnotherOwner(than domain.MemberID, invited []domain.MemberID) bool {
	others := s.Known
	if s.Owner(than, false) {
		others--
	}
	for _, id := range invited {
		if id != than && !s.Owners.Has(id) {
			others++
		}
	}
	return others > 0
}

// Decider holds the rules of seats (SPEC ACC-1, ACC-3).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case GrantOwner:
		if err := s.admits(c.Member, c.Active, c.Events); err != nil {
			return nil, err
		}
		if s.Owner(c.Member, false) {
			return nil, nil
		}
		return []Event{OwnerGranted{c.Member}}, nil
	case ConfirmOwner:
		if s.Owners.Has(c.Member) {
			return nil, nil
		}
		return []Event{OwnerGranted(c)}, nil
	case WithdrawOwner:
		switch {
		case !s.Owner(c.Member, slices.Contains(c.Invited, c.Member)):
			return nil, nil
		case !s.AnotherOwner(c.Member, c.Invited):
			return nil, lastOwner()
		}
		return []Event{OwnerWithdrawn{c.Member}}, nil
	case GrantAccess:
		if err := s.admits(c.Member, c.Active, c.Events); err != nil {
			return nil, err
		}
		switch {
		case s.Access(c.Member):
			return nil, nil
		case s.Held() >= c.Licences:
			return nil, domain.Conflictf("no_licence_left", "all licences of the plan are granted; withdraw one first").At("/member")
		}
		return []Event{ContentAccessGranted{c.Member}}, nil
	case WithdrawAccess:
		if !s.Access(c.Member) {
			return nil, nil
		}
		return []Event{ContentAccessWithdrawn(c)}, nil
	case Close:
		switch {
		case s.Leaving(c.Member, c.Events) && !s.Owner(c.Member, false) && !s.Access(c.Member):
			return nil, nil
		case s.Owner(c.Member, slices.Contains(c.Invited, c.Member)) && !s.AnotherOwner(c.Member, c.Invited):
			return nil, lastOwner()
		}
		return []Event{MemberSeatsClosed{c.Member, c.Events}}, nil
	}
	return nil, nil
}

// admits refuses a seat to who cannot use it.
func (s State) admits(id domain.MemberID, active bool, events int) error {
	switch {
	case !active:
		return domain.Conflictf("member_inactive", "the member is deactivated").At("/member")
	case s.Leaving(id, events):
		return domain.Conflictf("member_leaving", "the member is being deactivated or removed at this moment").At("/member")
	}
	return nil
}

func lastOwner() error {
	return domain.Conflictf("last_owner", "the plan's last owner stays: make another member owner first").At("/member")
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case OwnerGranted:
		return s.own(e.Member, true)
	case OwnerWithdrawn:
		return s.own(e.Member, false)
	case ContentAccessGranted:
		s.Licensed = s.Licensed.With(e.Member, true)
	case ContentAccessWithdrawn:
		s.Licensed = s.Licensed.Without(e.Member)
	case MemberSeatsClosed:
		s = s.own(e.Member, false)
		s.Licensed = s.Licensed.Without(e.Member)
		s.Closed = s.Closed.With(e.Member, e.Events)
	}
	return s
}

func (s State) own(id domain.MemberID, owner bool) State {
	if s.Owner(id, false) {
		s.Known--
	}
	if owner {
		s.Known++
	}
	s.Owners = s.Owners.With(id, owner)
	return s
}
