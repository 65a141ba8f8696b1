package torture

import (
	"slices"
	"strings"
	"testing"

	"rolewise/test/harness"
)

// TestCheck doctors a ledger and a history that fit, and demands that each fault is found.
func TestCheck(t *testing.T) {
	ok := func() ([]acknowledged, []event) {
		return []acknowledged{
				{"k1", "create-role", harness.Answer{Stream: "role-acme.1", Revision: 0, Position: "3", Events: []string{"RoleCreated"}}},
				{"k2", "rename-role", harness.Answer{Stream: "role-acme.1", Revision: 1, Position: "5", Events: []string{"RoleRenamed"}}},
				{"k3", "assign-role", harness.Answer{Stream: "assignment-acme.2", Revision: 0, Position: "8",
					Events: []string{"MemberAssigned", "TeamAssigned"}, Items: []harness.Item{{}, {}}}},
				{"k4", "invite-member", harness.Answer{Stream: "member-acme.4", Revision: 1, Position: "11", Events: []string{"MemberInvited", "TeamMemberAdded"}}},
				{"k5", "rename-role", harness.Answer{Stream: "role-acme.1", Revision: 1, Position: "5", Events: []string{}}},
			}, []event{
				{1, "e1", "PlanCreated", "plan-acme.plan", 0, "c0"},
				{2, "e2", "CommandClaimed", "command-acme.c1", 0, "c1"},
				{3, "e3", "RoleCreated", "role-acme.1", 0, "c1"},
				{5, "e5", "RoleRenamed", "role-acme.1", 1, "c2"},
				{7, "e7", "TeamAssigned", "assignment-acme.1", 0, "c3"},
				{8, "e8", "MemberAssigned", "assignment-acme.2", 0, "c3"},
				{9, "e9", "Reserved", "email-acme.x", 0, "side"},
				{10, "e10", "MemberInvited", "member-acme.4", 0, "c4"},
				{11, "e11", "TeamMemberAdded", "member-acme.4", 1, "c4"},
			}
	}
	tests := []struct {
		name   string
		doctor func(l []acknowledged, h []event) ([]acknowledged, []event)
		want   string // part of a complaint; empty: all is well
	}{
		{"as it should be", func(l []acknowledged, h []event) ([]acknowledged, []event) { return l, h }, ""},
		{"an acknowledged event is lost", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, slices.Delete(h, 3, 4)
		}, "rename-role k2: role-acme.1 revision 1 was acknowledged at 5"},
		{"the first event of two is lost", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, slices.Delete(h, 7, 8)
		}, "invite-member k4: acknowledged [MemberInvited TeamMemberAdded], the history has [TeamMemberAdded]"},
		{"an item of a bulk command is lost", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, slices.Delete(h, 4, 5)
		}, "assign-role k3: acknowledged [MemberAssigned TeamAssigned], the history has [MemberAssigned]"},
		{"an event is there twice", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, append(h, event{12, "e5", "RoleRenamed", "role-acme.1", 2, "c2"})
		}, "the event e5 is there twice"},
		{"a command was done twice", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, append(h, event{12, "e12", "RoleRenamed", "role-acme.1", 2, "c2"})
		}, "rename-role k2: acknowledged [RoleRenamed], the history has [RoleRenamed RoleRenamed]"},
		{"a command was done twice under another id", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return l, append(h, event{12, "e12", "RoleRenamed", "role-acme.1", 2, "c9"})
		}, "nobody was told of the command c9"},
		{"a refused command left an event", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return slices.Delete(l, 1, 2), h
		}, "nobody was told of the command c2"},
		{"two keys share an effect", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			return append(l, acknowledged{"k6", "rename-role", l[1].answer}), h
		}, "rename-role k6: its events are those of another command too"},
		{"the position is another", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			h[3].position = 6
			return l, h
		}, "acknowledged at 5"},
		{"the stream is another", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			h[3].stream, h[3].revision = "role-acme.2", 0
			return l, h
		}, "rename-role k2: role-acme.1 revision 1"},
		{"the type is another", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			h[3].kind = "RoleDescribed"
			return l, h
		}, "acknowledged [RoleRenamed], the history has [RoleDescribed]"},
		{"a later event of the command is not in the answer", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			l[3].answer.Position, l[3].answer.Revision, l[3].answer.Events = "10", 0, []string{"MemberInvited"}
			return l, h
		}, "its last event is at 11"},
		{"a revision is missing", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			h[0].revision = 1
			return l, h
		}, "plan-acme.plan: revision 1 comes where 0 was due"},
		{"positions go back", func(l []acknowledged, h []event) ([]acknowledged, []event) {
			h[5].position, h[4].position = 7, 8
			l[2].answer.Position, l[2].answer.Stream = "8", "assignment-acme.1"
			return l, h
		}, "position 7 comes after 8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries, history := tt.doctor(ok())
			wrong := check(entries, history, 1)
			if tt.want == "" && len(wrong) > 0 {
				t.Errorf("complaints: %q", wrong)
			}
			if tt.want != "" && !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, tt.want) }) {
				t.Errorf("no complaint like %q among %q", tt.want, wrong)
			}
		})
	}
}
