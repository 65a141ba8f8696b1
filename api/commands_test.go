package api

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain/access"
)

func TestCommandAnswers(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	t.Run("API-1 stream, revision, position, event types", func(t *testing.T) {
		answer := r.command("acme", "create-role", key, fields{"role": uid(1), "title": "Data engineer"})
		want := commands.Answer{
			ID: uid(1), Stream: "role-acme." + uid(1), Revision: 0, Position: r.head().String(), Events: []string{"RoleCreated"},
			Warnings: answer.Warnings,
		}
		if !reflect.DeepEqual(answer, want) || len(answer.Warnings) == 0 {
			t.Errorf("got %+v", answer)
		}
	})
	t.Run("API-1 a command that changes nothing has no events", func(t *testing.T) {
		got := r.do("POST", "/v1/plans/acme/commands/rename-role", key, `{"role":"`+uid(1)+`","title":"Data engineer"}`)
		if got.Code != 200 || !strings.Contains(got.Body, `"events":[]`) {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("API-1 X-API-Key, charset and spellings of the scheme", func(t *testing.T) {
		got := r.do("POST", "/v1/plans/acme/commands/create-role", "", `{"title":"Second"}`, "X-API-Key", key, "Content-Type", "application/json; charset=UTF-8")
		if got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		if got := r.get("/v1/me", "", "Authorization", "bearer  "+key); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("API-1 dry run decides and appends nothing", func(t *testing.T) {
		before := r.head()
		got := r.do("POST", "/v1/plans/acme/commands/create-role?dry_run=true", key, `{"role":"`+uid(2)+`","title":"Dry"}`, "Idempotency-Key", "dry")
		if answer := decoded[commands.Answer](got); got.Code != 200 || !reflect.DeepEqual(answer.Events, []string{"RoleCreated"}) {
			t.Errorf("%d %s", got.Code, got.Body)
		}
		r.do("POST", "/v1/plans/acme/commands/create-role?dry_run=true", key, `{"title":""}`).refused(422, "invalid_length")
		if r.head() != before {
			t.Error("something was appended")
		}
		if got := r.do("POST", "/v1/plans/acme/commands/create-role?dry_run=false", key, `{"role":"`+uid(2)+`","title":"Wet"}`); got.Code != 200 || r.head() == before {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("API-1 correlation and actor stand in the event", func(t *testing.T) {
		answer := r.command("acme", "create-role", key, fields{"title": "Traced"}, "X-Request-Id", "request-77", "X-Correlation-Id", "correlation-78")
		events := decoded[enlisted[Event]](r.get("/v1/plans/acme/events?limit=1000", key)).Items
		last := events[len(events)-1]
		if last.Position != answer.Position || last.Correlation != "correlation-78" || !strings.HasPrefix(last.Actor, "key:") {
			t.Errorf("%+v", last)
		}
		r.command("acme", "create-role", key, fields{"title": "Traced too"}, "X-Request-Id", "request-79", "X-Correlation-Id", "bad correlation!")
		events = decoded[enlisted[Event]](r.get("/v1/plans/acme/events?after="+answer.Position, key)).Items
		if len(events) != 2 || events[0].Type != "Reserved" || events[0].Correlation != "request-79" || events[1].Correlation != "request-79" {
			t.Errorf("%+v", events)
		}
	})
	t.Run("API-1 k_of_n.v1 as object", func(t *testing.T) {
		r.command("acme", "set-policy", key, fields{"policy": "level_rule", "value": fields{"name": "k_of_n.v1", "k": 3}})
		r.command("acme", "set-policy", key, fields{"policy": "level_rule", "value": "all_required.v1"})
	})
}

func TestIdempotency(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	const path = "/v1/plans/acme/commands/create-role"
	first := r.do("POST", path, key, `{"title":"Once"}`, "Idempotency-Key", "abc")
	head := r.head()
	t.Run("API-1 the same key gives the first answer", func(t *testing.T) {
		again := r.do("POST", path, key, ` { "title" : "\u004fnce" } `, "Idempotency-Key", "abc")
		if first.Code != 200 || again.Code != 200 || first.Body != again.Body || r.head() != head {
			t.Errorf("%s\n%s", first.Body, again.Body)
		}
	})
	t.Run("API-1 also after the object moved on", func(t *testing.T) {
		id := decoded[commands.Answer](first).ID
		r.command("acme", "rename-role", key, fields{"role": id, "title": "Twice"})
		if again := r.do("POST", path, key, `{"title":"Once"}`, "Idempotency-Key", "abc"); first.Body != again.Body {
			t.Errorf("%s\n%s", first.Body, again.Body)
		}
		head = r.head()
	})
	t.Run("API-1 another body is refused", func(t *testing.T) {
		r.do("POST", path, key, `{"title":"Other"}`, "Idempotency-Key", "abc").refused(422, "idempotency_key_reused")
		r.do("POST", "/v1/plans/acme/commands/create-team", key, `{"name":"Once"}`, "Idempotency-Key", "abc").refused(422, "idempotency_key_reused")
		if r.head() != head {
			t.Error("something was appended")
		}
	})
	t.Run("API-1 another principal has keys of its own", func(t *testing.T) {
		other := r.do("POST", path, r.key("acme", "write"), `{"title":"Other"}`, "Idempotency-Key", "abc")
		if other.Code != 200 || other.Body == first.Body {
			t.Errorf("%d %s", other.Code, other.Body)
		}
	})
	t.Run("API-1 refusals are not remembered", func(t *testing.T) {
		r.do("POST", path, key, `{"title":""}`, "Idempotency-Key", "def").refused(422, "invalid_length")
		if got := r.do("POST", path, key, `{"title":"Better"}`, "Idempotency-Key", "def"); got.Code != 200 {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}

func TestIfMatch(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	r.command("acme", "create-role", key, fields{"role": uid(1), "title": "Zero"})
	rename := func(match, title string) reply {
		return r.do("POST", "/v1/plans/acme/commands/rename-role", key, `{"role":"`+uid(1)+`","title":"`+title+`"}`, "If-Match", match)
	}
	if got := rename(`"0"`, "One"); got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	if got := rename(`1`, "Two"); got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	before := r.head()
	t.Run("API-1 412 on conflict", func(t *testing.T) { rename(`"1"`, "Three").refused(412, "revision_mismatch") })
	t.Run("API-1 what is no revision is refused", func(t *testing.T) {
		for _, match := range []string{`x`, `"2`, `*`, `W/"2"`, `"2","3"`, `02`, `+2`, `-2`, `"`, ` `, `2.0`, `99999999999999999999`} {
			p := rename(match, "Three").refused(422, "invalid_if_match")
			if len(p.Errors) != 1 || p.Errors[0].Header != "If-Match" {
				t.Errorf("%q: %+v", match, p.Errors)
			}
		}
	})
	if r.head() != before {
		t.Error("something was appended")
	}
}

// TestEveryCommandIsRouted: each of them asks for its fields, which only a route of its own can.
func TestEveryCommandIsRouted(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	before := r.head()
	for _, c := range commands.All() {
		about := c.About()
		t.Run("API-1 "+about.Name, func(t *testing.T) {
			path, caller := "/v1/plans/acme/commands/"+about.Name, key
			if about.Action == access.OperatePlans {
				path, caller = "/v1/operator/commands/"+about.Name, operatorKey
			}
			r.do("POST", path, caller, `{"no_such_field":1}`).refusedAt(t, "/no_such_field", "unknown_field")
			r.do("POST", path, "", `{}`).refused(401, "unauthorized")
			if got := r.get(path, caller); got.Code != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
				t.Errorf("GET: %d %s", got.Code, got.Header)
			}
		})
	}
	if r.head() != before {
		t.Error("something was appended")
	}
}

// refusedAt checks that a fault is named by pointer and code.
func (got reply) refusedAt(t *testing.T, pointer, code string) {
	t.Helper()
	p := decoded[Problem](got)
	for _, fault := range p.Errors {
		if fault.Pointer == pointer && fault.Code == code && fault.Detail != "" {
			return
		}
	}
	t.Errorf("%d without %s at %s: %s", got.Code, code, pointer, got.Body)
}

func TestOperatorCommands(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "starter")
	r.plan("other", "starter")
	r.command("", "grant-plan-feature", operatorKey, fields{"plan": "acme", "feature": "audit"})
	before := r.head()
	change := func(plan, key string) reply {
		return r.do("POST", "/v1/operator/commands/change-plan-tier", key, `{"plan":"`+plan+`","tier":"enterprise"}`)
	}
	t.Run("ACC-1 no key of a plan may operate it", func(t *testing.T) { change("acme", key).refused(403, "not_permitted") })
	t.Run("ACC-5 another plan is as none", func(t *testing.T) {
		same(t, change("other", key), change("no-such-plan", key)).refused(404, "plan_not_found")
	})
	t.Run("the plan of an operator's command must exist", func(t *testing.T) {
		change("no-such-plan", operatorKey).refused(404, "plan_not_found")
		change("No Plan", operatorKey).refused(404, "plan_not_found")
	})
	t.Run("a plan exists once", func(t *testing.T) {
		r.do("POST", "/v1/operator/commands/create-plan", operatorKey,
			`{"plan":"acme","name":"Again","tier":"starter","owner_name":"Olga","owner_email":"olga@example.org"}`).refused(409, "plan_exists")
		r.do("POST", "/v1/operator/commands/create-plan", operatorKey,
			`{"plan":"A b","name":"Again","tier":"starter","owner_name":"Olga","owner_email":"olga@example.org"}`).refusedAt(t, "/plan", "invalid_plan_id")
	})
	if r.head() != before {
		t.Error("something was appended")
	}
	if got := change("acme", operatorKey); got.Code != 200 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// same checks that two answers are byte for byte alike but for their request ids and paths, and returns the first.
func same(t *testing.T, a, b reply) reply {
	t.Helper()
	blank := func(r reply) string {
		p := decoded[Problem](r)
		return strings.NewReplacer(p.RequestID, "ID", `"instance":"`+p.Instance+`"`, "PATH").Replace(r.Body)
	}
	if a.Code != b.Code || blank(a) != blank(b) {
		t.Errorf("they differ:\n%d %s\n%d %s", a.Code, a.Body, b.Code, b.Body)
	}
	for _, h := range []http.Header{a.Header, b.Header} {
		h.Del("X-Request-Id")
		h.Del("Content-Length") // follows from the length of the path in the body
	}
	if !reflect.DeepEqual(a.Header, b.Header) {
		t.Errorf("headers differ:\n%v\n%v", a.Header, b.Header)
	}
	a.Header.Set("X-Request-Id", decoded[Problem](a).RequestID)
	return a
}
