package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/seats"
	"rolewise/eventstore"
)

// ChangeMemberProfile changes what is given of a member's profile.
type ChangeMemberProfile struct {
	Member     domain.MemberID  `json:"member"`
	Name       *string          `json:"name,omitempty"`
	Email      *string          `json:"email,omitempty" doc:"Primary e-mail address, unique in the plan."`
	Title      *string          `json:"title,omitempty" doc:"Empty: none, as with the fields that follow."`
	Location   *string          `json:"location,omitempty"`
	Department *string          `json:"department,omitempty"`
	Manager    *domain.MemberID `json:"manager,omitempty" doc:"To whom the member reports."`
}

func (ChangeMemberProfile) About() About {
	return About{Name: "change-member-profile", Summary: "Change a member's profile.", Action: access.ManageMembers}
}

// run reserves a new address before the member's stream says that it is theirs, and releases the old one after that.
func (c ChangeMemberProfile) run(w *work) (Answer, error) {
	answer, err := decide(w, members, string(c.Member), func(s member.State) (member.Command, error) {
		change := member.ChangeProfile{
			Member: c.Member, Name: c.Name, Email: c.Email, Title: c.Title, Location: c.Location, Department: c.Department, Manager: c.Manager,
		}
		if c.Manager != nil {
			exists, err := w.memberExists(*c.Manager)
			if err != nil {
				return nil, err
			}
			change.ManagerExists = exists
		}
		if _, err := member.Decider.Decide(s, change); err != nil || c.Email == nil || uses(s, *c.Email) {
			return change, err
		}
		if err := w.emailFree(*c.Email, c.Member); err != nil || w.req.DryRun {
			return change, err
		}
		if err := w.claimMember(c.Member); err != nil {
			return nil, err
		}
		return change, w.reserveEmail(*c.Email, c.Member, s.Events)
	})
	if err != nil || c.Email == nil || w.req.DryRun {
		return answer, err
	}
	state, err := w.Member(w.ctx, w.req.Plan, c.Member)
	if err == nil && state.FormerEmail != "" {
		err = w.releaseEmail(state.FormerEmail, c.Member)
	}
	return answer, err
}

// DeactivateMember suspends a member: nobody signs in as them, and they are given nothing, until they are reactivated.
type DeactivateMember struct {
	Member domain.MemberID `json:"member"`
}

func (DeactivateMember) About() About {
	return About{Name: "deactivate-member", Summary: "Suspend a member; their content access, and being an owner, end.", Action: access.ManageMembers}
}

func (c DeactivateMember) run(w *work) (Answer, error) {
	return w.unseat(c.Member, member.Deactivate(c))
}

// ReactivateMember ends the suspension. Content access, and being an owner, have to be granted anew.
type ReactivateMember struct {
	Member domain.MemberID `json:"member"`
}

func (ReactivateMember) About() About {
	return About{Name: "reactivate-member", Summary: "End a member's suspension.", Action: access.ManageMembers}
}

func (c ReactivateMember) run(w *work) (Answer, error) {
	return w.decideMember(c.Member, func() (member.Command, error) { return member.Reactivate(c), nil })
}

// RemoveMember takes a member out of the plan for good. Their history stays (SPEC MEM-2); their e-mail address can be
// given to another.
type RemoveMember struct {
	Member domain.MemberID `json:"member"`
}

func (RemoveMember) About() About {
	return About{Name: "remove-member", Summary: "Take a member out of the plan for good; the history stays.", Action: access.ManageMembers}
}

func (c RemoveMember) run(w *work) (Answer, error) {
	answer, err := w.unseat(c.Member, member.Remove(c))
	if err != nil || w.req.DryRun {
		return answer, err
	}
	state, err := w.Member(w.ctx, w.req.Plan, c.Member)
	if err != nil {
		return Answer{}, err
	}
	return answer, w.releaseEmail(state.Email, c.Member)
}

// unseat takes a member's seats away and then carries out what ends, or suspends, the membership. Each time that is
// decided the seats are closed anew for the member's stream as it is then (docs/adr/0018).
func (w *work) unseat(id domain.MemberID, c member.Command) (Answer, error) {
	return decide(w, members, string(id), func(s member.State) (member.Command, error) {
		if events, err := member.Decider.Decide(s, c); err != nil || len(events) == 0 {
			return c, err
		}
		held, err := w.Seats(w.ctx, w.req.Plan)
		if err != nil {
			return nil, err
		}
		if held.Owner(id, s.InvitedOwner) {
			if err := w.req.Principal.May(access.ManageOwners, w.req.Plan); err != nil {
				return nil, err
			}
		}
		if !w.req.DryRun {
			if err := w.claimMember(id); err != nil {
				return nil, err
			}
		}
		_, err = w.side().decideOwners(func(_ seats.State, invited []domain.MemberID) (seats.Command, error) {
			if s.InvitedOwner {
				invited = append(invited, id)
			}
			return seats.Close{Member: id, Events: s.Events, Invited: invited}, nil
		})
		return c, err
	})
}

// GrantAccessRole gives a member an access role. Owner is held beside the others, of which a member has one.
type GrantAccessRole struct {
	Member     domain.MemberID   `json:"member"`
	AccessRole member.AccessRole `json:"access_role" enum:"owner,admin,hr,auditor" doc:"admin, hr and auditor replace each other; owner stands above them."`
}

func (GrantAccessRole) About() About {
	return About{Name: "grant-access-role", Summary: "Give a member an access role.", Action: access.ManagePlan}
}

func (c GrantAccessRole) run(w *work) (Answer, error) {
	if err := w.mayGive(c.AccessRole); err != nil {
		return Answer{}, err
	}
	if c.AccessRole != member.Owner {
		return w.decideMember(c.Member, func() (member.Command, error) { return member.GrantRole(c), nil })
	}
	return w.seat(c.Member, func(s member.State) (seats.Command, error) {
		return seats.GrantOwner{Member: c.Member, Active: s.Active(), Events: s.Events}, nil
	})
}

// WithdrawAccessRole takes an access role from a member. Another that they have stays.
type WithdrawAccessRole struct {
	Member     domain.MemberID   `json:"member"`
	AccessRole member.AccessRole `json:"access_role" enum:"owner,admin,hr,auditor"`
}

func (WithdrawAccessRole) About() About {
	return About{Name: "withdraw-access-role", Summary: "Take an access role from a member.", Action: access.ManagePlan}
}

func (c WithdrawAccessRole) run(w *work) (Answer, error) {
	if err := w.mayGive(c.AccessRole); err != nil {
		return Answer{}, err
	}
	if c.AccessRole != member.Owner {
		return w.decideMember(c.Member, func() (member.Command, error) { return member.WithdrawRole(c), nil })
	}
	return w.decideOwners(func(_ seats.State, invited []domain.MemberID) (seats.Command, error) {
		state, err := w.Member(w.ctx, w.req.Plan, c.Member)
		if err == nil && !state.Present() {
			err = domain.Missing("member").At("/member")
		}
		if state.InvitedOwner {
			invited = append(invited, c.Member)
		}
		return seats.WithdrawOwner{Member: c.Member, Invited: invited}, err
	})
}

// mayGive refuses whom an access role is not to give or take: a permission on the whole plan is a setting of the plan,
// and only an owner makes and unmakes owners (SPEC ACC-1).
func (w *work) mayGive(role member.AccessRole) error {
	switch role {
	case "":
		return nil
	case member.Owner:
		return w.req.Principal.May(access.ManageOwners, w.req.Plan)
	}
	return w.req.Principal.May(access.ManagePlan, w.req.Plan)
}

// GrantContentAccess gives a member one of the plan's licences.
type GrantContentAccess struct {
	Member domain.MemberID `json:"member"`
}

func (GrantContentAccess) About() About {
	return About{Name: "grant-content-access", Summary: "Give a member one of the plan's licences for content access.", Action: access.ManageMembers}
}

func (c GrantContentAccess) run(w *work) (Answer, error) {
	return w.seat(c.Member, func(s member.State) (seats.Command, error) {
		of, err := w.Plan(w.ctx, w.req.Plan)
		return seats.GrantAccess{Member: c.Member, Active: s.Active(), Events: s.Events, Licences: of.ContentLicences()}, err
	})
}

// WithdrawContentAccess takes the licence back.
type WithdrawContentAccess struct {
	Member domain.MemberID `json:"member"`
}

func (WithdrawContentAccess) About() About {
	return About{Name: "withdraw-content-access", Summary: "Take a member's licence for content access back.", Action: access.ManageMembers}
}

func (c WithdrawContentAccess) run(w *work) (Answer, error) {
	return decide(w, chairs, eventstore.PlanWide, func(seats.State) (seats.Command, error) {
		exists, err := w.memberExists(c.Member)
		if err == nil && !exists {
			err = domain.Missing("member").At("/member")
		}
		return seats.WithdrawAccess(c), err
	})
}
