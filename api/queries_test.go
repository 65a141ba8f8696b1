package api

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

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
