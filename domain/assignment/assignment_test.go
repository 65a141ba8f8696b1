package assignment_test

import (
	"strings"
	"testing"

	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/domain/decidertest"
)

const (
	ada      = "01890a5d-ac96-774b-bcce-b30209900001"
	sales    = "01890a5d-ac96-774b-bcce-b30209900011"
	engineer = "01890a5d-ac96-774b-bcce-b30209900031"
	analyst  = "01890a5d-ac96-774b-bcce-b30209900032"
)

type (
	event = assignment.Event
	test  = decidertest.Case[assignment.Command, assignment.Event]
)

var (
	toAda   = assignment.Holder{Member: ada, Exists: true}
	toSales = assignment.Holder{Team: sales, Exists: true}
)

func assign(holder assignment.Holder, role domain.RoleID) assignment.Assign {
	return assignment.Assign{Holder: holder, Role: role, RolePublished: true, Notify: true}
}

func memberHas(role domain.RoleID) event {
	return assignment.MemberAssigned{Member: ada, Role: role, Notify: true}
}

func teamHas(role domain.RoleID) event {
	return assignment.TeamAssigned{Team: sales, Role: role, Notify: true}
}

func TestAssign(t *testing.T) {
	saying := func(holder assignment.Holder, message string) assignment.Assign {
		return assignment.Assign{Holder: holder, Role: engineer, RolePublished: true, Message: message}
	}
	draft := assign(toAda, engineer)
	draft.RolePublished = false
	gone := assignment.MemberUnassigned{Member: ada, Role: engineer}
	decidertest.Run(t, assignment.Decider, []test{
		{Name: "ASG-1 assign to a member", When: assign(toAda, engineer), Then: []event{memberHas(engineer)}},
		{Name: "ASG-1 assign to a team", When: assign(toSales, engineer), Then: []event{teamHas(engineer)}},
		{
			Name: "ASG-1 with a message, without a mail, to a member", When: saying(toAda, "Welcome!\nRead on."),
			Then: []event{assignment.MemberAssigned{Member: ada, Role: engineer, Message: "Welcome!\nRead on."}},
		},
		{
			Name: "ASG-1 with a message, without a mail, to a team", When: saying(toSales, "Welcome!"),
			Then: []event{assignment.TeamAssigned{Team: sales, Role: engineer, Message: "Welcome!"}},
		},
		{Name: "ASG-1 a second role", Given: []event{memberHas(engineer)}, When: assign(toAda, analyst), Then: []event{memberHas(analyst)}},
		{Name: "ASG-3 assign to a member twice", Given: []event{memberHas(engineer)}, When: assign(toAda, engineer)},
		{Name: "ASG-3 assign to a team twice", Given: []event{teamHas(engineer)}, When: assign(toSales, engineer)},
		{Name: "ASG-3 assign twice with a message", Given: []event{memberHas(engineer)}, When: saying(toAda, "Once more")},
		{Name: "ASG-1 assign again after unassigning", Given: []event{memberHas(engineer), gone}, When: assign(toAda, engineer), Then: []event{memberHas(engineer)}},
		{Name: "ASG-1 a member that is not there", When: assign(assignment.Holder{Member: ada}, engineer), Refused: decidertest.Missing("member_not_found", "")},
		{Name: "ASG-1 a team that is not there", When: assign(assignment.Holder{Team: sales}, engineer), Refused: decidertest.Missing("team_not_found", "")},
		{Name: "ASG-1 a role that is not published", When: draft, Refused: decidertest.Missing("role_not_found", "/role")},
		{
			Name: "ASG-1 a message of 2,000 characters", When: saying(toAda, strings.Repeat("é", 2000)),
			Then: []event{assignment.MemberAssigned{Member: ada, Role: engineer, Message: strings.Repeat("é", 2000)}},
		},
		{Name: "ASG-1 a message of 2,001 characters", When: saying(toAda, strings.Repeat("a", 2001)), Refused: decidertest.Invalid("invalid_length", "/message")},
		{Name: "ASG-1 a message with a control character", When: saying(toAda, "a\x1bb"), Refused: decidertest.Invalid("invalid_text", "/message")},
	})
}

func TestUnassign(t *testing.T) {
	unassign := func(holder assignment.Holder, role domain.RoleID) assignment.Unassign {
		return assignment.Unassign{Holder: holder, Role: role, Message: "Thanks", Notify: true}
	}
	long := unassign(toAda, engineer)
	long.Message = strings.Repeat("a", 2001)
	fromAda := assignment.MemberUnassigned{Member: ada, Role: engineer, Message: "Thanks", Notify: true}
	fromSales := assignment.TeamUnassigned{Team: sales, Role: engineer, Message: "Thanks", Notify: true}
	decidertest.Run(t, assignment.Decider, []test{
		{Name: "ASG-1 unassign a member", Given: []event{memberHas(engineer)}, When: unassign(toAda, engineer), Then: []event{fromAda}},
		{Name: "ASG-1 unassign a team", Given: []event{teamHas(engineer)}, When: unassign(toSales, engineer), Then: []event{fromSales}},
		{Name: "ASG-2 another role stays", Given: []event{memberHas(engineer), memberHas(analyst), fromAda}, When: assign(toAda, analyst)},
		{Name: "ASG-2 another role of a team stays", Given: []event{teamHas(engineer), teamHas(analyst), fromSales}, When: assign(toSales, analyst)},
		{Name: "ASG-3 unassign what is not assigned", Given: []event{memberHas(analyst)}, When: unassign(toAda, engineer)},
		{Name: "ASG-3 unassign a member twice", Given: []event{memberHas(engineer), fromAda}, When: unassign(toAda, engineer)},
		{Name: "ASG-3 unassign a team twice", Given: []event{teamHas(engineer), fromSales}, When: unassign(toSales, engineer)},
		{Name: "ASG-1 unassign a member that is not there", When: unassign(assignment.Holder{Member: ada}, engineer), Refused: decidertest.Missing("member_not_found", "")},
		{Name: "ASG-1 unassign a team that is not there", When: unassign(assignment.Holder{Team: sales}, engineer), Refused: decidertest.Missing("team_not_found", "")},
		{
			Name: "ASG-1 unassign with a message of 2,000 characters", Given: []event{memberHas(engineer)},
			When: assignment.Unassign{Holder: toAda, Role: engineer, Message: strings.Repeat("é", 2000)},
			Then: []event{assignment.MemberUnassigned{Member: ada, Role: engineer, Message: strings.Repeat("é", 2000)}},
		},
		{Name: "ASG-1 unassign with a message of 2,001 characters", Given: []event{memberHas(engineer)}, When: long, Refused: decidertest.Invalid("invalid_length", "/message")},
	})
}
