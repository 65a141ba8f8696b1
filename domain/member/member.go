// Package member decides about a person in a plan: profile, status, access role, and their roles in teams.
// Stream: member-<plan>.<member>.
package member

import (
	"maps"
	"strings"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "member"

// AccessRole is a plan-wide permission; empty is none.
type AccessRole string

// TeamRole is a permission on one team.
type TeamRole string

const (
	Owner   AccessRole = "owner"
	Admin   AccessRole = "admin"
	HR      AccessRole = "hr"
	Auditor AccessRole = "auditor"

	Manager     TeamRole = "manager"
	Stakeholder TeamRole = "stakeholder"
	Plain       TeamRole = "member"
)

// Events of a member.
type (
	Event interface{ member() }

	MemberInvited struct {
		Member     domain.MemberID `json:"member"`
		Name       string          `json:"name" personal:"member"`
		Email      string          `json:"email" personal:"member"`
		Title      string          `json:"title,omitempty" personal:"member"`
		AccessRole AccessRole      `json:"access_role,omitempty"`
	}
	// MemberInvitationAbandoned closes the stream of a member that never came to be, so that whoever was about to
	// invite under that id fails, and the e-mail address it had reserved can be given away (DESIGN rule 14).
	MemberInvitationAbandoned struct {
		Member domain.MemberID `json:"member"`
	}
	InvitationAccepted struct {
		Member domain.MemberID `json:"member"`
	}
	TeamMemberAdded struct {
		Member   domain.MemberID `json:"member"`
		Team     domain.TeamID   `json:"team"`
		TeamRole TeamRole        `json:"team_role"`
	}
	TeamRoleChanged struct {
		Member   domain.MemberID `json:"member"`
		Team     domain.TeamID   `json:"team"`
		TeamRole TeamRole        `json:"team_role"`
	}
	TeamMemberRemoved struct {
		Member domain.MemberID `json:"member"`
		Team   domain.TeamID   `json:"team"`
	}
)

func (MemberInvited) member()             {}
func (MemberInvitationAbandoned) member() {}
func (InvitationAccepted) member()        {}
func (TeamMemberAdded) member()           {}
func (TeamRoleChanged) member()           {}
func (TeamMemberRemoved) member()         {}
func (MemberProfileChanged) member()      {}
func (MemberEmailChanged) member()        {}
func (MemberChangeAbandoned) member()     {}
func (MemberDeactivated) member()         {}
func (MemberReactivated) member()         {}
func (MemberRemoved) member()             {}
func (AccessRoleGranted) member()         {}
func (AccessRoleWithdrawn) member()       {}

// Events lists the event types of a member.
var Events = domain.NewCatalog(
	domain.Type[MemberInvited]("MemberInvited"),
	domain.Type[MemberInvitationAbandoned]("MemberInvitationAbandoned"),
	domain.Type[InvitationAccepted]("InvitationAccepted"),
	domain.Type[TeamMemberAdded]("TeamMemberAdded"),
	domain.Type[TeamRoleChanged]("TeamRoleChanged"),
	domain.Type[TeamMemberRemoved]("TeamMemberRemoved"),
	domain.Type[MemberProfileChanged]("MemberProfileChanged"),
	domain.Type[MemberEmailChanged]("MemberEmailChanged"),
	domain.Type[MemberChangeAbandoned]("MemberChangeAbandoned"),
	domain.Type[MemberDeactivated]("MemberDeactivated"),
	domain.Type[MemberReactivated]("MemberReactivated"),
	domain.Type[MemberRemoved]("MemberRemoved"),
	domain.Type[AccessRoleGranted]("AccessRoleGranted"),
	domain.Type[AccessRoleWithdrawn]("AccessRoleWithdrawn"),
)

// Membership is a role in a team; TeamExists is the fact that the plan has that team.
type Membership struct {
	Team       domain.TeamID
	TeamRole   TeamRole
	TeamExists bool
}

// Commands to a member.
type (
	Command interface{ command() }

	Invite struct {
		Member     domain.MemberID
		Name       string
		Email      string
		Title      string
		AccessRole AccessRole
		Teams      []Membership
	}
	Abandon struct{ Member domain.MemberID }
	Accept  struct{ Member domain.MemberID }
	Join    struct {
		Member     domain.MemberID
		Membership Membership
	}
	ChangeTeamRole struct {
		Member   domain.MemberID
		Team     domain.TeamID
		TeamRole TeamRole
	}
	Leave struct {
		Member domain.MemberID
		Team   domain.TeamID
	}
)

func (Invite) command()         {}
func (Abandon) command()        {}
func (Accept) command()         {}
func (Join) command()           {}
func (ChangeTeamRole) command() {}
func (Leave) command()          {}

// State is what later decisions need of a member.
type State struct {
	Events       int // of the stream so far: two decisions on the same number exclude each other
	Exists       bool
	Abandoned    bool
	Accepted     bool
	Deactivated  bool
	Removed      bool // for good; implies Exists
	Profile      Profile
	Email        string
	FormerEmail  string     // before the last change of it
	AccessRole   AccessRole // besides Owner: about that the plan's seats decide; an invitation alone may say it here
	InvitedOwner bool
	Teams        map[domain.TeamID]TeamRole
}

// Present tells whether the plan has the member, deactivated or not.
func (s State) Present() bool { return s.Exists && !s.Removed }

// Active tells whether the member may act, and be given things to do.
func (s State) Active() bool { return s.Present() && !s.Deactivated }

// Decider holds the rules of a member (SPEC MEM-1, MEM-2, ACC-2).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Invite:
		return decideInvite(s, c)
	case Abandon:
		switch {
		case s.Exists:
			return nil, domain.Conflictf("member_exists", "the member came to be")
		case s.Abandoned:
			return nil, nil
		}
		return []Event{MemberInvitationAbandoned(c)}, nil
	case Remove:
		if s.Removed {
			return nil, nil
		}
	}
	if !s.Present() {
		return nil, domain.Missing("member").At("/member")
	}
	switch c := c.(type) {
	case Accept:
		switch {
		case s.Deactivated:
			return nil, Inactive()
		case s.Accepted:
			return nil, nil
		}
		return []Event{InvitationAccepted(c)}, nil
	case ChangeProfile:
		return decideProfile(s, c)
	case Deactivate, Reactivate, Remove, GrantRole, WithdrawRole, AbandonChange:
		return decideStatus(s, c)
	case Join:
		return decideJoin(s, c)
	case ChangeTeamRole:
		if err := checkTeamRole("/team_role", c.TeamRole); err != nil {
			return nil, err
		}
		current, in := s.Teams[c.Team]
		if !in {
			return nil, domain.Conflictf("not_in_team", "the member is not in this team").At("/member")
		}
		if current == c.TeamRole {
			return nil, nil
		}
		return []Event{TeamRoleChanged(c)}, nil
	case Leave:
		if _, in := s.Teams[c.Team]; !in {
			return nil, nil
		}
		return []Event{TeamMemberRemoved(c)}, nil
	}
	return nil, nil
}

func decideInvite(s State, c Invite) ([]Event, error) {
	if s.Exists || s.Abandoned {
		return nil, domain.Conflictf("member_exists", "there is a member of this id already").At("/member")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	events := []Event{MemberInvited{Member: c.Member, Name: c.Name, Email: c.Email, Title: c.Title, AccessRole: c.AccessRole}}
	seen := map[domain.TeamID]bool{}
	for i, m := range c.Teams {
		at := func(name string) string { return domain.ItemField("/teams", i, name) }
		if err := m.check(at("team"), at("team_role")); err != nil {
			return nil, err
		}
		if seen[m.Team] {
			return nil, domain.Invalidf(at("team"), "duplicate_team", "the team is named twice")
		}
		seen[m.Team] = true
		events = append(events, TeamMemberAdded{Member: c.Member, Team: m.Team, TeamRole: m.TeamRole})
	}
	return events, nil
}

func decideJoin(s State, c Join) ([]Event, error) {
	if err := c.Membership.check("/team", "/team_role"); err != nil {
		return nil, err
	}
	current, in := s.Teams[c.Membership.Team]
	switch {
	case in && current == c.Membership.TeamRole:
		return nil, nil
	case in:
		return nil, domain.Conflictf("already_in_team", "the member is in this team in another team role; change-team-role changes it").At("/team")
	}
	return []Event{TeamMemberAdded{Member: c.Member, Team: c.Membership.Team, TeamRole: c.Membership.TeamRole}}, nil
}

func evolve(s State, e Event) State {
	s.Events++
	switch e := e.(type) {
	case MemberInvited:
		s.Exists, s.Email, s.AccessRole = true, e.Email, e.AccessRole
		s.InvitedOwner = e.AccessRole == Owner
		s.Profile = Profile{Name: e.Name, Title: e.Title}
	case MemberInvitationAbandoned:
		s.Abandoned = true
	case InvitationAccepted:
		s.Accepted = true
	case TeamMemberAdded:
		s.Teams = with(s.Teams, e.Team, e.TeamRole)
	case TeamRoleChanged:
		s.Teams = with(s.Teams, e.Team, e.TeamRole)
	case TeamMemberRemoved:
		s.Teams = maps.Clone(s.Teams)
		delete(s.Teams, e.Team)
	case MemberProfileChanged:
		s.Profile = Profile{e.Name, e.Title, e.Location, e.Department, e.Manager}
	case MemberEmailChanged:
		s.Email, s.FormerEmail = e.Email, s.Email
	case MemberDeactivated:
		s.Deactivated = true
	case MemberReactivated:
		s.Deactivated = false
	case MemberRemoved:
		s.Removed = true
	case AccessRoleGranted:
		s.AccessRole = e.AccessRole
	case AccessRoleWithdrawn:
		s.AccessRole = ""
	}
	return s
}

func with(teams map[domain.TeamID]TeamRole, team domain.TeamID, role TeamRole) map[domain.TeamID]TeamRole {
	next := maps.Clone(teams)
	if next == nil {
		next = map[domain.TeamID]TeamRole{}
	}
	next[team] = role
	return next
}

func (c Invite) check() error {
	if err := domain.CheckID("/member", c.Member); err != nil {
		return err
	}
	if err := domain.CheckText("/name", c.Name, 1, 200); err != nil {
		return err
	}
	if err := checkEmail(c.Email); err != nil {
		return err
	}
	if err := domain.CheckText("/title", c.Title, 0, 200); err != nil {
		return err
	}
	if c.AccessRole == "" {
		return nil
	}
	return CheckAccessRole(c.AccessRole)
}

func (m Membership) check(teamField, roleField string) error {
	if err := domain.CheckID(teamField, m.Team); err != nil {
		return err
	}
	if !m.TeamExists {
		return domain.Missing("team").At(teamField)
	}
	return checkTeamRole(roleField, m.TeamRole)
}

func checkTeamRole(field string, r TeamRole) error {
	switch r {
	case Manager, Stakeholder, Plain:
		return nil
	}
	return domain.Invalidf(field, "unknown_team_role", "must be manager, stakeholder or member")
}

// checkEmail accepts what has one @ with something on both sides. Whether mail arrives there only mail can tell.
func checkEmail(email string) error {
	if err := domain.CheckText("/email", email, 3, 254); err != nil {
		return err
	}
	local, host, found := strings.Cut(email, "@")
	if !found || local == "" || host == "" || strings.ContainsAny(host, "@ ") || strings.Contains(local, " ") {
		return domain.Invalidf("/email", "invalid_email", "must be an e-mail address")
	}
	return nil
}
