package member_test

import (
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/decidertest"
	"rolewise/domain/member"
)

const bob = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900002")

var (
	missing  = decidertest.Missing("member_not_found", "/member")
	inactive = decidertest.Conflict("member_inactive", "/member")
	off      = member.MemberDeactivated{Member: ada}
	gone     = member.MemberRemoved{Member: ada}
)

func TestProfile(t *testing.T) {
	whole := member.MemberProfileChanged{Member: ada, Name: "Ada King", Title: "Countess", Location: "London", Department: "Analysis", Manager: bob}
	manager := func(id domain.MemberID, exists bool) member.ChangeProfile {
		return member.ChangeProfile{Member: ada, Manager: &id, ManagerExists: exists}
	}
	cases := []test{
		{
			Name: "MEM-1 change the whole profile", Given: invited(),
			When: member.ChangeProfile{
				Member: ada, Name: new("Ada King"), Email: new("king@example.org"), Title: new("Countess"), Location: new("London"),
				Department: new("Analysis"), Manager: new(bob), ManagerExists: true,
			},
			Then: []event{whole, member.MemberEmailChanged{Member: ada, Email: "king@example.org"}},
		},
		{
			Name: "MEM-1 what is not given stays", Given: invited(whole), When: member.ChangeProfile{Member: ada, Location: new("Paris")},
			Then: []event{member.MemberProfileChanged{Member: ada, Name: "Ada King", Title: "Countess", Location: "Paris", Department: "Analysis", Manager: bob}},
		},
		{
			Name: "MEM-1 what is given empty is cleared", Given: invited(whole),
			When: member.ChangeProfile{Member: ada, Title: new(""), Location: new(""), Department: new(""), Manager: new(domain.MemberID(""))},
			Then: []event{member.MemberProfileChanged{Member: ada, Name: "Ada King"}},
		},
		{Name: "MEM-1 change to the same profile", Given: invited(whole), When: member.ChangeProfile{Member: ada, Name: new("Ada King"), Email: new("ada@example.org")}},
		{Name: "MEM-1 the title of the invitation stays", Given: []event{member.MemberInvited{Member: ada, Name: "Ada", Email: "a@b", Title: "Analyst"}}, When: member.ChangeProfile{Member: ada, Title: new("Analyst")}},
		{Name: "MEM-1 change the spelling of the address", Given: invited(), When: member.ChangeProfile{Member: ada, Email: new("ADA@example.org")}, Then: []event{member.MemberEmailChanged{Member: ada, Email: "ADA@example.org"}}},
		{Name: "MEM-1 change nothing", Given: invited(), When: member.ChangeProfile{Member: ada}, Refused: decidertest.Invalid("required", "")},
		{Name: "MEM-1 change to no name", Given: invited(), When: member.ChangeProfile{Member: ada, Name: new("")}, Refused: decidertest.Invalid("invalid_length", "/name")},
		{Name: "MEM-1 change to no e-mail address", Given: invited(), When: member.ChangeProfile{Member: ada, Email: new("ada")}, Refused: decidertest.Invalid("invalid_email", "/email")},
		{Name: "MEM-1 change to a manager", Given: invited(), When: manager(bob, true), Then: []event{member.MemberProfileChanged{Member: ada, Name: "Ada", Manager: bob}}},
		{Name: "MEM-1 change to a manager who is not there", Given: invited(), When: manager(bob, false), Refused: decidertest.Missing("member_not_found", "/manager")},
		{Name: "MEM-1 change to oneself as manager", Given: invited(), When: manager(ada, true), Refused: decidertest.Invalid("own_manager", "/manager")},
		{Name: "MEM-1 change the profile of nobody", When: member.ChangeProfile{Member: ada, Name: new("Ada")}, Refused: missing},
		{Name: "MEM-2 change the profile of a removed member", Given: invited(gone), When: member.ChangeProfile{Member: ada, Name: new("A")}, Refused: missing},
		{Name: "MEM-1 change the profile of a deactivated member", Given: invited(off), When: member.ChangeProfile{Member: ada, Name: new("A")}, Then: []event{member.MemberProfileChanged{Member: ada, Name: "A"}}},
	}
	for field, set := range map[string]func(*member.ChangeProfile, string){
		"/name":       func(c *member.ChangeProfile, s string) { c.Name = &s },
		"/title":      func(c *member.ChangeProfile, s string) { c.Title = &s },
		"/location":   func(c *member.ChangeProfile, s string) { c.Location = &s },
		"/department": func(c *member.ChangeProfile, s string) { c.Department = &s },
		"/email":      func(c *member.ChangeProfile, s string) { c.Email = &s },
	} {
		for name, text := range map[string]string{
			"a direction mark": "a\u202eb@x.org", "a zero-width character": "a\u200bb@x.org", "a line break": "a\nb@x.org", "64 KiB": "a@x" + strings.Repeat("y", 64<<10),
		} {
			c := member.ChangeProfile{Member: ada}
			set(&c, text)
			code := "invalid_text"
			if name == "64 KiB" {
				code = "invalid_length"
			}
			cases = append(cases, test{Name: "MEM-1 " + field + " with " + name, Given: invited(), When: c, Refused: decidertest.Invalid(code, field)})
		}
	}
	decidertest.Run(t, member.Decider, cases)
}

func TestStatus(t *testing.T) {
	decidertest.Run(t, member.Decider, []test{
		{Name: "MEM-1 deactivate", Given: invited(), When: member.Deactivate{Member: ada}, Then: []event{off}},
		{Name: "MEM-1 deactivate twice", Given: invited(off), When: member.Deactivate{Member: ada}},
		{Name: "MEM-1 reactivate", Given: invited(off), When: member.Reactivate{Member: ada}, Then: []event{member.MemberReactivated{Member: ada}}},
		{Name: "MEM-1 reactivate who is active", Given: invited(), When: member.Reactivate{Member: ada}},
		{Name: "MEM-1 deactivate again", Given: invited(off, member.MemberReactivated{Member: ada}), When: member.Deactivate{Member: ada}, Then: []event{off}},
		{Name: "MEM-1 deactivate nobody", When: member.Deactivate{Member: ada}, Refused: missing},
		{Name: "MEM-1 accept an invitation while deactivated", Given: invited(off), When: member.Accept{Member: ada}, Refused: inactive},
		{Name: "MEM-2 remove", Given: invited(), When: member.Remove{Member: ada}, Then: []event{gone}},
		{Name: "MEM-2 remove who is deactivated", Given: invited(off), When: member.Remove{Member: ada}, Then: []event{gone}},
		{Name: "MEM-2 remove twice", Given: invited(gone), When: member.Remove{Member: ada}},
		{Name: "MEM-2 remove nobody", When: member.Remove{Member: ada}, Refused: missing},
		{Name: "MEM-2 deactivate who was removed", Given: invited(gone), When: member.Deactivate{Member: ada}, Refused: missing},
		{Name: "MEM-2 reactivate who was removed", Given: invited(gone), When: member.Reactivate{Member: ada}, Refused: missing},
		{Name: "MEM-2 invite under the id of who was removed", Given: invited(gone), When: member.Invite{Member: ada, Name: "Ada", Email: "ada@example.org"}, Refused: decidertest.Conflict("member_exists", "/member")},
		{Name: "MEM-2 put who was removed into a team", Given: invited(gone), When: member.Join{Member: ada, Membership: in(sales, member.Plain)}, Refused: missing},
		{Name: "MEM-1 abandon a change on its way", Given: invited(), When: member.AbandonChange{Member: ada, Events: 1}, Then: []event{member.MemberChangeAbandoned{Member: ada}}},
		{Name: "MEM-1 abandon a change that came", Given: invited(off), When: member.AbandonChange{Member: ada, Events: 1}},
	})
}

func TestAccessRoles(t *testing.T) {
	granted := func(r member.AccessRole) event { return member.AccessRoleGranted{Member: ada, AccessRole: r} }
	unknown := decidertest.Invalid("unknown_access_role", "/access_role")
	cases := []test{
		{Name: "ACC-1 grant another access role", Given: invited(granted("hr")), When: member.GrantRole{Member: ada, AccessRole: "admin"}, Then: []event{granted("admin")}},
		{Name: "ACC-1 grant an access role twice", Given: invited(granted("hr")), When: member.GrantRole{Member: ada, AccessRole: "hr"}},
		{Name: "ACC-1 grant an unknown access role", Given: invited(), When: member.GrantRole{Member: ada, AccessRole: "king"}, Refused: unknown},
		{Name: "ACC-1 grant no access role", Given: invited(), When: member.GrantRole{Member: ada}, Refused: unknown},
		{Name: "ACC-1 being an owner is no access role of the member's stream", Given: invited(), When: member.GrantRole{Member: ada, AccessRole: "owner"}, Refused: unknown},
		{Name: "ACC-1 grant an access role to nobody", When: member.GrantRole{Member: ada, AccessRole: "hr"}, Refused: missing},
		{Name: "ACC-1 grant an access role to who is deactivated", Given: invited(off), When: member.GrantRole{Member: ada, AccessRole: "hr"}, Refused: inactive},
		{Name: "ACC-1 withdraw an access role", Given: invited(granted("hr")), When: member.WithdrawRole{Member: ada, AccessRole: "hr"}, Then: []event{member.AccessRoleWithdrawn{Member: ada, AccessRole: "hr"}}},
		{Name: "ACC-1 withdraw an access role twice", Given: invited(granted("hr"), member.AccessRoleWithdrawn{Member: ada, AccessRole: "hr"}), When: member.WithdrawRole{Member: ada, AccessRole: "hr"}},
		{Name: "ACC-1 withdraw another access role", Given: invited(granted("hr")), When: member.WithdrawRole{Member: ada, AccessRole: "admin"}},
		{
			Name: "ACC-1 withdraw being an owner here", Given: []event{member.MemberInvited{Member: ada, Name: "Ada", Email: "a@b", AccessRole: "owner"}},
			When: member.WithdrawRole{Member: ada, AccessRole: "owner"},
		},
		{Name: "ACC-1 withdraw an unknown access role", Given: invited(), When: member.WithdrawRole{Member: ada, AccessRole: "king"}, Refused: unknown},
		{Name: "ACC-1 an access role is still there after a deactivation", Given: invited(granted("hr"), off, member.MemberReactivated{Member: ada}), When: member.GrantRole{Member: ada, AccessRole: "hr"}},
		{Name: "ACC-2 an access role leaves the team roles", Given: invited(added(sales, member.Manager), granted("admin")), When: member.Join{Member: ada, Membership: in(sales, member.Manager)}},
	}
	for _, r := range []member.AccessRole{"admin", "hr", "auditor"} {
		cases = append(cases, test{Name: "ACC-1 grant " + string(r), Given: invited(), When: member.GrantRole{Member: ada, AccessRole: r}, Then: []event{granted(r)}})
	}
	decidertest.Run(t, member.Decider, cases)
}
