package commands

import (
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/command"
	"rolewise/domain/member"
	"rolewise/eventstore"
)

// InviteMember invites a person into the plan.
type InviteMember struct {
	Member     domain.MemberID   `json:"member,omitempty" doc:"Id of the new member; one is made if it is left out."`
	Name       string            `json:"name"`
	Email      string            `json:"email" doc:"Primary e-mail address, unique in the plan."`
	Title      string            `json:"title,omitempty"`
	Teams      []TeamMembership  `json:"teams,omitempty"`
	AccessRole member.AccessRole `json:"access_role,omitempty" enum:"owner,admin,hr,auditor"`
}

// TeamMembership is a role in a team.
type TeamMembership struct {
	Team     domain.TeamID   `json:"team"`
	TeamRole member.TeamRole `json:"team_role" enum:"manager,stakeholder,member"`
}

func (InviteMember) About() About {
	return About{Name: "invite-member", Summary: "Invite a person into the plan.", Action: access.ManageMembers}
}

func (c InviteMember) run(w *work) (Answer, error) {
	if err := w.mayGive(c.AccessRole); err != nil {
		return Answer{}, err
	}
	id := domain.MemberID(w.newID(string(c.Member)))
	answer, err := w.invite(id, func() (member.Invite, error) {
		tree, err := w.Teams(w.ctx, w.req.Plan)
		if err == nil && tree.Has(domain.TeamID(id)) { // what is assigned is kept by holder: the two would share it
			err = domain.Conflictf("id_in_use", "a team has this id").At("/member")
		}
		invite := member.Invite{Member: id, Name: c.Name, Email: c.Email, Title: c.Title, AccessRole: c.AccessRole}
		for _, t := range c.Teams {
			invite.Teams = append(invite.Teams, member.Membership{Team: t.Team, TeamRole: t.TeamRole, TeamExists: tree.Has(t.Team)})
		}
		return invite, err
	})
	answer.ID = string(id)
	if err == nil && c.AccessRole == member.Owner && !w.req.DryRun {
		err = w.confirmOwner(id)
	}
	return answer, err
}

// invite reserves the e-mail address, then appends to the member's stream; if that is refused, the address is released.
func (w *work) invite(id domain.MemberID, build func() (member.Invite, error)) (Answer, error) {
	reserved := ""
	answer, err := decide(w, members, string(id), func(s member.State) (member.Command, error) {
		invite, err := build()
		if err != nil {
			return nil, err
		}
		if _, err := member.Decider.Decide(s, invite); err != nil { // before an address is reserved in vain
			return nil, err
		}
		if err := w.emailFree(invite.Email, id); err != nil || w.req.DryRun {
			return invite, err
		}
		// Claimed before the address is reserved: of two requests under one key the second would find it taken.
		if err := w.claimMember(id); err != nil {
			return nil, err
		}
		reserved = invite.Email
		return invite, w.reserveEmail(invite.Email, id, s.Events)
	})
	if domain.CodeOf(err) != "member_exists" {
		return answer, err
	}
	if reserved != "" {
		if err := w.releaseEmail(reserved, id); err != nil {
			return Answer{}, err
		}
	}
	return Answer{}, w.abandoned(id, err)
}

// claimMember claims the key of a command before it writes beside the member's stream.
func (w *work) claimMember(id domain.MemberID) error {
	return w.claimFor(eventstore.StreamID{Category: member.Category, Plan: string(w.req.Plan), ID: string(id)})
}

// abandoned says what became of an invitation whose stream was closed in favour of another (see settle). An id that
// was made for it is replaced by carrying the command out anew; for one that the caller chose there is a refusal.
func (w *work) abandoned(id domain.MemberID, refused error) error {
	state, err := w.Member(w.ctx, w.req.Plan, id)
	switch {
	case err != nil:
		return err
	case !state.Abandoned:
		return refused
	case w.several || w.created != string(id) && (w.claim == nil || string(w.claim.NewID) != string(id)):
		return domain.Conflictf("invitation_abandoned", "an invitation under this id was given up, as another used its e-mail address; choose another id").At("/member")
	case w.claim != nil:
		if err := w.note(command.CommandReleased{}); err != nil {
			return err
		}
	}
	return errClaimed
}

// AcceptInvitation ends the invitation: the member is there.
type AcceptInvitation struct {
	Member domain.MemberID `json:"member,omitempty" doc:"Left out: the member that the key acts for."`
}

func (AcceptInvitation) About() About {
	return About{Name: "accept-invitation", Summary: "Accept an invitation into the plan.", Action: access.LearnRole}
}

func (c AcceptInvitation) run(w *work) (Answer, error) {
	id, err := w.actingFor(c.Member)
	if err != nil {
		return Answer{}, err
	}
	return w.decideMember(id, func() (member.Command, error) { return member.Accept{Member: id}, nil })
}

// AddTeamMember puts a member into a team; the team's roles come with it (SPEC ASG-2).
type AddTeamMember struct {
	Team     domain.TeamID   `json:"team"`
	Member   domain.MemberID `json:"member"`
	TeamRole member.TeamRole `json:"team_role" enum:"manager,stakeholder,member"`
}

func (AddTeamMember) About() About {
	return About{Name: "add-team-member", Summary: "Put a member into a team.", Action: access.ManageTeams}
}

func (c AddTeamMember) run(w *work) (Answer, error) {
	return w.decideMember(c.Member, func() (member.Command, error) {
		tree, err := w.Teams(w.ctx, w.req.Plan)
		return member.Join{Member: c.Member, Membership: member.Membership{Team: c.Team, TeamRole: c.TeamRole, TeamExists: tree.Has(c.Team)}}, err
	})
}

// ChangeTeamRole changes what a member is in a team.
type ChangeTeamRole struct {
	Team     domain.TeamID   `json:"team"`
	Member   domain.MemberID `json:"member"`
	TeamRole member.TeamRole `json:"team_role" enum:"manager,stakeholder,member"`
}

func (ChangeTeamRole) About() About {
	return About{Name: "change-team-role", Summary: "Change a member's role in a team.", Action: access.ManageTeams}
}

func (c ChangeTeamRole) run(w *work) (Answer, error) {
	return w.decideMember(c.Member, func() (member.Command, error) {
		return member.ChangeTeamRole{Member: c.Member, Team: c.Team, TeamRole: c.TeamRole}, w.teamExists(c.Team)
	})
}

// RemoveTeamMember takes a member out of a team and ends the paths that came with it.
type RemoveTeamMember struct {
	Team   domain.TeamID   `json:"team"`
	Member domain.MemberID `json:"member"`
}

func (RemoveTeamMember) About() About {
	return About{Name: "remove-team-member", Summary: "Take a member out of a team.", Action: access.ManageTeams}
}

func (c RemoveTeamMember) run(w *work) (Answer, error) {
	return w.decideMember(c.Member, func() (member.Command, error) {
		return member.Leave{Member: c.Member, Team: c.Team}, w.teamExists(c.Team)
	})
}

func (w *work) teamExists(id domain.TeamID) error {
	tree, err := w.Teams(w.ctx, w.req.Plan)
	if err == nil && !tree.Has(id) {
		return domain.Missing("team").At("/team")
	}
	return err
}

func (w *work) decideMember(id domain.MemberID, build func() (member.Command, error)) (Answer, error) {
	return decide(w, members, string(id), func(s member.State) (member.Command, error) {
		if !s.Present() {
			return nil, domain.Missing("member").At("/member")
		}
		return build()
	})
}

// actingFor returns the member that a member's own command is about: the caller's, or another on whose behalf the key
// may act.
func (w *work) actingFor(given domain.MemberID) (domain.MemberID, error) {
	own := w.req.Principal.Member
	if given == "" {
		if own == "" {
			return "", domain.Invalidf("/member", "required", "must be given, since the key acts for no member")
		}
		return own, nil
	}
	if given != own {
		if err := w.req.Principal.May(access.ActForMember, w.req.Plan); err != nil {
			return "", err
		}
	}
	return given, nil
}
