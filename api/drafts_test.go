package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolewise/history"
	"rolewise/readmodels"
)

// TestDrafts has four members work on roles: who sees a draft, who edits, who deletes (SPEC ROL-4, ROL-9, ROL-10).
func TestDrafts(t *testing.T) {
	c := newCompany(t)
	person := func(n int, name, accessRole string) (id, key string) {
		id = uid(n)
		body := fields{"member": id, "name": name, "email": name + "@people.example"}
		if accessRole != "" {
			body["access_role"] = accessRole
		}
		c.send("invite-member", body)
		return id, c.command("acme", "create-api-key", c.key, fields{"name": name, "scopes": []string{"*"}, "member": id}).APIKey
	}
	creator, creatorKey := person(71, "creator", "hr")
	_, adminKey := person(72, "admin", "admin")
	other, otherKey := person(73, "other", "hr")
	const draft = 74
	send := func(key, name string, body fields) reply {
		t.Helper()
		got := c.do("POST", "/v1/plans/acme/commands/"+name, key, text(t, body))
		if got.Code == 200 {
			c.position = decoded[struct {
				Position string `json:"position"`
				ID       string `json:"id"`
				Stream   string `json:"stream"`
				Revision int64  `json:"revision"`
				Events   []string
				Warnings []string
			}](got).Position
		}
		return got
	}
	must := func(key, name string, body fields) {
		t.Helper()
		if got := send(key, name, body); got.Code != 200 {
			t.Fatalf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	see := func(key, path string) reply {
		t.Helper()
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		return c.get("/v1/plans/acme"+path+separator+"min_position="+c.position, key)
	}
	titles := func(key, state string) []string {
		t.Helper()
		titles := []string{}
		for _, row := range decoded[enlisted[readmodels.RoleRow]](see(key, "/roles?state="+state)).Items {
			titles = append(titles, row.Title)
		}
		return titles
	}
	equal := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	path := "/roles/" + uid(draft)
	must(creatorKey, "create-role", fields{"role": uid(draft), "title": "Mine"})
	t.Run("ROL-4 a draft is its author's", func(t *testing.T) {
		equal("the creator's drafts", titles(creatorKey, "draft"), []string{"Draft", "Mine"})
		equal("an admin's drafts", titles(adminKey, "draft"), []string{"Draft"})
		equal("another's drafts", titles(otherKey, "draft"), []string{"Draft"})
		for _, key := range []string{adminKey, otherKey} {
			for _, below := range []string{"", "/versions", "/members", "/diff", "/what-if", "/pathway"} {
				see(key, path+below).refused(404, "role_not_found")
			}
		}
		if got := see(creatorKey, path); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("ROL-10 only the creator edits", func(t *testing.T) {
		for _, key := range []string{adminKey, otherKey} {
			send(key, "rename-role", fields{"role": uid(draft), "title": "Yours"}).refused(403, "not_the_creator")
			send(key, "add-role-skill", fields{"role": uid(draft), "skill": uid(skillGo), "required": true}).refused(403, "not_the_creator")
		}
		must(creatorKey, "add-role-skill", fields{"role": uid(draft), "skill": uid(skillGo), "required": true})
		must(creatorKey, "publish-role", fields{"role": uid(draft)})
		must(creatorKey, "rename-role", fields{"role": uid(draft), "title": "Secret next title"})
		for _, key := range []string{adminKey, otherKey} {
			if got := see(key, path); got.Code != 200 || strings.Contains(got.Body, "Secret") {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			see(key, path+"/diff").refused(403, "not_the_creator")
			see(key, path+"/what-if").refused(403, "not_the_creator")
		}
		if got := see(creatorKey, path+"/diff"); got.Code != 200 || !strings.Contains(got.Body, `"title":{"from":"Mine","to":"Secret next title"}`) {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		must(otherKey, "duplicate-role", fields{"source": uid(draft), "title": "Copy"})
	})
	t.Run("ROL-10 under role_editing admins", func(t *testing.T) {
		must(c.key, "set-policy", fields{"policy": "role_editing", "value": "admins"})
		must(adminKey, "rename-role", fields{"role": uid(draft), "title": "Ours"})
		send(otherKey, "rename-role", fields{"role": uid(draft), "title": "Yours"}).refused(403, "not_the_creator")
		equal("an admin's drafts", titles(adminKey, "draft"), []string{"Copy", "Draft"})
		must(c.key, "set-policy", fields{"policy": "role_editing", "value": "creator"})
		send(adminKey, "rename-role", fields{"role": uid(draft), "title": "Yours"}).refused(403, "not_the_creator")
	})
	t.Run("ROL-10 transfer", func(t *testing.T) {
		send(otherKey, "transfer-role", fields{"role": uid(draft), "to": other}).refused(403, "not_an_admin")
		send(creatorKey, "transfer-role", fields{"role": uid(draft), "to": other}).refused(403, "not_an_admin")
		send(adminKey, "transfer-role", fields{"role": uid(draft), "to": uid(99)}).refused(404, "member_not_found")
		must(adminKey, "transfer-role", fields{"role": uid(draft), "to": other})
		send(creatorKey, "rename-role", fields{"role": uid(draft), "title": "Yours"}).refused(403, "not_the_creator")
		must(otherKey, "rename-role", fields{"role": uid(draft), "title": "Mine"})
		must(adminKey, "transfer-role", fields{"role": uid(draft), "to": creator})
	})
	t.Run("ROL-10 a role of a member who leaves", func(t *testing.T) {
		leaver, leaverKey := person(75, "leaver", "hr")
		const left = 76
		must(leaverKey, "create-role", fields{"role": uid(left), "title": "Left"})
		rename := fields{"role": uid(left), "title": "Taken over"}
		must(c.key, "deactivate-member", fields{"member": leaver})
		send(adminKey, "rename-role", rename).refused(403, "not_the_creator")
		send(adminKey, "transfer-role", fields{"role": uid(draft), "to": leaver}).refused(409, "member_inactive")
		must(c.key, "remove-member", fields{"member": leaver})
		send(otherKey, "rename-role", rename).refused(403, "not_the_creator")
		must(adminKey, "rename-role", rename)
		send(adminKey, "transfer-role", fields{"role": uid(draft), "to": leaver}).refused(404, "member_not_found")
		must(adminKey, "transfer-role", fields{"role": uid(left), "to": other})
	})
	t.Run("ROL-10 an owner by grant, and after that", func(t *testing.T) {
		owner, ownerKey := person(77, "owner", "")
		transfer := fields{"role": uid(draft), "to": creator}
		send(ownerKey, "transfer-role", transfer).refused(403, "not_an_admin")
		must(c.key, "grant-access-role", fields{"member": owner, "access_role": "owner"})
		must(ownerKey, "transfer-role", transfer)
		must(c.key, "withdraw-access-role", fields{"member": owner, "access_role": "owner"})
		send(ownerKey, "transfer-role", transfer).refused(403, "not_an_admin")
	})
	t.Run("ROL-9 delete and restore", func(t *testing.T) {
		body := fields{"role": uid(draft), "confirm_title": "Mine"}
		send(otherKey, "delete-role", body).refused(403, "not_the_creator")
		send(creatorKey, "delete-role", fields{"role": uid(draft), "confirm_title": "mine"}).refused(422, "title_not_confirmed")
		must(creatorKey, "delete-role", body)
		equal("the creator's deleted", titles(creatorKey, "deleted"), []string{"Mine"})
		equal("an admin's deleted", titles(adminKey, "deleted"), []string{"Mine"})
		equal("another's deleted", titles(otherKey, "deleted"), []string{})
		see(otherKey, path).refused(404, "role_not_found")
		see(creatorKey, path+"/members").refused(404, "role_not_found")
		see(creatorKey, path+"/what-if").refused(404, "role_not_found")
		send(otherKey, "restore-role", fields{"role": uid(draft)}).refused(403, "not_the_creator")
		must(adminKey, "restore-role", fields{"role": uid(draft)})
		equal("deleted", titles(adminKey, "deleted"), []string{})
		if got := see(otherKey, path); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("ROL-9 a role of the catalog", func(t *testing.T) {
		c.command("catalog", "define-skill", operatorKey, fields{"skill": uid(81), "name": "Vendor's", "state": "beta"})
		c.command("catalog", "create-role", operatorKey, fields{"role": uid(82), "title": "Vendor's"})
		c.command("catalog", "add-role-skill", operatorKey, fields{"role": uid(82), "skill": uid(81), "required": true})
		c.command("catalog", "publish-role", operatorKey, fields{"role": uid(82)})
		send(adminKey, "delete-role", fields{"role": uid(82), "confirm_title": "Vendor's"}).refused(403, "catalog_role")
		got := c.do("POST", "/v1/plans/catalog/commands/delete-role", operatorKey, text(t, fields{"role": uid(82), "confirm_title": "Vendor's"}))
		got.refused(403, "catalog_role")
		see(adminKey, "/roles/"+uid(82)+"/what-if").refused(404, "role_not_found")
	})
}

// TestWhatIf asks what publishing would do, with members on each side of a goal (SPEC ROL-8).
func TestWhatIf(t *testing.T) {
	c := newCompany(t) // goals of Go: 100, 150, 200
	role := uid(roleEngineer)
	for i, score := range []int{90, 99, 100, 109, 110, 149, 150, 164, 165, 200, 219, 220, 300} {
		m := uid(200 + i)
		c.send("invite-member", fields{"member": m, "name": fmt.Sprintf("P%02d", i), "email": fmt.Sprintf("p%d@example.org", i)})
		c.send("assign-role", fields{"role": role, "members": []string{m}})
		c.send("record-skill-iq", fields{"member": m, "skill": uid(skillGo), "score": score, "percentile": 50, "measured_at": "2026-02-01T10:00:00Z", "session": m})
	}
	ask := func(more string) WhatIf {
		t.Helper()
		return decoded[struct {
			WhatIf
			Freshness
		}](c.see("/roles/" + role + "/what-if" + more)).WhatIf
	}
	counts := func(w WhatIf) []int {
		return []int{w.Item.Version, w.Item.Members, w.Item.Rise, w.Item.Fall, w.Item.Incomplete, len(w.Item.Changes)}
	}
	equal := func(what string, got, want any) {
		t.Helper()
		if g, w := text(t, got), text(t, want); g != w {
			t.Errorf("%s: %s, want %s", what, g, w)
		}
	}
	equal("nothing edited", counts(ask("")), []int{1, 16, 0, 0, 0, 0})
	c.send("adjust-goal", fields{"role": role, "skill": uid(skillGo), "percent": 10})
	before := c.head()
	up := ask("") // goals 110, 165, 220
	equal("10 % up", counts(up), []int{2, 16, 0, 7, 0, 7})
	mid, entry := "mid", "entry"
	equal("whose", up.Item.Changes[0], history.Change{
		Member: uid(memberBo), Name: "+Bo", Change: "fall", From: history.Stand{State: "completed", Level: &mid}, To: history.Stand{State: "completed", Level: &entry},
	})
	equal("grandfathered", counts(ask("?on_publish=grandfather")), []int{2, 16, 0, 0, 0, 0})
	first := ask("?limit=4")
	second := ask("?limit=4&cursor=" + *first.Next)
	equal("pages", append(first.Item.Changes, second.Item.Changes...), up.Item.Changes)
	if second.Next != nil {
		t.Error("a page after the last")
	}
	c.send("set-skill-required", fields{"role": role, "skill": uid(skillSQL), "required": true})
	equal("one more required", counts(ask("")), []int{2, 16, 0, 0, 14, 14})
	c.send("set-skill-required", fields{"role": role, "skill": uid(skillSQL), "required": false})
	c.send("adjust-goal", fields{"role": role, "skill": uid(skillGo), "percent": -10})
	down := ask("") // goals 90, 135, 180
	equal("10 % down", counts(down), []int{2, 16, 3, 0, 0, 3})
	c.send("remove-role-skill", fields{"role": role, "skill": uid(skillGo)})
	c.see("/roles/"+role+"/what-if").refused(409, "no_required_skill")
	if events := decoded[enlisted[Event]](c.get("/v1/plans/acme/events?after="+before.String(), c.key)).Items; len(events) != 4 {
		t.Errorf("asking appended: %d events", len(events))
	}
}

func text(t testing.TB, value any) string {
	t.Helper()
	b, err := encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
