package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolewise/domain/access"
	"rolewise/readmodels"
)

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
		"thresholds": `[1,2,3]`, "skills": `[]`, "advances_from": `[]`, "measured_at": `"2026-01-01T00:00:00Z"`, "state": `"beta"`, "team_role": `"member"`,
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
