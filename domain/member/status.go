package member

import "rolewise/domain"

// Events of a member's status and access role.
type (
	// MemberDeactivated takes from the member, until they are reactivated, the right to act and to be given anything.
	MemberDeactivated struct {
		Member domain.MemberID `json:"member"`
	}
	MemberReactivated struct {
		Member domain.MemberID `json:"member"`
	}
	// MemberRemoved ends the membership for good. The history stays (SPEC MEM-2).
	MemberRemoved struct {
		Member domain.MemberID `json:"member"`
	}
	// MemberChangeAbandoned changes nothing. It makes whoever was about to change the member's address or status decide
	// anew, when another needs to know what comes of it (DESIGN rule 14).
	MemberChangeAbandoned struct {
		Member domain.MemberID `json:"member"`
	}
	AccessRoleGranted struct {
		Member     domain.MemberID `json:"member"`
		AccessRole AccessRole      `json:"access_role"`
	}
	AccessRoleWithdrawn struct {
		Member     domain.MemberID `json:"member"`
		AccessRole AccessRole      `json:"access_role"`
	}
)

// Commands about a member's status and access role. Owner is no role of theirs: see package seats.
type (
	Deactivate struct{ Member domain.MemberID }
	Reactivate struct{ Member domain.MemberID }
	Remove     struct{ Member domain.MemberID }
	// AbandonChange is for a change that was about to be decided on so many events.
	AbandonChange struct {
		Member domain.MemberID
		Events int
	}
	GrantRole struct {
		Member     domain.MemberID
		AccessRole AccessRole
	}
	WithdrawRole struct {
		Member     domain.MemberID
		AccessRole AccessRole
	}
)

func (Deactivate) command()    {}
func (Reactivate) command()    {}
func (Remove) command()        {}
func (AbandonChange) command() {}
func (GrantRole) command()     {}
func (WithdrawRole) command()  {}

// Inactive refuses what only an active member can do or be given.
func Inactive() *domain.Error {
	return domain.Conflictf("member_inactive", "the member is deactivated").At("/member")
}

// decideStatus is for a member that the plan has.
func decideStatus(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Deactivate:
		if s.Deactivated {
			return nil, nil
		}
		return []Event{MemberDeactivated(c)}, nil
	case Reactivate:
		if !s.Deactivated {
			return nil, nil
		}
		return []Event{MemberReactivated(c)}, nil
	case Remove:
		return []Event{MemberRemoved(c)}, nil
	case AbandonChange:
		if s.Events != c.Events { // it was decided: done, or no more to come
			return nil, nil
		}
		return []Event{MemberChangeAbandoned{Member: c.Member}}, nil
	case GrantRole:
		switch c.AccessRole {
		case Admin, HR, Auditor:
		default:
			return nil, unknownAccessRole()
		}
		if s.Deactivated {
			return nil, Inactive()
		}
		if s.AccessRole == c.AccessRole {
			return nil, nil
		}
		return []Event{AccessRoleGranted(c)}, nil
	case WithdrawRole:
		if err := CheckAccessRole(c.AccessRole); err != nil {
			return nil, err
		}
		if s.AccessRole != c.AccessRole || c.AccessRole == Owner {
			return nil, nil
		}
		return []Event{AccessRoleWithdrawn(c)}, nil
	}
	return nil, nil
}

// CheckAccessRole refuses what is no access role.
func CheckAccessRole(r AccessRole) error {
	switch r {
	case Owner, Admin, HR, Auditor:
		return nil
	}
	return unknownAccessRole()
}

func unknownAccessRole() error {
	return domain.Invalidf("/access_role", "unknown_access_role", "must be owner, admin, hr or auditor")
}
