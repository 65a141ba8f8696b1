package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolewise/domain/access"
	"rolewise/readmodels"
)

// company is a plan with two roles, three members, a team, and a measurement.
type company struct {
	*rig
	key      string
	position string // of the last command
}

const (
	skillGo, skillSQL         = 11, 12
	memberAda, memberBo, memb = 21, 22, 23
	teamData                  = 31
	roleEngineer, roleAnalyst = 41, 42
)

func newCompany(t *testing.T, change ...func(*Deps)) *company {
	r := newRig(t, true, change...)
	c := &company{rig: r, key: r.plan("acme", "enterprise")}
	c.send("define-skill", fields{"skill": uid(skillGo), "name": "Go", "state": "validated"})
	c.send("define-skill", fields{"skill": uid(skillSQL), "name": "=SQL", "state": "validated", "synonyms": []string{"Structured Query Language"}})
	for _, skill := range []int{skillGo, skillSQL} {
		c.send("publish-benchmark", fields{"skill": uid(skill), "thresholds": []int{100, 150, 200}, "source": "test"})
	}
	c.send("create-team", fields{"team": uid(teamData), "name": "Data"})
	c.send("invite-member", fields{"member": uid(memberAda), "name": "Ada Äther", "email": "ada@example.org", "teams": []fields{{"team": uid(teamData), "team_role": "member"}}})
	c.send("invite-member", fields{"member": uid(memberBo), "name": "+Bo", "email": "bo@example.org"})
	c.send("invite-member", fields{"member": uid(memb), "name": "Cy, \"the\" sly", "email": "cy@example.org"})
	for role, title := range map[int]string{roleEngineer: "Engineer", roleAnalyst: "@Analyst"} {
		c.send("create-role", fields{"role": uid(role), "title": title})
		c.send("add-role-skill", fields{"role": uid(role), "skill": uid(skillGo), "required": true})
		c.send("add-role-skill", fields{"role": uid(role), "skill": uid(skillSQL), "required": false})
		c.send("publish-role", fields{"role": uid(role)})
	}
	c.send("create-role", fields{"role": uid(43), "title": "Draft"})
	c.send("assign-role", fields{"role": uid(roleEngineer), "members": []string{uid(memberBo), uid(memb)}, "teams": []string{uid(teamData)}})
	c.send("select-level", fields{"role": uid(roleEngineer), "level": "mid", "member": uid(memberBo)})
	c.send("record-skill-iq", fields{"member": uid(memberBo), "skill": uid(skillGo), "score": 160, "percentile": 70, "measured_at": "2026-02-01T10:00:00Z", "session": "s1"})
	return c
}

func (c *company) send(name string, body fields) {
	c.t.Helper()
	c.position = c.command("acme", name, c.key, body).Position
}

// see asks for a path of the plan at the position of the last command.
func (c *company) see(path string, headers ...string) reply {
	c.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return c.get("/v1/plans/acme"+path+separator+"min_position="+c.position, c.key, headers...)
}

func TestQueries(t *testing.T) {
	c := newCompany(t)
	check := func(path string, want any) reply {
		t.Helper()
		got := c.see(path)
		if got.Code != 200 || got.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s", path, got.Code, got.Body)
		}
		if want := fmt.Sprint(want); !strings.Contains(got.Body, want) {
			t.Errorf("%s: no %s in %s", path, want, got.Body)
		}
		return got
	}
	t.Run("ROL-4 roles", func(t *testing.T) {
		all := decoded[enlisted[readmodels.RoleRow]](check("/roles", `"title":"Engineer"`))
		if len(all.Items) != 3 {
			t.Errorf("%+v", all.Items)
		}
		for state, n := range map[string]int{"draft": 1, "published": 2} {
			if some := decoded[enlisted[readmodels.RoleRow]](c.see("/roles?state=" + state)); len(some.Items) != n {
				t.Errorf("%s: %+v", state, some.Items)
			}
		}
		one := decoded[enveloped[readmodels.RoleRow]](check("/roles/"+uid(roleEngineer), `"goals":[100,150,200]`))
		if one.Item.Version != 1 || one.Item.Draft.Skills[0].Name != "Go" {
			t.Errorf("%+v", one.Item)
		}
		check("/roles/"+uid(roleEngineer)+"/versions", `"version":1`)
		check("/roles/"+uid(43)+"/versions", `"items":[]`)
		check("/roles/"+uid(roleEngineer)+"/members", `"paths":["team:`+uid(teamData)+`"]`)
	})
	t.Run("MEM-4 members", func(t *testing.T) {
		check("/members", `"name":"Ada Äther"`)
		if found := decoded[enlisted[readmodels.MemberRow]](c.see("/members?q=aeth%20x")); len(found.Items) != 0 {
			t.Errorf("%+v", found)
		}
		if found := decoded[enlisted[readmodels.MemberRow]](c.see("/members?q=ATH")); len(found.Items) != 1 || found.Items[0].Member != uid(memberAda) {
			t.Errorf("%+v", found)
		}
		check("/members/"+uid(memberAda), `"email":"ada@example.org"`)
		check("/teams", `"name":"Data"`)
		check("/skills?q=structured", `"name":"=SQL"`)
	})
	t.Run("PRG-3 the effect of a measurement at its position", func(t *testing.T) {
		rows := decoded[enlisted[readmodels.ProgressRow]](check("/members/"+uid(memberBo)+"/roles", `"state":"completed"`))
		if len(rows.Items) != 1 || *rows.Items[0].Level != "mid" {
			t.Errorf("%+v", rows.Items)
		}
		check("/members/"+uid(memberBo)+"/skills", `"level":"above_average"`)
		check("/members/"+uid(memb)+"/skills", `"items":[]`)
	})
	t.Run("ANA-1 all roles", func(t *testing.T) {
		report := decoded[struct {
			RolesReport
			Freshness
		}](check("/analytics/roles", `"metric":"engaged.v1"`))
		want := readmodels.RoleLine{
			Role: uid(roleEngineer), Title: "Engineer", Version: 1, Assigned: 3, Engaged: 1, Started: 1, Completed: 1,
			Levels: readmodels.LevelCount{Mid: 1},
		}
		if len(report.Items) != 2 || report.Items[1] != want || report.Totals.Assigned != 3 || report.Members != 4 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("ANA-2 one role", func(t *testing.T) {
		report := decoded[struct {
			RoleReport
			Freshness
		}](check("/analytics/roles/"+uid(roleEngineer), `"measured":1`))
		if report.Item.Assigned != 3 || len(report.Skills) != 2 || report.Skills[0].Levels.AboveAverage != 1 || report.Metric != "engaged.v1" {
			t.Errorf("%+v", report)
		}
	})
	t.Run("ANA-3 members of a role", func(t *testing.T) {
		report := decoded[enlisted[readmodels.MemberLine]](check("/analytics/roles/"+uid(roleEngineer)+"/members", `"required_done":1`))
		if len(report.Items) != 3 || len(report.Items[0].Skills) != 2 {
			t.Errorf("%+v", report)
		}
		if strings.Contains(c.see("/analytics/roles/"+uid(roleEngineer)+"/members").Body, "160") {
			t.Error("MSR-7 a score is shown")
		}
	})
	t.Run("unknown objects", func(t *testing.T) {
		for path, code := range map[string]string{
			"/roles/" + uid(99): "role_not_found", "/roles/" + uid(99) + "/versions": "role_not_found", "/roles/" + uid(99) + "/members": "role_not_found",
			"/roles/x%00y": "role_not_found", "/members/" + uid(99): "member_not_found", "/members/" + uid(99) + "/roles": "member_not_found",
			"/members/" + uid(99) + "/skills": "member_not_found", "/analytics/roles/" + uid(99): "role_not_found",
			"/analytics/roles/" + uid(99) + "/members": "role_not_found", "/analytics/roles/" + strings.ToUpper(uid(roleEngineer)): "role_not_found",
		} {
			c.see(path).refused(404, code)
		}
	})
}

func TestBadParameters(t *testing.T) {
	c := newCompany(t)
	for query, code := range map[string]string{
		"limit=1001": "invalid_limit", "limit=0": "invalid_limit", "limit=-1": "invalid_limit", "limit=ten": "invalid_limit", "limit=": "invalid_limit",
		"limit=010": "invalid_limit", "limit=1e2": "invalid_limit", "limit=99999999999999999999": "invalid_limit",
		"state=": "invalid_value", "state=Draft": "invalid_value", "min_position=x": "invalid_position", "min_position=": "invalid_position",
		"min_position=01": "invalid_position", "min_position=-1": "invalid_position", "min_position=99999999999999999999": "invalid_position",
		"q=x": "unknown_parameter", "Limit=5": "unknown_parameter", "limit=5&limit=5": "duplicate_parameter", "cursor=": "invalid_cursor",
		"cursor=%00": "invalid_cursor", "cursor=AAAA": "invalid_cursor", "format=csv": "unknown_parameter", "%ff=1": "unknown_parameter",
	} {
		t.Run("API-2 "+query, func(t *testing.T) {
			p := c.get("/v1/plans/acme/roles?"+query, c.key).refused(422, code)
			if len(p.Errors) != 1 || p.Errors[0].Parameter == "" || p.Errors[0].Pointer != "" {
				t.Errorf("%+v", p.Errors)
			}
		})
	}
	for path, code := range map[string]string{
		"/members?q=%ff":                                                "invalid_text",
		"/members?q=" + strings.Repeat("a", 201):                        "invalid_text",
		"/roles?limit=%":                                                "malformed_query",
		"/events?after=x":                                               "invalid_position",
		"/events?after=1000000":                                         "invalid_position",
		"/events?limit=1001":                                            "invalid_limit",
		"/events?cursor=1":                                              "unknown_parameter",
		"/analytics/roles?format=xml":                                   "invalid_value",
		"/analytics/roles?format=csv&limit=5":                           "not_in_csv",
		"/analytics/roles?rows=skills":                                  "unknown_parameter",
		"/analytics/roles/" + uid(41) + "?limit=5":                      "unknown_parameter",
		"/analytics/roles/" + uid(41) + "/members?rows=skills":          "csv_only",
		"/analytics/roles/" + uid(41) + "/members?rows=x&format=csv":    "invalid_value",
		"/analytics/roles/" + uid(41) + "/members?min_position=&rows=x": "several_faults",
	} {
		t.Run("API-2 "+path, func(t *testing.T) {
			status := 422
			if code == "malformed_query" {
				status = 400
			}
			c.get("/v1/plans/acme"+path, c.key).refused(status, code)
		})
	}
	c.get("/v1/me?x=1", c.key).refused(422, "unknown_parameter")
	c.get("/v1/about?x=1", "").refused(422, "unknown_parameter")
	c.get("/v1/me/plans?limit=0", c.key).refused(422, "invalid_limit")
}

func TestCursors(t *testing.T) {
	c := newCompany(t)
	for i := range 25 {
		c.send("invite-member", fields{"member": uid(100 + i), "name": fmt.Sprintf("Zoe %02d", i), "email": fmt.Sprintf("zoe%d@example.org", i)})
	}
	walk := func(path string, limit int) (ids []string, cursors []string) {
		t.Helper()
		cursor := ""
		for range 50 {
			separator := "?"
			if strings.Contains(path, "?") {
				separator = "&"
			}
			got := c.see(path + separator + "limit=" + strconv.Itoa(limit) + cursor)
			if got.Code != 200 {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			page := decoded[enlisted[readmodels.MemberRow]](got)
			for _, m := range page.Items {
				ids = append(ids, m.Member)
			}
			if page.Next == nil {
				return ids, cursors
			}
			if len(page.Items) != limit {
				t.Errorf("page of %d with a next", len(page.Items))
			}
			cursors = append(cursors, *page.Next)
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
		t.Fatal("no end")
		return nil, nil
	}
	whole, _ := walk("/members", 1000)
	for _, limit := range []int{1, 2, 7, 28, 29, 30} {
		t.Run("API-2 pages of "+strconv.Itoa(limit), func(t *testing.T) {
			if ids, _ := walk("/members", limit); len(whole) != 29 || !slices.Equal(ids, whole) {
				t.Errorf("got %v\nwant %v", ids, whole)
			}
		})
	}
	t.Run("API-2 search in pages", func(t *testing.T) {
		if ids, _ := walk("/members?q=zoe", 4); len(ids) != 25 {
			t.Errorf("%v", ids)
		}
	})
	t.Run("API-2 a cursor belongs to its plan, list and filters", func(t *testing.T) {
		_, cursors := walk("/members", 10)
		other := c.plan("other", "enterprise")
		for _, path := range []string{"/members?q=zoe&", "/teams?", "/skills?", "/roles?", "/roles/" + uid(41) + "/members?"} {
			c.see(path+"cursor="+cursors[0]).refused(422, "invalid_cursor")
		}
		c.get("/v1/plans/other/members?cursor="+cursors[0], other).refused(422, "invalid_cursor")
		raw, err := base64.RawURLEncoding.DecodeString(cursors[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			changed := slices.Clone(raw)
			changed[i] ^= 1
			c.see("/members?cursor="+base64.RawURLEncoding.EncodeToString(changed)).refused(422, "invalid_cursor")
		}
		c.see("/members?cursor="+cursors[0]+"=").refused(422, "invalid_cursor")
	})
}

// TestAuthentication: the same answer, whatever is wrong with the key.
func TestAuthentication(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	revoked := r.command("acme", "create-api-key", key, fields{"name": "old", "scopes": []string{"*"}})
	r.command("acme", "revoke-api-key", key, fields{"key": revoked.ID})
	name, _, _ := strings.Cut(key, "_")
	before := r.head()
	first := r.get("/v1/plans/acme/roles", "")
	for what, headers := range map[string][]string{
		"revoked": {"Authorization", "Bearer " + revoked.APIKey}, "wrong secret": {"Authorization", "Bearer " + key[:len(key)-1] + "0"},
		"no such plan": {"Authorization", "Bearer rw_nope.x_y"}, "no such form": {"Authorization", "Bearer " + name},
		"basic": {"Authorization", "Basic " + key}, "empty": {"Authorization", "Bearer "}, "no scheme": {"Authorization", key},
		"two keys": {"Authorization", "Bearer " + key, "X-API-Key", key}, "almost the operator": {"Authorization", "Bearer " + operatorKey + "x"},
		"impossible": {"Authorization", "Bearer rw_\x01.é_\xff"},
	} {
		t.Run("ACC-5 "+what, func(t *testing.T) {
			got := r.get("/v1/plans/acme/roles", "", headers...)
			same(t, got, first).refused(401, "unauthorized")
			if got.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%v", got.Header)
			}
		})
	}
	t.Run("nothing is reachable without a key", func(t *testing.T) {
		for _, route := range routesOf(t) {
			got := r.do(route.method, route.path, "", "")
			open := route.path == "/v1/about"
			if open != (got.Code == 200) || !open && got.Code != 401 {
				t.Errorf("%s %s: %d", route.method, route.path, got.Code)
			}
		}
		if got := r.get("/openapi.json", ""); got.Code != 200 || !strings.HasPrefix(got.Body, `{"components":`) && !strings.Contains(got.Body, `"openapi":"3.1.0"`) {
			t.Errorf("%d %.80s", got.Code, got.Body)
		}
	})
	t.Run("without an operator's key nobody is the operator", func(t *testing.T) {
		none := newRig(t, false, func(d *Deps) { d.OperatorKey = "" })
		none.get("/v1/me", operatorKey).refused(401, "unauthorized")
		none.get("/v1/me", "").refused(401, "unauthorized")
	})
	if r.head() != before {
		t.Error("something was appended")
	}
}

type route struct{ method, path string }

// routesOf lists all routes with ids in the place of parameters.
func routesOf(t *testing.T) []route {
	s, err := newServer(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var all []route
	for _, info := range s.engine.Routes() {
		if info.Path != "/openapi.json" {
			all = append(all, route{info.Method, strings.NewReplacer(":plan", "acme", ":id", uid(41)).Replace(info.Path)})
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d routes", len(all))
	}
	return all
}

// TestForeignPlans: whatever is asked of another plan is answered as if there were no such plan.
func TestForeignPlans(t *testing.T) {
	c := newCompany(t)
	other := c.plan("other", "enterprise")
	before := c.head()
	for _, route := range routesOf(t) {
		if !strings.HasPrefix(route.path, "/v1/plans/acme/") {
			continue
		}
		t.Run("ACC-5 "+route.method+" "+route.path, func(t *testing.T) {
			body := ""
			if route.method == "POST" {
				body = bodyFor(t, route.path)
			}
			foreign := c.do(route.method, route.path, other, body)
			none := c.do(route.method, strings.Replace(route.path, "acme", "nobody", 1), other, body)
			same(t, foreign, none).refused(404, "plan_not_found")
			byOperator := c.do(route.method, strings.Replace(route.path, "acme", "nobody", 1), operatorKey, body)
			same(t, byOperator, none).refused(404, "plan_not_found")
		})
	}
	t.Run("PLN-3 objects of another plan are as none", func(t *testing.T) {
		for _, path := range []string{"/roles/%s", "/members/%s", "/members/%s/roles", "/analytics/roles/%s", "/roles/%s/members"} {
			id := uid(roleEngineer)
			if strings.HasPrefix(path, "/members") {
				id = uid(memberAda)
			}
			a := c.get("/v1/plans/other"+fmt.Sprintf(path, id)+"?min_position="+c.position, other)
			b := c.get("/v1/plans/other"+fmt.Sprintf(path, uid(99))+"?min_position="+c.position, other)
			if same(t, a, b); a.Code != 404 {
				t.Errorf("%s: %d", path, a.Code)
			}
		}
	})
	if c.head() != before {
		t.Error("something was appended")
	}
}

// bodyFor returns a body of the right form for a command, so that it is not refused for that.
func bodyFor(t *testing.T, path string) string {
	name := path[strings.LastIndex(path, "/")+1:]
	values := map[string]string{
		"name": `"Name"`, "title": `"Title"`, "email": `"x@example.org"`, "scopes": `["read"]`, "policy": `"recalculation"`, "value": `"automatic"`,
		"thresholds": `[1,2,3]`, "skills": `[]`, "measured_at": `"2026-01-01T00:00:00Z"`, "state": `"beta"`, "team_role": `"member"`,
	}
	document, err := OpenAPI("", "")
	if err != nil {
		t.Fatal(err)
	}
	got := reply{t: t, Body: string(document)}
	var parsed struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Schema map[string]string }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	loosely(got, &parsed)
	ref := parsed.Paths["/v1/plans/{plan}/commands/"+name]["post"].RequestBody.Content["application/json"].Schema["$ref"]
	var fields []string
	body := parsed.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	for _, field := range body.Required {
		value, ok := values[field]
		switch {
		case ok:
		case body.Properties[field]["type"] == "integer":
			value = "0"
		case body.Properties[field]["type"] == "boolean":
			value = "true"
		default:
			value = `"` + uid(99) + `"`
		}
		fields = append(fields, `"`+field+`":`+value)
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func TestFeaturesAndScopes(t *testing.T) {
	r := newRig(t, false)
	r.plan("small", "standard")
	r.plan("middle", "starter")
	for path, want := range map[string]struct{ feature, tier string }{
		"/analytics/roles": {"roles", "starter"}, "/analytics/roles/" + uid(41): {"roles", "starter"},
		"/analytics/roles/" + uid(41) + "/members": {"advanced_analytics", "enterprise"}, "/events": {"audit", "professional"},
	} {
		t.Run("PLN-1 "+path, func(t *testing.T) {
			p := r.get("/v1/plans/small"+path, operatorKey).refused(403, "feature_not_in_plan")
			if !strings.Contains(p.Detail, want.feature) || !strings.Contains(p.Detail, want.tier) {
				t.Error(p.Detail)
			}
		})
	}
	t.Run("PLN-1 a single feature", func(t *testing.T) {
		r.command("", "grant-plan-feature", operatorKey, fields{"plan": "small", "feature": "audit"})
		if got := r.get("/v1/plans/small/events", operatorKey); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	r.command("", "change-plan-tier", operatorKey, fields{"plan": "middle", "tier": "enterprise"})
	keys := map[string]string{}
	for _, scope := range access.Scopes() {
		keys[string(scope)] = r.key("middle", string(scope))
	}
	for path, permitted := range map[string][]string{
		"/roles": {"*", "read"}, "/members": {"*", "read"}, "/analytics/roles": {"*", "read"}, "/events": {"*", "audit"},
	} {
		for scope, key := range keys {
			t.Run("ACC-1 "+scope+" "+path, func(t *testing.T) {
				got := r.get("/v1/plans/middle"+path, key)
				if slices.Contains(permitted, scope) {
					if got.Code != 200 {
						t.Errorf("%d %s", got.Code, got.Body)
					}
					return
				}
				got.refused(403, "not_permitted")
			})
		}
	}
	t.Run("ACC-4 a revoked key is refused at once", func(t *testing.T) {
		made := r.command("middle", "create-api-key", operatorKey, fields{"name": "short-lived", "scopes": []string{"read"}})
		if got := r.get("/v1/me", made.APIKey); got.Code != 200 {
			t.Fatalf("%d", got.Code)
		}
		r.command("middle", "revoke-api-key", operatorKey, fields{"key": made.ID})
		r.get("/v1/me", made.APIKey).refused(401, "unauthorized")
	})
}

func TestMeAndAbout(t *testing.T) {
	c := newCompany(t)
	t.Run("me", func(t *testing.T) {
		answer := c.command("acme", "create-api-key", c.key, fields{"name": "Ada's", "scopes": []string{"read", "write"}, "member": uid(memberAda)})
		me := decoded[Me](c.get("/v1/me", answer.APIKey))
		plan, member := "acme", uid(memberAda)
		if want := (Me{ID: "key:" + answer.ID, Plan: &plan, Member: &member, Scopes: []access.Scope{"read", "write"}}); !reflect.DeepEqual(me, want) {
			t.Errorf("%+v", me)
		}
		if got := c.get("/v1/me", operatorKey).Body; got != `{"id":"operator","plan":null,"member":null,"scopes":[],"operator":true}` {
			t.Error(got)
		}
	})
	t.Run("PLN-3 plans", func(t *testing.T) {
		c.plan("other", "starter")
		position := c.head().String()
		mine := decoded[enlisted[readmodels.PlanRow]](c.get("/v1/me/plans?min_position="+position, c.key))
		if len(mine.Items) != 1 || mine.Items[0].Plan != "acme" || mine.Items[0].Members != 4 {
			t.Errorf("%+v", mine)
		}
		var all []string
		for cursor := ""; ; {
			page := decoded[enlisted[readmodels.PlanRow]](c.get("/v1/me/plans?limit=1&min_position="+position+cursor, operatorKey))
			all = append(all, page.Items[0].Plan)
			if page.Next == nil {
				break
			}
			cursor = "&cursor=" + *page.Next
		}
		if !slices.Equal(all, []string{"acme", "catalog", "other"}) {
			t.Errorf("%v", all)
		}
	})
	t.Run("IMP-4 about", func(t *testing.T) {
		about := decoded[About](c.get("/v1/about", ""))
		if about.Name != "Rolewise" || about.Version != "1.2.3" || len(about.Attributions) != 1 || about.Attributions[0].Source != "O*NET" {
			t.Errorf("%+v", about)
		}
	})
}

// TestCatalog: everyone who signs in reads what the vendor published, and nothing else of the vendor's plan.
func TestCatalog(t *testing.T) {
	c := newCompany(t)
	position := ""
	send := func(name string, body fields) {
		position = c.command("catalog", name, operatorKey, body).Position
	}
	send("define-skill", fields{"skill": uid(61), "name": "Catalog skill", "state": "validated"})
	send("publish-benchmark", fields{"skill": uid(61), "thresholds": []int{1, 2, 3}, "source": "x"})
	send("create-role", fields{"role": uid(62), "title": "Public"})
	send("add-role-skill", fields{"role": uid(62), "skill": uid(61), "required": true})
	send("publish-role", fields{"role": uid(62)})
	send("rename-role", fields{"role": uid(62), "title": "Secret next title"})
	send("create-role", fields{"role": uid(63), "title": "Secret draft"})
	at := "min_position=" + position
	for _, path := range []string{"/roles?", "/roles?state=published&", "/roles/" + uid(62) + "?", "/roles/" + uid(62) + "/versions?", "/skills?"} {
		t.Run("PLN-3 "+path, func(t *testing.T) {
			got := c.get("/v1/plans/catalog"+path+at, c.key)
			if got.Code != 200 || !strings.Contains(got.Body, uid(62)) && !strings.Contains(got.Body, uid(61)) || strings.Contains(got.Body, "Secret") {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if path == "/roles?" || path == "/roles/"+uid(62)+"?" {
				if own := c.get("/v1/plans/catalog"+path+at, operatorKey); !strings.Contains(own.Body, "Secret") {
					t.Errorf("the operator sees no draft: %s", own.Body)
				}
			}
		})
	}
	if got := decoded[enlisted[readmodels.RoleRow]](c.get("/v1/plans/catalog/roles?state=draft&"+at, c.key)); len(got.Items) != 0 {
		t.Errorf("%+v", got)
	}
	c.get("/v1/plans/catalog/roles/"+uid(63)+"?"+at, c.key).refused(404, "role_not_found")
	c.get("/v1/plans/catalog/roles/"+uid(63)+"/versions?"+at, c.key).refused(404, "role_not_found")
	for _, path := range []string{"/members", "/teams", "/members/" + uid(1), "/analytics/roles", "/events", "/roles/" + uid(62) + "/members"} {
		same(t, c.get("/v1/plans/catalog"+path, c.key), c.get("/v1/plans/nobody"+path, c.key)).refused(404, "plan_not_found")
	}
	t.Run("ASG-1 holders of a catalog role", func(t *testing.T) {
		c.send("assign-role", fields{"role": uid(62), "members": []string{uid(memberAda)}})
		if got := decoded[enlisted[readmodels.HolderRow]](c.see("/roles/" + uid(62) + "/members")); len(got.Items) != 1 {
			t.Errorf("%+v", got)
		}
		c.see("/roles/"+uid(63)+"/members").refused(404, "role_not_found")
	})
}

func TestFreshness(t *testing.T) {
	t.Run("ANA-6 position, as_of and lag", func(t *testing.T) {
		c := newCompany(t)
		c.clock.move(time.Hour)
		got := c.see("/roles")
		f := decoded[enlisted[readmodels.RoleRow]](got).Freshness
		if f.Position != c.head().String() || !f.AsOf.Equal(c.clock.Now().Add(-time.Hour)) || *f.LagMS != 0 {
			t.Errorf("%+v", f)
		}
		if got.Header.Get("X-Rolewise-Position") != f.Position || got.Header.Get("X-Rolewise-As-Of") != "2026-03-01T09:00:00Z" {
			t.Errorf("%v", got.Header)
		}
		if !strings.Contains(got.Body, `"as_of":"2026-03-01T09:00:00Z","lag_ms":0}`) {
			t.Error(got.Body)
		}
	})
	t.Run("ANA-6 lag where the read model is behind", func(t *testing.T) {
		r := newRig(t, false)
		key := r.plan("acme", "enterprise")
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"items":[],"next":null,"position":"0","as_of":null,"lag_ms":null}`) {
			t.Error(got.Body)
		}
		if err := r.models.Commit(t.Context(), readmodels.Batch{Scope: readmodels.Roles, Checkpoint: readmodels.Checkpoint{Position: 1, Time: r.clock.Now()}}); err != nil {
			t.Fatal(err)
		}
		r.clock.move(1500 * time.Millisecond)
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"position":"1","as_of":"2026-03-01T09:00:00Z","lag_ms":1500}`) {
			t.Error(got.Body)
		}
		r.clock.move(-time.Hour)
		if got := r.get("/v1/plans/acme/roles", key); !strings.Contains(got.Body, `"lag_ms":0}`) {
			t.Error(got.Body)
		}
	})
}

func TestMinPosition(t *testing.T) {
	r := newRig(t, false, func(d *Deps) { d.MinPositionWait = 20 * time.Millisecond })
	key := r.plan("acme", "enterprise")
	for _, path := range []string{
		"/v1/plans/acme/roles?", "/v1/plans/acme/members/" + uid(1) + "?", "/v1/plans/acme/analytics/roles?",
		"/v1/plans/acme/analytics/roles?format=csv&", "/v1/me/plans?",
	} {
		t.Run("ANA-6 never older, else 503: "+path, func(t *testing.T) {
			got := r.get(path+"min_position="+r.head().String(), key)
			got.refused(503, "not_yet_visible")
			if got.Header.Get("Retry-After") != "1" {
				t.Errorf("%v", got.Header)
			}
		})
	}
	r.get(fmt.Sprintf("/v1/plans/acme/events?min_position=%d", r.head()+1), key).refused(503, "not_yet_visible")
	if strings.Contains(r.log.String(), "request failed") {
		t.Error("a wait in vain is logged as a failure")
	}
}

// TestMinPositionWakes: the answer comes as soon as the read model is there, not at the end of the wait.
func TestMinPositionWakes(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	answered := make(chan reply)
	go func() { answered <- r.get("/v1/plans/acme/roles?min_position="+r.head().String(), key) }()
	if err := r.models.Commit(t.Context(), readmodels.Batch{Scope: readmodels.Roles, Checkpoint: readmodels.Checkpoint{Position: r.head(), Time: r.clock.Now()}}); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got.Code != 200 || decoded[enlisted[readmodels.RoleRow]](got).Position != r.head().String() {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestETag(t *testing.T) {
	c := newCompany(t)
	first := c.see("/members/" + uid(memberAda))
	tag := first.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) || first.Header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("%v", first.Header)
	}
	t.Run("API-2 304 while the object is the same", func(t *testing.T) {
		c.send("create-team", fields{"name": "Elsewhere"})
		for _, match := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			got := c.see("/members/"+uid(memberAda), "If-None-Match", match)
			if got.Code != http.StatusNotModified || got.Body != "" || got.Header.Get("ETag") != tag || got.Header.Get("X-Rolewise-Position") != c.position {
				t.Errorf("%s: %d %s %v", match, got.Code, got.Body, got.Header)
			}
		}
		if got := c.see("/members/"+uid(memberAda), "If-None-Match", `"x"`); got.Code != 200 {
			t.Errorf("%d", got.Code)
		}
	})
	t.Run("API-2 200 when it changed", func(t *testing.T) {
		c.send("remove-team-member", fields{"member": uid(memberAda), "team": uid(teamData)})
		if got := c.see("/members/"+uid(memberAda), "If-None-Match", tag); got.Code != 200 || got.Header.Get("ETag") == tag {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}
