package acceptance

import (
	"net/http"
	"testing"

	"rolewise/internal/redistest"
	"rolewise/test/harness"
)

// TestRoleLife plays the life of company roles through HTTP on a real Redis: drafts, badge, categories, pathways, what-if,
// deletion, restoration, transfer.
func TestRoleLife(t *testing.T) {
	server := serveWithCatalog(t, redistest.Start(t))
	client := server.NewPlan(t, north)
	position := ""
	do := func(name string, body harness.Body) harness.Answer {
		t.Helper()
		answer := client.Command(t, north, name, body)
		position = answer.Position
		return answer
	}
	get := func(path string, parameters ...string) harness.Response {
		t.Helper()
		return client.Get(t, "/v1/plans/"+north+path, append(parameters, "min_position", position)...)
	}
	refused := func(name string, body harness.Body, want refusal) {
		t.Helper()
		response, err := client.Post(t.Context(), north, name, body)
		if err != nil {
			t.Fatal(err)
		}
		want.check(t, response)
	}
	junior, lead, craft := id(31), id(32), id(33)
	do("define-skill", harness.Body{"skill": id(34), "name": "Go", "icon": "gopher", "state": "validated"})
	for role, title := range map[string]string{junior: "Junior", lead: "Lead"} {
		do("create-role", harness.Body{"role": role, "title": title})
		do("add-role-skill", harness.Body{"role": role, "skill": id(34), "required": true})
	}
	t.Run("ROL-1 one live role with a title", func(t *testing.T) {
		refused("create-role", harness.Body{"title": "ｊｕｎｉｏｒ"}, refusal{http.StatusConflict, "title_taken", "/title"})
		refused("rename-role", harness.Body{"role": lead, "title": "JUNIOR"}, refusal{http.StatusConflict, "title_taken", "/title"})
	})
	t.Run("ROL-7 badge", func(t *testing.T) {
		refused("personalize-badge", harness.Body{"role": lead, "icon": "gopher", "color": "#ffff00"}, refusal{http.StatusUnprocessableEntity, "low_contrast", "/color"})
		same(t, "events", do("personalize-badge", harness.Body{"role": lead, "icon": "gopher", "color": "#1d4ed8"}).Events, []string{"RoleBadgePersonalized"})
	})
	do("publish-role", harness.Body{"role": junior})
	do("publish-role", harness.Body{"role": lead})
	t.Run("ROL-12 categories", func(t *testing.T) {
		do("create-category", harness.Body{"category": craft, "name": "Craft", "featured": false})
		refused("create-category", harness.Body{"name": "CRAFT", "featured": true}, refusal{http.StatusConflict, "category_name_taken", "/name"})
		do("categorize-role", harness.Body{"role": lead, "category": craft})
		do("set-policy", harness.Body{"policy": "directory_visibility", "value": "featured_category"})
		do("feature-category", harness.Body{"category": craft, "featured": true})
		type category struct {
			Name     string
			Featured bool
			Roles    int
		}
		same(t, "categories", harness.Decode[harness.List[category]](t, get("/categories")).Items, []category{{"Craft", true, 1}})
	})
	t.Run("CAR-3 pathways", func(t *testing.T) {
		do("set-pathway", harness.Body{"role": lead, "advances_from": []string{junior}})
		refused("set-pathway", harness.Body{"role": junior, "advances_from": []string{lead}}, refusal{http.StatusConflict, "pathway_cycle", "/advances_from"})
		type step struct {
			Title string
			Step  int
		}
		ladder := harness.Decode[struct{ Item struct{ Roles []step } }](t, get("/roles/"+lead+"/pathway"))
		same(t, "ladder", ladder.Item.Roles, []step{{"Junior", -1}})
	})
	do("invite-member", harness.Body{"member": ada, "name": "Ada", "email": "ada@example.org"})
	do("assign-role", harness.Body{"role": lead, "members": []string{ada}})
	do("record-skill-iq", harness.Body{"member": ada, "skill": id(34), "score": 150, "percentile": 50, "measured_at": day(1, 2), "session": "s"})
	t.Run("ROL-8 diff and what-if", func(t *testing.T) {
		do("adjust-goal", harness.Body{"role": lead, "skill": id(34), "percent": 10})
		type outcome struct{ Members, Rise, Fall, Incomplete int }
		same(t, "what if", harness.Decode[struct{ Item outcome }](t, get("/roles/"+lead+"/what-if")).Item, outcome{1, 0, 1, 0})
		same(t, "what if, grandfathered", harness.Decode[struct{ Item outcome }](t, get("/roles/"+lead+"/what-if", "on_publish", "grandfather")).Item, outcome{1, 0, 0, 0})
		type difference struct {
			Changed bool
			Altered []struct{ Name string }
		}
		same(t, "diff", harness.Decode[struct{ Item difference }](t, get("/roles/"+lead+"/diff")).Item, difference{true, []struct{ Name string }{{"Go"}}})
	})
	t.Run("ROL-9 delete and restore", func(t *testing.T) {
		titles := func(path string, parameters ...string) (titles []string) {
			for _, row := range harness.Decode[harness.List[struct{ Title string }]](t, get(path, parameters...)).Items {
				titles = append(titles, row.Title)
			}
			return titles
		}
		refused("delete-role", harness.Body{"role": lead, "confirm_title": "lead"}, refusal{http.StatusUnprocessableEntity, "title_not_confirmed", "/confirm_title"})
		refused("delete-role", harness.Body{"role": preparers, "confirm_title": "Tax Preparers"}, refusal{http.StatusForbidden, "catalog_role", "/role"})
		do("delete-role", harness.Body{"role": lead, "confirm_title": "Lead"})
		same(t, "roles", titles("/roles"), []string{"Junior"})
		same(t, "deleted", titles("/roles", "state", "deleted"), []string{"Lead"})
		same(t, "report", titles("/analytics/roles"), []string{"Junior"})
		same(t, "Ada's roles", titles("/members/"+ada+"/roles"), []string(nil))
		other := do("create-role", harness.Body{"title": "Lead"}).ID
		refused("restore-role", harness.Body{"role": lead}, refusal{http.StatusConflict, "title_taken", "/title"})
		do("rename-role", harness.Body{"role": other, "title": "Head"})
		do("restore-role", harness.Body{"role": lead})
		same(t, "report", titles("/analytics/roles"), []string{"Junior", "Lead"})
		same(t, "Ada's roles", titles("/members/"+ada+"/roles"), []string{"Lead"})
	})
	t.Run("ROL-10 transfer", func(t *testing.T) {
		same(t, "events", do("transfer-role", harness.Body{"role": lead, "to": ada}).Events, []string{"RoleTransferred"})
	})
}
