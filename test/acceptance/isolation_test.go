package acceptance

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"rolewise/test/harness"
)

// TestIsolation has two plans, and demands that neither can tell what the other has from what does not exist.
func TestIsolation(t *testing.T) {
	server := serveWithCatalog(t, "memory")
	client, stranger := server.NewPlan(t, north), server.NewPlan(t, "south")
	skill, role, draft := id(31), id(32), id(33)
	client.Command(t, north, "define-skill", harness.Body{"skill": skill, "name": "Secret skill", "state": "validated"})
	client.Command(t, north, "create-role", harness.Body{"role": role, "title": "Secret role"})
	client.Command(t, north, "create-role", harness.Body{"role": draft, "title": "Secret draft"})
	client.Command(t, north, "add-role-skill", harness.Body{"role": role, "skill": skill, "required": true})
	client.Command(t, north, "publish-role", harness.Body{"role": role})
	client.Command(t, north, "create-team", harness.Body{"team": tax, "name": "Secret team"})
	client.Command(t, north, "invite-member", harness.Body{"member": ada, "name": "Secret member", "email": "ada@north.example"})
	client.Command(t, north, "assign-role", harness.Body{"role": role, "members": []string{ada}})
	watched := guard(t, client, north)

	queries := []string{
		"/roles", "/roles/" + role, "/roles/" + role + "/versions", "/roles/" + role + "/members", "/skills", "/members", "/members/" + ada,
		"/members/" + ada + "/roles", "/members/" + ada + "/skills", "/teams", "/analytics/roles", "/analytics/roles/" + role,
		"/analytics/roles/" + role + "/members", "/events",
	}
	t.Run("ACC-5 another plan's queries answer as those of no plan", func(t *testing.T) {
		for _, path := range queries {
			exists, none := stranger.TryGet(t, "/v1/plans/north"+path), stranger.TryGet(t, "/v1/plans/nowhere"+path)
			indistinct(t, path, exists, none, "north", "nowhere")
		}
	})
	t.Run("ACC-5 another plan's commands answer as those of no plan", func(t *testing.T) {
		for name, body := range map[string]harness.Body{
			"create-role": {"title": "x"}, "publish-role": {"role": role}, "assign-role": {"role": role, "members": []string{ada}},
			"create-api-key": {"name": "x", "scopes": []string{"*"}}, "set-policy": {"policy": "recalculation", "value": "on_visit"},
		} {
			exists, err := stranger.Post(t.Context(), north, name, body)
			none, err2 := stranger.Post(t.Context(), "nowhere", name, body)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			indistinct(t, name, exists, none, "north", "nowhere")
		}
	})
	t.Run("ACC-5 another plan's ids answer as those of nothing", func(t *testing.T) {
		for _, path := range []string{"/roles/%", "/roles/%/versions", "/roles/%/members", "/analytics/roles/%", "/analytics/roles/%/members"} {
			for _, foreign := range []string{role, draft} {
				exists, none := stranger.TryGet(t, "/v1/plans/south"+strings.Replace(path, "%", foreign, 1)), stranger.TryGet(t, "/v1/plans/south"+strings.Replace(path, "%", id(99), 1))
				indistinct(t, path, exists, none, foreign, id(99))
			}
		}
		for _, path := range []string{"/members/%", "/members/%/roles", "/members/%/skills"} {
			exists, none := stranger.TryGet(t, "/v1/plans/south"+strings.Replace(path, "%", ada, 1)), stranger.TryGet(t, "/v1/plans/south"+strings.Replace(path, "%", id(99), 1))
			indistinct(t, path, exists, none, ada, id(99))
		}
	})
	t.Run("ACC-5 commands with another plan's ids answer as those with ids of nothing", func(t *testing.T) {
		own := stranger.Command(t, "south", "create-role", harness.Body{"title": "Own"}).ID
		member := stranger.Command(t, "south", "invite-member", harness.Body{"name": "Own", "email": "own@south.example"}).ID
		tests := []struct {
			name    string
			foreign string
			body    func(id string) harness.Body
		}{
			{"publish-role", role, func(id string) harness.Body { return harness.Body{"role": id} }},
			{"customize-role", role, func(id string) harness.Body { return harness.Body{"source": id} }},
			{"duplicate-role", role, func(id string) harness.Body { return harness.Body{"source": id} }},
			{"assign-role", role, func(id string) harness.Body { return harness.Body{"role": id, "members": []string{member}} }},
			{"select-level", role, func(id string) harness.Body { return harness.Body{"role": id, "member": member, "level": "mid"} }},
			{"add-role-skill", skill, func(id string) harness.Body { return harness.Body{"role": own, "skill": id, "required": true} }},
			{"rename-skill", skill, func(id string) harness.Body { return harness.Body{"skill": id, "name": "x"} }},
			{"add-team-member", tax, func(id string) harness.Body { return harness.Body{"team": id, "member": member, "team_role": "member"} }},
			{"accept-invitation", ada, func(id string) harness.Body { return harness.Body{"member": id} }},
		}
		for _, tt := range tests {
			exists, err := stranger.Post(t.Context(), "south", tt.name, tt.body(tt.foreign))
			none, err2 := stranger.Post(t.Context(), "south", tt.name, tt.body(id(99)))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			indistinct(t, tt.name, exists, none, tt.foreign, id(99))
		}
	})
	t.Run("PLN-3 nothing of one plan is listed in another", func(t *testing.T) {
		for _, path := range []string{"/roles", "/skills", "/members", "/teams", "/analytics/roles", "/events"} {
			body := stranger.Get(t, "/v1/plans/south"+path, "limit", "1000").Body
			if at := bytes.Index(body, []byte("Secret")); at >= 0 {
				t.Errorf("%s: %s", path, body[at:])
			}
		}
		if body := stranger.Get(t, "/v1/me/plans").Body; !bytes.Contains(body, []byte(`"south"`)) || bytes.Contains(body, []byte(`"north"`)) {
			t.Errorf("/v1/me/plans: %s", body)
		}
	})
	t.Run("PLN-3 the catalog's roles can be read, its people and history cannot", func(t *testing.T) {
		stranger.Get(t, "/v1/plans/catalog/roles/"+preparers)
		for _, path := range []string{"/members", "/teams", "/events", "/analytics/roles"} {
			exists, none := stranger.TryGet(t, "/v1/plans/catalog"+path), stranger.TryGet(t, "/v1/plans/nowhere"+path)
			indistinct(t, path, exists, none, "catalog", "nowhere")
		}
		response, err := stranger.Post(t.Context(), "catalog", "rename-role", harness.Body{"role": preparers, "title": "x"})
		if err != nil {
			t.Fatal(err)
		}
		refusal{http.StatusNotFound, "plan_not_found", "-"}.check(t, response)
	})
	watched.check(t)
	server.Stop(t)
}

// indistinct demands two answers of 404 that differ in nothing but what was asked for, and in the id of the request.
func indistinct(t *testing.T, what string, exists, none harness.Response, asked, askedNone string) {
	t.Helper()
	if exists.Status != http.StatusNotFound || none.Status != http.StatusNotFound {
		t.Errorf("%s: %d for what exists, %d for what does not: %s %s", what, exists.Status, none.Status, exists.Body, none.Body)
		return
	}
	text := func(r harness.Response, asked string) string {
		body := strings.ReplaceAll(string(r.Body), r.Header.Get("X-Request-Id"), "<request>")
		header := r.Header.Clone()
		for _, name := range []string{"X-Request-Id", "Date", "Content-Length"} {
			header.Del(name)
		}
		var b strings.Builder
		if err := header.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String() + strings.ReplaceAll(body, "/"+asked, "/<asked>")
	}
	if a, b := text(exists, asked), text(none, askedNone); a != b {
		t.Errorf("%s: what exists answers\n%s\nwhat does not\n%s", what, a, b)
	}
}
