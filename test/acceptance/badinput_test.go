package acceptance

import (
	"net/http"
	"strings"
	"testing"

	"rolewise/test/harness"
)

// refusal is what a bad request has to be answered with.
type refusal struct {
	status        int
	code, pointer string // pointer "-": none is demanded
}

// guarded is a plan in which nothing may happen.
type guarded struct {
	client harness.Client
	plan   string
	last   string
}

func guard(t *testing.T, client harness.Client, plan string) guarded {
	t.Helper()
	return guarded{client, plan, lastPosition(t, client, plan)}
}

// check fails the test if anything was appended.
func (g guarded) check(t *testing.T) {
	t.Helper()
	list := harness.Decode[harness.List[harness.Event]](t, g.client.Get(t, "/v1/plans/"+g.plan+"/events", "after", g.last))
	for _, e := range list.Items {
		t.Errorf("a refused request appended %s to %s", e.Type, e.Stream)
	}
}

// check demands a problem as RFC 9457 wants it, that names the field at fault.
func (want refusal) check(t *testing.T, r harness.Response) {
	t.Helper()
	t.Logf("%d %s", r.Status, r.Body)
	if r.Status != want.status {
		t.Errorf("status %d, want %d", r.Status, want.status)
	}
	if media := r.Header.Get("Content-Type"); media != "application/problem+json" {
		t.Errorf("API-3 content type %q", media)
	}
	p := harness.Decode[harness.Problem](t, r)
	if p.Code != want.code || p.Status != r.Status || p.Title == "" || p.Detail == "" || p.Type == "" || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("API-3 problem %+v, want code %s", p, want.code)
	}
	if want.pointer == "-" {
		return
	}
	if len(p.Errors) != 1 || p.Errors[0].Pointer != want.pointer || p.Errors[0].Code != want.code || p.Errors[0].Detail == "" {
		t.Errorf("API-3 errors %+v, want one at %q with code %s", p.Errors, want.pointer, want.code)
	}
}

func TestBadInput(t *testing.T) {
	server := serveWithCatalog(t, "memory")
	client, other := server.NewPlan(t, north), server.NewPlan(t, "south")
	foreignRole, foreignMember, foreignTeam, foreignSkill, own := id(51), id(52), id(53), id(54), id(55)
	other.Command(t, "south", "create-role", harness.Body{"role": foreignRole, "title": "Foreign"})
	other.Command(t, "south", "invite-member", harness.Body{"member": foreignMember, "name": "Foreign", "email": "foreign@south.example"})
	other.Command(t, "south", "create-team", harness.Body{"team": foreignTeam, "name": "Foreign"})
	other.Command(t, "south", "define-skill", harness.Body{"skill": foreignSkill, "name": "Foreign", "state": "validated"})
	client.Command(t, north, "create-role", harness.Body{"role": adviser, "title": "Adviser"})
	client.Command(t, north, "define-skill", harness.Body{"skill": own, "name": "Own", "state": "validated"})
	client.Command(t, north, "add-role-skill", harness.Body{"role": adviser, "skill": own, "required": false})
	client.Command(t, north, "invite-member", harness.Body{"member": ada, "name": "Ada", "email": "ada@north.example"})
	client.Command(t, north, "create-team", harness.Body{"team": tax, "name": "Tax"})
	narrow := client.As(client.Command(t, north, "create-api-key", harness.Body{"name": "reader", "scopes": []string{"read"}}).APIKey)
	revoked := client.Command(t, north, "create-api-key", harness.Body{"name": "gone", "scopes": []string{"*"}})
	client.Command(t, north, "revoke-api-key", harness.Body{"key": revoked.ID})
	watched := []guarded{guard(t, client, north), guard(t, other, "south")}

	iq := func(edit string) string {
		body := `{"member":"` + ada + `","skill":"` + thinking + `","score":100,"percentile":50,"measured_at":"2025-03-01T12:00:00Z","session":"s"}`
		for _, pair := range strings.Split(edit, "; ") {
			if from, to, ok := strings.Cut(pair, " => "); ok {
				if !strings.Contains(body, from) {
					t.Fatalf("%s is not in the body", from)
				}
				body = strings.Replace(body, from, to, 1)
			}
		}
		return body
	}
	bodies := []struct {
		name, command, body string
		want                refusal
	}{
		{"a missing field", "create-role", `{}`, refusal{422, "required", "/title"}},
		{"no body", "create-role", ``, refusal{400, "malformed_json", "-"}},
		{"not JSON", "create-role", `{"title":`, refusal{400, "malformed_json", "-"}},
		{"an array", "create-role", `[]`, refusal{422, "invalid_type", ""}},
		{"null for a field", "create-role", `{"title":null}`, refusal{422, "-", "/title"}},
		{"an unknown field", "create-role", `{"title":"A","colour":"red"}`, refusal{422, "unknown_field", "/colour"}},
		{"a duplicate key", "create-role", `{"title":"A","title":"B"}`, refusal{422, "duplicate_field", "/title"}},
		{"a duplicate key by an escape", "create-role", `{"title":"A","\u0074itle":"B"}`, refusal{422, "duplicate_field", "/title"}},
		{"a case-variant key", "create-role", `{"title":"A","Title":"B"}`, refusal{422, "wrong_case", "/Title"}},
		{"trailing data", "create-role", `{"title":"A"} {}`, refusal{400, "trailing_data", "-"}},
		{"bad UTF-8", "create-role", "{\"title\":\"\xff\"}", refusal{400, "invalid_utf8", "-"}},
		{"a lone surrogate", "create-role", `{"title":"\ud800"}`, refusal{400, "lone_surrogate", "-"}},
		{"deep nesting", "set-policy", `{"policy":"level_rule","value":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, refusal{400, "too_deep", "-"}},
		{"2 MiB", "create-role", `{"title":"` + strings.Repeat("a", 2<<20) + `"}`, refusal{413, "too_large", "-"}},
		{"a wrong type", "create-role", `{"title":7}`, refusal{422, "invalid_type", "/title"}},
		{"a title too long", "create-role", `{"title":"` + strings.Repeat("a", 201) + `"}`, refusal{422, "invalid_length", "/title"}},
		{"hidden characters", "create-role", `{"title":"A\u202eB"}`, refusal{422, "invalid_text", "/title"}},
		{"no UUID", "create-role", `{"role":"1","title":"A"}`, refusal{422, "invalid_id", "/role"}},
		{"a taken id", "create-role", `{"role":"` + adviser + `","title":"A"}`, refusal{409, "role_exists", "/role"}},
		{"a taken e-mail", "invite-member", `{"name":"A","email":"ADA@north.example"}`, refusal{409, "email_taken", "/email"}},
		{"no e-mail", "invite-member", `{"name":"A","email":"nobody"}`, refusal{422, "invalid_email", "/email"}},
		{"an item at fault", "invite-member", `{"name":"A","email":"a@north.example","teams":[{"team":"` + tax + `","team_role":"boss"}]}`, refusal{422, "-", "/teams/0/team_role"}},
		{"a score out of range", "record-skill-iq", iq(`"score":100 => "score":301`), refusal{422, "out_of_range", "/score"}},
		{"a negative score", "record-skill-iq", iq(`"score":100 => "score":-1`), refusal{422, "out_of_range", "/score"}},
		{"a score with a fraction", "record-skill-iq", iq(`"score":100 => "score":99.5`), refusal{422, "invalid_type", "/score"}},
		{"a score beyond all integers", "record-skill-iq", iq(`"score":100 => "score":1e999`), refusal{422, "-", "/score"}},
		{"a percentile out of range", "record-skill-iq", iq(`"percentile":50 => "percentile":101`), refusal{422, "out_of_range", "/percentile"}},
		{"a future time", "record-skill-iq", iq(`"2025-03-01T12:00:00Z" => "2999-01-01T00:00:00Z"`), refusal{422, "time_in_future", "/measured_at"}},
		{"no time", "record-skill-iq", iq(`"2025-03-01T12:00:00Z" => "yesterday"`), refusal{422, "invalid_time", "/measured_at"}},
		{"an unknown skill", "record-skill-iq", iq(thinking + " => " + id(99)), refusal{404, "skill_not_found", "/skill"}},
		{"a member of another plan", "record-skill-iq", iq(ada + " => " + foreignMember), refusal{404, "member_not_found", "/member"}},
		{"a skill of another plan", "record-skill-iq", iq(thinking + " => " + foreignSkill), refusal{404, "skill_not_found", "/skill"}},
		{"a role of another plan", "publish-role", `{"role":"` + foreignRole + `"}`, refusal{404, "role_not_found", "/role"}},
		{"a role of another plan as the source", "duplicate-role", `{"source":"` + foreignRole + `"}`, refusal{404, "role_not_found", "/source"}},
		{"a team of another plan", "add-team-member", `{"team":"` + foreignTeam + `","member":"` + ada + `","team_role":"member"}`, refusal{404, "team_not_found", "/team"}},
		{"a draft to be assigned", "assign-role", `{"role":"` + adviser + `","members":["` + ada + `"]}`, refusal{404, "role_not_found", "/role"}},
		{"nobody to be assigned", "assign-role", `{"role":"` + preparers + `"}`, refusal{422, "required", "/members"}},
		{"an atomic command with a wrong item", "assign-role", `{"role":"` + preparers + `","members":["` + ada + `","` + foreignMember + `"],"mode":"atomic"}`, refusal{404, "member_not_found", "/members/1"}},
		{"publishing without a required skill", "publish-role", `{"role":"` + adviser + `"}`, refusal{409, "no_required_skill", "/role"}},
		{"a goal of a skill that the role lacks", "adjust-goal", `{"role":"` + adviser + `","skill":"` + thinking + `","percent":10}`, refusal{409, "skill_not_in_role", "/skill"}},
		{"a percentage that is none of the three", "adjust-goal", `{"role":"` + adviser + `","skill":"` + own + `","percent":5}`, refusal{422, "out_of_range", "/percent"}},
		{"an order that leaves a skill out", "reorder-role-skills", `{"role":"` + adviser + `","skills":[]}`, refusal{422, "not_a_permutation", "/skills"}},
		{"thresholds that do not rise", "publish-benchmark", `{"skill":"` + own + `","thresholds":[100,50,200],"source":"x"}`, refusal{422, "not_rising", "/thresholds/1"}},
		{"two thresholds", "publish-benchmark", `{"skill":"` + own + `","thresholds":[100,150],"source":"x"}`, refusal{422, "invalid_length", "/thresholds"}},
		{"a benchmark of another plan's skill", "publish-benchmark", `{"skill":"` + foreignSkill + `","thresholds":[1,2,3],"source":"x"}`, refusal{404, "skill_not_found", "/skill"}},
	}
	for _, tt := range bodies {
		t.Run(tt.name, func(t *testing.T) {
			response, err := client.Do(t.Context(), harness.Request{Method: http.MethodPost, Path: harness.CommandPath(north, tt.command), Body: []byte(tt.body)})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.code == "-" { // any code that is in errors too
				tt.want.code = harness.Decode[harness.Problem](t, response).Code
			}
			tt.want.check(t, response)
			for _, plan := range watched {
				plan.check(t)
			}
		})
	}

	post := func(plan, name, body string, headers ...string) harness.Request {
		return harness.Request{Method: http.MethodPost, Path: harness.CommandPath(plan, name), Body: []byte(body), Headers: headers}
	}
	get := func(path string, parameters ...string) harness.Request {
		return harness.Request{Method: http.MethodGet, Path: path, Query: harness.Parameters(parameters...)}
	}
	reports := "/v1/plans/" + north + "/analytics/roles"
	title := `{"title":"A"}`
	requests := []struct {
		name    string
		client  harness.Client
		request harness.Request
		want    refusal
	}{
		{"no key", client.As(""), post(north, "create-role", title), refusal{401, "unauthorized", "-"}},
		{"a bad key", client.As("rw_north." + id(1) + "_nonsense"), post(north, "create-role", title), refusal{401, "unauthorized", "-"}},
		{"a key cut short", client.As(client.Key[:len(client.Key)-1]), post(north, "create-role", title), refusal{401, "unauthorized", "-"}},
		{"a revoked key", client.As(revoked.APIKey), post(north, "create-role", title), refusal{401, "unauthorized", "-"}},
		{"no key for a query", client.As(""), get(reports), refusal{401, "unauthorized", "-"}},
		{"a key without the scope", narrow, post(north, "create-role", title), refusal{403, "not_permitted", "-"}},
		{"a key without the scope for the history", narrow, get("/v1/plans/" + north + "/events"), refusal{403, "not_permitted", "-"}},
		{"an operator's command by a plan's key", client, post("", "create-plan", `{"plan":"third","name":"T","tier":"enterprise","owner_name":"O","owner_email":"o@t.example"}`), refusal{404, "plan_not_found", "-"}},
		{"a plan that exists", server.Operator, post("", "create-plan", `{"plan":"north","name":"T","tier":"enterprise","owner_name":"O","owner_email":"o@t.example"}`), refusal{409, "plan_exists", "/plan"}},
		{"an unknown plan", server.Operator, post("nowhere", "create-role", title), refusal{404, "plan_not_found", "-"}},
		{"a plan id that cannot be", server.Operator, post("NO%20WHERE", "create-role", title), refusal{404, "plan_not_found", "-"}},
		{"an unknown command", client, post(north, "launch-rocket", title), refusal{404, "route_not_found", "-"}},
		{"a command by GET", client, get(harness.CommandPath(north, "create-role")), refusal{405, "method_not_allowed", "-"}},
		{"another media type", client, post(north, "create-role", title, "Content-Type", "text/plain"), refusal{415, "unsupported_media_type", "-"}},
		{"an empty idempotency key", client, post(north, "create-role", title, "Idempotency-Key", "a b"), refusal{422, "invalid_idempotency_key", "-"}},
		{"a revision that is none", client, post(north, "create-role", title, "If-Match", "new"), refusal{422, "invalid_if_match", "-"}},
		{"an old revision", client, post(north, "rename-role", `{"role":"`+adviser+`","title":"B"}`, "If-Match", `"7"`), refusal{412, "revision_mismatch", "-"}},
		{"an unknown parameter", client, get(reports, "colour", "red"), refusal{422, "unknown_parameter", "-"}},
		{"a page too large", client, get(reports, "limit", "1001"), refusal{422, "invalid_limit", "-"}},
		{"a forged cursor", client, get(reports, "cursor", "AAAA"), refusal{422, "invalid_cursor", "-"}},
		{"a position that is none", client, get(reports, "min_position", "-1"), refusal{422, "invalid_position", "-"}},
		{"an unknown role", client, get(reports + "/" + id(99)), refusal{404, "role_not_found", "-"}},
	}
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			response, err := tt.client.Do(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.check(t, response)
			if tt.want.status == 401 && response.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			for _, plan := range watched {
				plan.check(t)
			}
		})
	}
	t.Run("ANA-6 a position that is not reached", func(t *testing.T) {
		response := client.TryGet(t, reports, "min_position", "999999999")
		refusal{503, "not_yet_visible", "-"}.check(t, response)
		if response.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	t.Run("API-1 a dry run", func(t *testing.T) {
		response, err := client.Do(t.Context(), harness.Request{
			Method: http.MethodPost, Path: harness.CommandPath(north, "rename-role"), Query: harness.Parameters("dry_run", "true"),
			Body: []byte(`{"role":"` + adviser + `","title":"B"}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "events", harness.Decode[harness.Answer](t, response).Events, []string{"RoleRenamed"})
		watched[0].check(t)
	})
	server.Stop(t)
}
