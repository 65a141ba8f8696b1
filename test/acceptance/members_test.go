package acceptance

import (
	"slices"
	"strings"
	"testing"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// person is a member in an answer.
type person struct {
	Member        string `json:"member"`
	Name          string `json:"name"`
	Email         string `json:"email"`
	Location      string `json:"location"`
	Manager       string `json:"manager"`
	AccessRole    string `json:"access_role"`
	ContentAccess bool   `json:"content_access"`
	Status        string `json:"status"`
}

// TestMemberships plays a year of people who come, change and leave, on a real Redis.
func TestMemberships(t *testing.T) {
	server := harness.Serve(t, t.TempDir(), redistest.Start(t))
	client := server.NewPlan(t, north)
	at := ""
	send := func(name string, body harness.Body) harness.Answer {
		t.Helper()
		answer := client.Command(t, north, name, body)
		at = answer.Position
		return answer
	}
	refused := func(t *testing.T, name string, body harness.Body, want refusal) {
		t.Helper()
		response, err := client.Post(t.Context(), north, name, body)
		if err != nil {
			t.Fatal(err)
		}
		want.check(t, response)
	}
	names := func(t *testing.T, query ...string) []string {
		t.Helper()
		list := harness.Decode[harness.List[person]](t, client.Get(t, "/v1/plans/north/members", append(query, "min_position", at)...))
		found := []string{}
		for _, p := range list.Items {
			found = append(found, p.Name)
		}
		return found
	}
	one := func(t *testing.T, id string) person {
		t.Helper()
		return harness.Decode[struct{ Item person }](t, client.Get(t, "/v1/plans/north/members/"+id, "min_position", at)).Item
	}
	same := func(t *testing.T, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	send("create-team", harness.Body{"team": tax, "name": "Straße"})
	send("create-team", harness.Body{"team": east, "name": "East", "parent": tax})
	send("invite-member", harness.Body{"member": ada, "name": "Ada Lovelace", "email": "ada@north.example", "teams": []harness.Body{{"team": east, "team_role": "manager"}}})
	send("invite-member", harness.Body{"member": bob, "name": "Bob Müller", "email": "bob@north.example", "teams": []harness.Body{{"team": tax, "team_role": "stakeholder"}}})
	send("invite-member", harness.Body{"member": cem, "name": "Cem Öz", "email": "cem@north.example", "access_role": "hr"})
	send("add-team-member", harness.Body{"team": tax, "member": ada, "team_role": "member"})

	t.Run("MEM-1 change-member-profile", func(t *testing.T) {
		send("accept-invitation", harness.Body{"member": ada})
		send("change-member-profile", harness.Body{"member": ada, "name": "Ada King", "email": "ada.king@north.example", "location": "London", "manager": bob})
		if got := one(t, ada); got.Name != "Ada King" || got.Email != "ada.king@north.example" || got.Location != "London" || got.Manager != bob || got.Status != "active" {
			t.Errorf("%+v", got)
		}
		refused(t, "change-member-profile", harness.Body{"member": bob, "email": "ADA.KING@NORTH.example"}, refusal{409, "email_taken", "/email"})
		refused(t, "change-member-profile", harness.Body{"member": bob, "name": "B\u202eob"}, refusal{422, "invalid_text", "/name"})
		refused(t, "change-member-profile", harness.Body{"member": bob, "title": strings.Repeat("x", 64<<10)}, refusal{422, "invalid_length", "/title"})
		send("invite-member", harness.Body{"member": dana, "name": "Dana", "email": "Ada@North.example"})
	})
	t.Run("MEM-4 search", func(t *testing.T) {
		same(t, names(t, "q", "mull bo"), "Bob Müller")
		same(t, names(t, "q", "oz"), "Cem Öz")
		same(t, names(t, "q", "ADA.K"), "Ada King")
		same(t, names(t, "q", "lovelace"))
	})
	t.Run("ACC-1 the last owner", func(t *testing.T) {
		olga := harness.Decode[harness.List[person]](t, client.Get(t, "/v1/plans/north/members", "q", "olga", "min_position", at)).Items[0]
		last := refusal{409, "last_owner", "/member"}
		refused(t, "remove-member", harness.Body{"member": olga.Member}, last)
		refused(t, "deactivate-member", harness.Body{"member": olga.Member}, last)
		refused(t, "withdraw-access-role", harness.Body{"member": olga.Member, "access_role": "owner"}, last)
		send("grant-access-role", harness.Body{"member": cem, "access_role": "owner"})
		send("withdraw-access-role", harness.Body{"member": olga.Member, "access_role": "owner"})
		if got := []string{one(t, cem).AccessRole, one(t, olga.Member).AccessRole}; got[0] != "owner" || got[1] != "" {
			t.Errorf("%q", got)
		}
		refused(t, "withdraw-access-role", harness.Body{"member": cem, "access_role": "owner"}, last)
		send("withdraw-access-role", harness.Body{"member": cem, "access_role": "hr"})
	})
	t.Run("ACC-3 licences", func(t *testing.T) {
		server.Operator.Command(t, "", "set-plan-licences", harness.Body{"plan": north, "licences": 1})
		send("grant-content-access", harness.Body{"member": ada})
		refused(t, "grant-content-access", harness.Body{"member": bob}, refusal{409, "no_licence_left", "/member"})
		send("withdraw-content-access", harness.Body{"member": ada})
		send("grant-content-access", harness.Body{"member": bob})
		if one(t, ada).ContentAccess || !one(t, bob).ContentAccess {
			t.Error("not as granted")
		}
	})
	t.Run("MEM-1 ACC-4 deactivate-member and reactivate-member", func(t *testing.T) {
		key := client.As(send("create-api-key", harness.Body{"name": "bob", "scopes": []string{"read"}, "member": bob}).APIKey)
		send("deactivate-member", harness.Body{"member": bob})
		if got := key.TryGet(t, "/v1/me"); got.Status != 401 {
			t.Errorf("signed in: %d %s", got.Status, got.Body)
		}
		refused(t, "grant-content-access", harness.Body{"member": bob}, refusal{409, "member_inactive", "/member"})
		same(t, names(t, "state", "deactivated"), "Bob Müller")
		send("grant-content-access", harness.Body{"member": ada}) // the licence is free
		send("reactivate-member", harness.Body{"member": bob})
		if got := key.TryGet(t, "/v1/me"); got.Status != 200 {
			t.Errorf("did not sign in: %d %s", got.Status, got.Body)
		}
	})
	t.Run("MEM-2 remove-member", func(t *testing.T) {
		send("remove-member", harness.Body{"member": ada})
		same(t, names(t, "state", "removed"), "Ada King")
		same(t, names(t), "Bob Müller", "Cem Öz", "Dana", "Olga Owner")
		refused(t, "assign-role", harness.Body{"role": preparers, "members": []string{ada}}, refusal{404, "role_not_found", "/role"})
		refused(t, "reactivate-member", harness.Body{"member": ada}, refusal{404, "member_not_found", "/member"})
		send("invite-member", harness.Body{"name": "Eve", "email": "ada.king@north.example"})
	})
	t.Run("MEM-3 teams", func(t *testing.T) {
		refused(t, "create-team", harness.Body{"name": "STRASSE"}, refusal{409, "team_name_taken", "/name"})
		refused(t, "delete-team", harness.Body{"team": tax}, refusal{409, "team_has_teams", "/team"})
		same(t, names(t, "team", tax, "nested", "true"), "Bob Müller")
		send("delete-team", harness.Body{"team": east})
		send("delete-team", harness.Body{"team": tax})
		same(t, names(t, "team", tax))
		refused(t, "add-team-member", harness.Body{"team": tax, "member": bob, "team_role": "member"}, refusal{404, "team_not_found", "/team"})
	})
}
