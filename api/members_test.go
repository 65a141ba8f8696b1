package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"rolewise/domain/access"
	"rolewise/readmodels"
)

func (c *company) names(path, key string) []string {
	c.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	got := c.get("/v1/plans/acme"+path+separator+"min_position="+c.position, key)
	if got.Code != http.StatusOK {
		c.t.Fatalf("%s: %d %s", path, got.Code, got.Body)
	}
	var names []string
	for _, row := range decoded[enlisted[readmodels.MemberRow]](got).Items {
		names = append(names, row.Name)
	}
	return names
}

func TestMembersByState(t *testing.T) {
	c := newCompany(t)
	c.send("create-team", fields{"team": uid(32), "name": "Science", "parent": uid(teamData)})
	c.send("add-team-member", fields{"team": uid(32), "member": uid(memberBo), "team_role": "manager"})
	c.send("accept-invitation", fields{"member": uid(memberAda)})
	c.send("deactivate-member", fields{"member": uid(memberBo)})
	c.send("remove-member", fields{"member": uid(memb)})
	reader := c.rig.key("acme", "read")
	const ada, bo, cy, olga = "Ada Äther", "+Bo", "Cy, \"the\" sly", "Olga Owner"
	for path, want := range map[string][]string{
		"/members":                                                     {bo, ada, olga},
		"/members?state=active":                                        {ada},
		"/members?state=invited":                                       {olga},
		"/members?state=deactivated":                                   {bo},
		"/members?state=removed":                                       {cy},
		"/members?state=all":                                           {bo, ada, cy, olga},
		"/members?q=cy":                                                nil,
		"/members?q=cy&state=all":                                      {cy},
		"/members?q=a&state=active":                                    {ada},
		"/members?team=" + uid(teamData):                               {ada},
		"/members?team=" + uid(teamData) + "&nested=true":              {bo, ada},
		"/members?team=" + uid(teamData) + "&nested=true&q=bo":         {bo},
		"/members?team=" + uid(teamData) + "&q=bo":                     nil,
		"/members?team=" + uid(teamData) + "&nested=true&state=active": {ada},
		"/members?team=" + uid(99):                                     nil,
	} {
		t.Run("MEM-2 MEM-3 "+path, func(t *testing.T) {
			if got := c.names(path, c.key); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	t.Run("MEM-2 removed members are for owners and admins", func(t *testing.T) {
		if got := c.names("/members", reader); len(got) != 3 {
			t.Errorf("%q", got)
		}
		for _, state := range []string{"removed", "all"} {
			c.get("/v1/plans/acme/members?state="+state, reader).refused(403, "not_permitted")
		}
		for _, path := range []string{"", "/roles", "/skills"} {
			none := c.get("/v1/plans/acme/members/"+uid(99)+path, reader).refused(404, "member_not_found")
			gone := c.get("/v1/plans/acme/members/"+uid(memb)+path, reader).refused(404, "member_not_found")
			if none.Detail != gone.Detail || none.Title != gone.Title {
				t.Errorf("%s: %+v differs from %+v", path, gone, none)
			}
			if got := c.see("/members/" + uid(memb) + path); got.Code != 200 {
				t.Errorf("%s: %d %s", path, got.Code, got.Body)
			}
			if got := c.get("/v1/plans/acme/members/"+uid(memberBo)+path, reader); got.Code != 200 {
				t.Errorf("%s: %d %s", path, got.Code, got.Body)
			}
		}
	})
	t.Run("API-2 wrong filters are named", func(t *testing.T) {
		for query, code := range map[string]string{"state=gone": "invalid_value", "team=x": "invalid_id", "nested=true": "team_required", "nested=maybe&team=" + uid(1): "invalid_value"} {
			p := c.get("/v1/plans/acme/members?"+query, c.key)
			if p.Code != 422 && p.Code != 400 || !strings.Contains(p.Body, code) {
				t.Errorf("%s: %d %s", query, p.Code, p.Body)
			}
		}
	})
	t.Run("API-2 a cursor belongs to its filters", func(t *testing.T) {
		page := decoded[enlisted[readmodels.MemberRow]](c.see("/members?state=all&limit=1"))
		for _, other := range []string{"/members?limit=1", "/members?state=active&limit=1", "/members?state=all&limit=1&team=" + uid(teamData)} {
			if got := c.see(other + "&cursor=" + *page.Next); got.Code == 200 || !strings.Contains(got.Body, "invalid_cursor") {
				t.Errorf("%s: %d %s", other, got.Code, got.Body)
			}
		}
		if got := c.see("/members?state=all&limit=1&cursor=" + *page.Next); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}

func TestTeamTree(t *testing.T) {
	c := newCompany(t)
	c.send("create-team", fields{"team": uid(32), "name": "Science", "parent": uid(teamData)})
	teams := func(query string) string {
		t.Helper()
		got := c.see("/teams" + query)
		if got.Code != 200 {
			t.Fatalf("%s: %d %s", query, got.Code, got.Body)
		}
		var names []string
		for _, row := range decoded[enlisted[readmodels.TeamRow]](got).Items {
			names = append(names, fmt.Sprint(row.Name, row.Members, row.Teams))
		}
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"": "Data1 1 Science0 0", "?parent=top": "Data1 1", "?parent=" + uid(teamData): "Science0 0", "?parent=" + uid(32): "",
	} {
		t.Run("MEM-3 /teams"+query, func(t *testing.T) {
			if got := teams(query); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	t.Run("MEM-3 a team and what is above it", func(t *testing.T) {
		got := decoded[enveloped[readmodels.TeamPlace]](c.see("/teams/" + uid(32))).Item
		if got.Name != "Science" || len(got.Above) != 1 || got.Above[0] != (readmodels.TeamName{Team: uid(teamData), Name: "Data"}) {
			t.Errorf("%+v", got)
		}
		c.see("/teams/"+uid(99)).refused(404, "team_not_found")
		c.see("/teams/x").refused(404, "team_not_found")
		if got := c.see("/teams?parent=x"); !strings.Contains(got.Body, "invalid_id") {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("MEM-3 a deleted team", func(t *testing.T) {
		c.send("delete-team", fields{"team": uid(32)})
		c.see("/teams/"+uid(32)).refused(404, "team_not_found")
		if got := teams(""); got != "Data1 0" {
			t.Error(got)
		}
	})
}

// TestPlansOfAPerson stands in for a sign-in that knows whose an address is: keys do not.
func TestPlansOfAPerson(t *testing.T) {
	var deps Deps
	r := newRig(t, true, func(d *Deps) { deps = *d })
	var position, zoe string
	for _, name := range []string{"acme", "beech", "cedar"} {
		key := r.plan(name, "starter")
		if name != "cedar" {
			answer := r.command(name, "invite-member", key, fields{"name": "Zoë", "email": "zoe@example.org"})
			position, zoe = answer.Position, answer.ID
		}
	}
	s, err := newServer(deps)
	if err != nil {
		t.Fatal(err)
	}
	s.engine.GET("/signed-in/:person", s.answering(func(c *call) error {
		c.principal = access.Principal{ID: "person", Plan: "acme", Person: c.gin.Param("person"), Scopes: []access.Scope{access.Read}}
		return s.myPlans(c)
	}))
	see := func(t *testing.T, query string) enlisted[readmodels.PlanRow] {
		t.Helper()
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, query, nil))
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return decoded[enlisted[readmodels.PlanRow]](reply{t, w.Code, w.Header(), w.Body.String()})
	}
	t.Run("PLN-3 a person has several plans", func(t *testing.T) {
		var plans []string
		query := "/signed-in/ZOE@example.org?limit=1&min_position=" + position
		for page := see(t, query); ; page = see(t, query+"&cursor="+*page.Next) {
			for _, row := range page.Items {
				plans = append(plans, row.Plan)
			}
			if page.Next == nil {
				break
			}
		}
		if !slices.Equal(plans, []string{"acme", "beech"}) {
			t.Errorf("%q", plans)
		}
	})
	t.Run("PLN-3 a key has its own, whatever address stands with its member", func(t *testing.T) {
		key := r.command("beech", "create-api-key", operatorKey, fields{"name": "zoe", "scopes": []string{"read"}, "member": zoe}).APIKey
		got := decoded[enlisted[readmodels.PlanRow]](r.get("/v1/me/plans", key))
		if len(got.Items) != 1 || got.Items[0].Plan != "beech" {
			t.Errorf("%+v", got.Items)
		}
	})
}
