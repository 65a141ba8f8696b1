package member_test

import (
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/member"
)

const (
	ada   = "01890a5d-ac96-774b-bcce-b30209900001"
	sales = "01890a5d-ac96-774b-bcce-b30209900011"
	north = "01890a5d-ac96-774b-bcce-b30209900012"
)

type (
	event = member.Event
	test  = decidertest.Case[member.Command, member.Event]
)

func invited(more ...event) []event {
	return append([]event{member.MemberInvited{Member: ada, Name: "Ada", Email: "ada@example.org"}}, more...)
}

func added(team domain.TeamID, role member.TeamRole) event {
	return member.TeamMemberAdded{Member: ada, Team: team, TeamRole: role}
}

func in(team domain.TeamID, role member.TeamRole) member.Membership {
	return member.Membership{Team: team, TeamRole: role, TeamExists: true}
}

func TestInvite(t *testing.T) {
	invite := func(edit func(*member.Invite)) member.Invite {
		c := member.Invite{Member: ada, Name: "Ada", Email: "ada@example.org"}
		edit(&c)
		return c
	}
	invalid := decidertest.Invalid
	cases := []test{
		{
			Name: "MEM-1 invite",
			When: invite(func(*member.Invite) {}),
			Then: invited(),
		},
		{
			Name: "MEM-1 invite with a title, in two teams",
			When: invite(func(c *member.Invite) {
				c.Title = "Analyst"
				c.Teams = []member.Membership{in(sales, member.Manager), in(north, member.Plain)}
			}),
			Then: []event{
				member.MemberInvited{Member: ada, Name: "Ada", Email: "ada@example.org", Title: "Analyst"},
				added(sales, member.Manager), added(north, member.Plain),
			},
		},
		{
			Name: "MEM-1 invite with a name of 1 and a title of 200 characters",
			When: invite(func(c *member.Invite) { c.Name, c.Title = "é", strings.Repeat("é", 200) }),
			Then: []event{member.MemberInvited{Member: ada, Name: "é", Email: "ada@example.org", Title: strings.Repeat("é", 200)}},
		},
		{
			Name: "MEM-1 invite with a name of 200 characters",
			When: invite(func(c *member.Invite) { c.Name = strings.Repeat("é", 200) }),
			Then: []event{member.MemberInvited{Member: ada, Name: strings.Repeat("é", 200), Email: "ada@example.org"}},
		},
		{
			Name:    "MEM-1 invite twice",
			Given:   invited(),
			When:    invite(func(*member.Invite) {}),
			Refused: decidertest.Conflict("member_exists", "/member"),
		},
		{
			Name:    "MEM-1 invite after the invitation was abandoned",
			Given:   []event{member.MemberInvitationAbandoned{Member: ada}},
			When:    invite(func(*member.Invite) {}),
			Refused: decidertest.Conflict("member_exists", "/member"),
		},
		{
			Name:    "MEM-1 invite under no UUID",
			When:    invite(func(c *member.Invite) { c.Member = "ada" }),
			Refused: invalid("invalid_id", "/member"),
		},
		{
			Name:    "MEM-1 invite without a name",
			When:    invite(func(c *member.Invite) { c.Name = "" }),
			Refused: invalid("invalid_length", "/name"),
		},
		{
			Name:    "MEM-1 invite with a name of 201 characters",
			When:    invite(func(c *member.Invite) { c.Name = strings.Repeat("é", 201) }),
			Refused: invalid("invalid_length", "/name"),
		},
		{
			Name:    "MEM-1 invite with a title of 201 characters",
			When:    invite(func(c *member.Invite) { c.Title = strings.Repeat("a", 201) }),
			Refused: invalid("invalid_length", "/title"),
		},
		{
			Name:    "MEM-1 invite with an unknown access role",
			When:    invite(func(c *member.Invite) { c.AccessRole = "king" }),
			Refused: invalid("unknown_access_role", "/access_role"),
		},
		{
			Name:    "MEM-1 invite with the second team no UUID",
			When:    invite(func(c *member.Invite) { c.Teams = []member.Membership{in(sales, member.Plain), in("x", member.Plain)} }),
			Refused: invalid("invalid_id", "/teams/1/team"),
		},
		{
			Name: "MEM-1 invite into a team that is not there",
			When: invite(func(c *member.Invite) {
				c.Teams = []member.Membership{in(sales, member.Plain), {Team: north, TeamRole: member.Plain}}
			}),
			Refused: decidertest.Missing("team_not_found", "/teams/1/team"),
		},
		{
			Name:    "MEM-1 invite with an unknown team role",
			When:    invite(func(c *member.Invite) { c.Teams = []member.Membership{in(sales, "boss")} }),
			Refused: invalid("unknown_team_role", "/teams/0/team_role"),
		},
		{
			Name: "MEM-1 invite into a team twice",
			When: invite(func(c *member.Invite) {
				c.Teams = []member.Membership{in(sales, member.Plain), in(north, member.Plain), in(sales, member.Manager)}
			}),
			Refused: invalid("duplicate_team", "/teams/2/team"),
		},
	}
	for _, role := range []member.AccessRole{"owner", "admin", "hr", "auditor"} {
		cases = append(cases, test{
			Name: "MEM-1 invite as " + string(role),
			When: invite(func(c *member.Invite) { c.AccessRole = role }),
			Then: []event{member.MemberInvited{Member: ada, Name: "Ada", Email: "ada@example.org", AccessRole: role}},
		})
	}
	for _, email := range []string{"a@b", "Ada.Lovelace+x@example.org", `o'hara@example.org`, "ädä@bücher.example", strings.Repeat("a", 242) + "@example.org"} {
		cases = append(cases, test{
			Name: "MEM-1 accept e-mail " + email,
			When: invite(func(c *member.Invite) { c.Email = email }),
			Then: []event{member.MemberInvited{Member: ada, Name: "Ada", Email: email}},
		})
	}
	for email, code := range map[string]string{
		"": "invalid_length", "ab": "invalid_length", strings.Repeat("a", 243) + "@example.org": "invalid_length",
		"ada.example.org": "invalid_email", "@example.org": "invalid_email", "ada@": "invalid_email",
		"ada@x@example.org": "invalid_email", "a da@example.org": "invalid_email", "ada@exam ple.org": "invalid_email",
		"ada\n@example.org": "invalid_text", "ada@example.org\x00": "invalid_text", "\u202eada@example.org": "invalid_text",
	} {
		cases = append(cases, test{
			Name:    "MEM-1 refuse e-mail " + email,
			When:    invite(func(c *member.Invite) { c.Email = email }),
			Refused: invalid(code, "/email"),
		})
	}
	decidertest.Run(t, member.Decider, cases)
}

func TestInvitation(t *testing.T) {
	abandoned := member.MemberInvitationAbandoned{Member: ada}
	decidertest.Run(t, member.Decider, []test{
		{
			Name:  "MEM-1 accept",
			Given: invited(),
			When:  member.Accept{Member: ada},
			Then:  []event{member.InvitationAccepted{Member: ada}},
		},
		{
			Name:  "MEM-1 accept twice",
			Given: invited(member.InvitationAccepted{Member: ada}),
			When:  member.Accept{Member: ada},
		},
		{
			Name:    "MEM-1 accept without an invitation",
			When:    member.Accept{Member: ada},
			Refused: decidertest.Missing("member_not_found", "/member"),
		},
		{
			Name:    "MEM-1 accept an abandoned invitation",
			Given:   []event{abandoned},
			When:    member.Accept{Member: ada},
			Refused: decidertest.Missing("member_not_found", "/member"),
		},
		{
			Name: "MEM-1 abandon what never came to be",
			When: member.Abandon{Member: ada},
			Then: []event{abandoned},
		},
		{
			Name:  "MEM-1 abandon twice",
			Given: []event{abandoned},
			When:  member.Abandon{Member: ada},
		},
		{
			Name:    "MEM-1 abandon a member",
			Given:   invited(),
			When:    member.Abandon{Member: ada},
			Refused: decidertest.Conflict("member_exists", ""),
		},
	})
}

func TestTeamRoles(t *testing.T) {
	change := func(team domain.TeamID, role member.TeamRole) member.Command {
		return member.ChangeTeamRole{Member: ada, Team: team, TeamRole: role}
	}
	join := func(m member.Membership) member.Command { return member.Join{Member: ada, Membership: m} }
	decidertest.Run(t, member.Decider, []test{
		{
			Name:  "ACC-2 join a team",
			Given: invited(),
			When:  join(in(sales, member.Plain)),
			Then:  []event{added(sales, member.Plain)},
		},
		{
			Name:  "ACC-2 another team role in a second team",
			Given: invited(added(sales, member.Manager)),
			When:  join(in(north, member.Stakeholder)),
			Then:  []event{added(north, member.Stakeholder)},
		},
		{
			Name:  "MEM-3 join twice in the same team role",
			Given: invited(added(sales, member.Plain)),
			When:  join(in(sales, member.Plain)),
		},
		{
			Name:    "MEM-3 join twice in another team role",
			Given:   invited(added(sales, member.Plain)),
			When:    join(in(sales, member.Manager)),
			Refused: decidertest.Conflict("already_in_team", "/team"),
		},
		{
			Name:  "MEM-3 join again after leaving",
			Given: invited(added(sales, member.Plain), member.TeamMemberRemoved{Member: ada, Team: sales}),
			When:  join(in(sales, member.Manager)),
			Then:  []event{added(sales, member.Manager)},
		},
		{
			Name:    "MEM-3 join a team that is not there",
			Given:   invited(),
			When:    join(member.Membership{Team: sales, TeamRole: member.Plain}),
			Refused: decidertest.Missing("team_not_found", "/team"),
		},
		{
			Name:    "MEM-3 join no UUID",
			Given:   invited(),
			When:    join(in("sales", member.Plain)),
			Refused: decidertest.Invalid("invalid_id", "/team"),
		},
		{
			Name:    "ACC-2 join in an unknown team role",
			Given:   invited(),
			When:    join(in(sales, "owner")),
			Refused: decidertest.Invalid("unknown_team_role", "/team_role"),
		},
		{
			Name:    "MEM-3 nobody joins a team",
			When:    join(in(sales, member.Plain)),
			Refused: decidertest.Missing("member_not_found", "/member"),
		},
		{
			Name:  "ACC-2 change the team role",
			Given: invited(added(sales, member.Plain)),
			When:  change(sales, member.Manager),
			Then:  []event{member.TeamRoleChanged{Member: ada, Team: sales, TeamRole: member.Manager}},
		},
		{
			Name:  "ACC-2 change to the team role it has",
			Given: invited(added(sales, member.Plain), member.TeamRoleChanged{Member: ada, Team: sales, TeamRole: member.Manager}),
			When:  change(sales, member.Manager),
		},
		{
			Name:    "ACC-2 change the role in a team it is not in",
			Given:   invited(added(north, member.Plain)),
			When:    change(sales, member.Manager),
			Refused: decidertest.Conflict("not_in_team", "/member"),
		},
		{
			Name:    "ACC-2 change to an unknown team role",
			Given:   invited(added(sales, member.Plain)),
			When:    change(sales, ""),
			Refused: decidertest.Invalid("unknown_team_role", "/team_role"),
		},
		{
			Name:  "MEM-3 leave a team",
			Given: invited(added(sales, member.Plain), added(north, member.Plain)),
			When:  member.Leave{Member: ada, Team: sales},
			Then:  []event{member.TeamMemberRemoved{Member: ada, Team: sales}},
		},
		{
			Name:  "MEM-3 leave a team it is not in",
			Given: invited(added(north, member.Plain)),
			When:  member.Leave{Member: ada, Team: sales},
		},
		{
			Name:  "MEM-3 leave twice",
			Given: invited(added(sales, member.Plain), member.TeamMemberRemoved{Member: ada, Team: sales}),
			When:  member.Leave{Member: ada, Team: sales},
		},
	})
}

func TestState(t *testing.T) {
	s := member.Decider.Fold(
		member.MemberInvited{Member: ada, Name: "Ada", Email: "ada@example.org", AccessRole: member.HR},
		member.InvitationAccepted{Member: ada}, added(sales, member.Plain), added(north, member.Manager),
		member.TeamRoleChanged{Member: ada, Team: sales, TeamRole: member.Stakeholder},
	)
	if !s.Exists || !s.Accepted || s.Abandoned || s.Email != "ada@example.org" || s.AccessRole != member.HR {
		t.Errorf("state %+v", s)
	}
	if len(s.Teams) != 2 || s.Teams[sales] != member.Stakeholder || s.Teams[north] != member.Manager {
		t.Errorf("teams %v", s.Teams)
	}
}
