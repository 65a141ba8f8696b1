package api

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/plan"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// TestRefusedCommands: each refusal names what is at fault, and appends nothing.
func TestRefusedCommands(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	r.command("acme", "define-skill", key, fields{"skill": uid(1), "name": "Go", "state": "validated"})
	r.command("acme", "invite-member", key, fields{"member": uid(2), "name": "Ada", "email": "ada@example.org"})
	r.command("acme", "create-role", key, fields{"role": uid(3), "title": "Engineer"})
	ids := fmt.Sprintf(`"member":"%s","skill":"%s"`, uid(2), uid(1))
	const rest = `"percentile":50,"measured_at":"2026-02-01T00:00:00Z","session":"s1"`
	measure := func(score string) string { return `{` + ids + `,"score":` + score + `,` + rest + `}` }
	for _, tc := range []struct {
		what, command, body string
		status              int
		code, pointer       string
	}{
		{"API-4 score is a text", "record-skill-iq", measure(`"12"`), 422, "invalid_type", "/score"},
		{"API-4 score is no integer", "record-skill-iq", measure(`12.5`), 422, "invalid_type", "/score"},
		{"API-4 score is null", "record-skill-iq", measure(`null`), 422, "invalid_type", "/score"},
		{"API-4 score is NaN", "record-skill-iq", measure(`NaN`), 400, "malformed_json", "/score"},
		{"MSR-1 score out of range", "record-skill-iq", measure(`301`), 422, "out_of_range", "/score"},
		{"MSR-1 no time", "record-skill-iq", strings.Replace(measure(`1`), "2026-02-01T00:00:00Z", "yesterday", 1), 422, "invalid_time", "/measured_at"},
		{"MSR-1 future", "record-skill-iq", strings.Replace(measure(`1`), "2026-02", "2027-02", 1), 422, "time_in_future", "/measured_at"},
		{"MSR-1 unknown member", "record-skill-iq", strings.Replace(measure(`1`), uid(2), uid(9), 1), 404, "member_not_found", "/member"},
		{"MSR-1 unknown skill", "record-skill-iq", strings.Replace(measure(`1`), uid(1), uid(9), 1), 404, "skill_not_found", "/skill"},
		{"API-4 nothing given", "create-role", `{}`, 422, "required", "/title"},
		{"API-4 unknown field", "create-role", `{"title":"A","colour":"red"}`, 422, "unknown_field", "/colour"},
		{"API-4 duplicate field", "create-role", `{"title":"A","title":"B"}`, 422, "duplicate_field", "/title"},
		{"API-4 case-variant field", "create-role", `{"title":"A","Role":"x"}`, 422, "wrong_case", "/Role"},
		{"API-4 trailing data", "create-role", `{"title":"A"}{}`, 400, "trailing_data", ""},
		{"API-4 bad UTF-8", "create-role", "{\"title\":\"\xff\"}", 400, "invalid_utf8", "/title"},
		{"API-4 lone surrogate", "create-role", `{"title":"\ud800"}`, 400, "lone_surrogate", "/title"},
		{"API-4 over-deep", "set-policy", `{"policy":"level_rule","value":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 400, "too_deep", ""},
		{"API-4 cut short", "create-role", `{"title":"A"`, 400, "malformed_json", ""},
		{"API-4 list", "create-role", `[]`, 422, "invalid_type", ""},
		{"API-4 unknown field in a policy's value", "set-policy", `{"policy":"level_rule","value":{"name":"k_of_n.v1","k":2,"n":5}}`, 422, "unknown_field", "/value/n"},
		{"API-4 case-variant field in a policy's value", "set-policy", `{"policy":"level_rule","value":{"Name":"k_of_n.v1","k":2}}`, 422, "several_faults", "/value/Name"},
		{"PLN-4 value of another type", "set-policy", `{"policy":"level_rule","value":7}`, 422, "invalid_policy_value", "/value"},
		{"PLN-4 unknown policy", "set-policy", `{"policy":"weather","value":"fine"}`, 422, "unknown_policy", "/policy"},
		{"ROL-4 title too short", "create-role", `{"title":""}`, 422, "invalid_length", "/title"},
		{"ROL-4 hidden characters", "create-role", `{"title":"a\u202eb"}`, 422, "invalid_text", "/title"},
		{"ROL-4 id", "create-role", `{"title":"Abc","role":"x"}`, 422, "invalid_id", "/role"},
		{"ROL-4 id that is taken", "create-role", `{"title":"Abc","role":"` + uid(3) + `"}`, 409, "role_exists", ""},
		{"ROL-5 publishing needs a required skill", "publish-role", `{"role":"` + uid(3) + `"}`, 409, "no_required_skill", "/role"},
		{"unknown object", "rename-role", `{"role":"` + uid(9) + `","title":"Abc"}`, 404, "role_not_found", ""},
		{"unknown object by impossible id", "rename-role", `{"role":"` + strings.Repeat("x", 2000) + `","title":"Abc"}`, 404, "role_not_found", ""},
		{"MEM-1 e-mail twice", "invite-member", `{"name":"Eve","email":"ADA@example.org"}`, 409, "email_taken", "/email"},
		{"ASG-1 nobody", "unassign-role", `{"role":"` + uid(3) + `"}`, 422, "required", "/members"},
		{"ASG-5 mode", "unassign-role", `{"role":"` + uid(3) + `","members":["` + uid(2) + `"],"mode":"all"}`, 422, "invalid_mode", "/mode"},
		{"ASG-5 atomic", "unassign-role", `{"role":"` + uid(3) + `","members":["` + uid(7) + `","` + uid(8) + `"],"mode":"atomic"}`, 404, "member_not_found", "/members/1"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			before := r.head()
			got := r.do("POST", "/v1/plans/acme/commands/"+tc.command, key, tc.body)
			p := decoded[Problem](got)
			if got.Code != tc.status || p.Code != tc.code {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			got.refused(tc.status, tc.code)
			if tc.pointer != "" {
				named := false
				for _, fault := range p.Errors {
					named = named || fault.Pointer == tc.pointer
				}
				if !named {
					t.Errorf("%s is not named: %s", tc.pointer, got.Body)
				}
			}
			if r.head() != before {
				t.Error("something was appended")
			}
		})
	}
}

// TestRefusedRequests is about what stands around the body.
func TestRefusedRequests(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	const path, body = "/v1/plans/acme/commands/create-role", `{"title":"Engineer"}`
	before := r.head()
	for _, tc := range []struct {
		what, method, path, body string
		headers                  []string
		status                   int
		code                     string
		fault                    Fault
	}{
		{"API-4 no content type", "POST", path, body, []string{"Content-Type", ""}, 415, "unsupported_media_type", Fault{}},
		{"API-4 form", "POST", path, body, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", Fault{}},
		{"API-4 text", "POST", path, body, []string{"Content-Type", "text/json"}, 415, "unsupported_media_type", Fault{}},
		{"API-4 Latin 1", "POST", path, body, []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type", Fault{}},
		{"API-4 compressed", "POST", path, body, []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type", Fault{}},
		{"API-4 no body", "POST", path, "", []string{"Content-Type", "application/json"}, 400, "malformed_json", Fault{}},
		{"API-4 over-long body", "POST", path, `{"title":"` + strings.Repeat("a", 1<<20) + `"}`, nil, 413, "too_large", Fault{}},
		{"API-1 empty key", "POST", path, body, []string{"Idempotency-Key", " "}, 422, "invalid_idempotency_key", Fault{Header: "Idempotency-Key"}},
		{"API-1 long key", "POST", path, body, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 422, "invalid_idempotency_key", Fault{Header: "Idempotency-Key"}},
		{"API-1 key in another alphabet", "POST", path, body, []string{"Idempotency-Key", "schlüssel"}, 422, "invalid_idempotency_key", Fault{Header: "Idempotency-Key"}},
		{"API-1 dry run", "POST", path + "?dry_run=yes", body, nil, 422, "invalid_value", Fault{Parameter: "dry_run"}},
		{"API-1 empty dry run", "POST", path + "?dry_run=", body, nil, 422, "invalid_value", Fault{Parameter: "dry_run"}},
		{"API-4 unknown parameter", "POST", path + "?dryrun=true", body, nil, 422, "unknown_parameter", Fault{Parameter: "dryrun"}},
		{"API-4 parameter twice", "POST", path + "?dry_run=true&dry_run=false", body, nil, 422, "duplicate_parameter", Fault{Parameter: "dry_run"}},
		{"API-4 malformed query", "POST", path + "?dry_run=%zz", body, nil, 400, "malformed_query", Fault{}},
		{"no such command", "POST", "/v1/plans/acme/commands/make-coffee", body, nil, 404, "route_not_found", Fault{}},
		{"no such path", "GET", "/v2", "", nil, 404, "route_not_found", Fault{}},
		{"trailing slash", "GET", "/v1/plans/acme/roles/", "", nil, 404, "route_not_found", Fault{}},
		{"method", "DELETE", "/v1/plans/acme/roles", "", nil, 405, "method_not_allowed", Fault{}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			p := r.do(tc.method, tc.path, key, tc.body, tc.headers...).refused(tc.status, tc.code)
			if tc.fault != (Fault{}) {
				if len(p.Errors) != 1 || p.Errors[0].Header != tc.fault.Header || p.Errors[0].Parameter != tc.fault.Parameter {
					t.Errorf("%+v", p.Errors)
				}
			}
			if r.head() != before {
				t.Error("something was appended")
			}
		})
	}
	t.Run("API-4 over-long body of unknown length, over a connection", func(t *testing.T) {
		server := newServerOf(t, r.handler)
		var b strings.Builder
		b.WriteString(`{"title":"`)
		b.WriteString(strings.Repeat("a", 1<<20))
		req, err := http.NewRequestWithContext(t.Context(), "POST", server+path, bufio.NewReader(strings.NewReader(b.String())))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != 413 || r.head() != before {
			t.Errorf("%s", answer.Status)
		}
	})
	t.Run("API-4 a body of exactly 1 MiB is read", func(t *testing.T) {
		body := `{"title":"` + strings.Repeat("a", 1<<20-12) + `"}`
		r.do("POST", path, key, body).refused(422, "invalid_length")
	})
}

// TestProblemsOfErrors covers what commands cannot be made to do here: failures of the store, and mixtures.
func TestProblemsOfErrors(t *testing.T) {
	missing := domain.Missing("role").At("/role")
	for _, tc := range []struct {
		what   string
		err    error
		status int
		code   string
		retry  int
		faults int
	}{
		{"invalid", fmt.Errorf("decide: %w", domain.Invalidf("/a", "bad", "is bad")), 422, "bad", 0, 1},
		{"not found", missing, 404, "role_not_found", 0, 1},
		{"conflict", domain.Conflictf("taken", "is taken"), 409, "taken", 0, 0},
		{"stale", &domain.Error{Kind: domain.Stale, Code: "stale", Message: "m"}, 412, "stale", 0, 0},
		{"forbidden", plan.State{}.Require(plan.Audit), 403, "feature_not_in_plan", 0, 0},
		{"several of one kind", errors.Join(missing, domain.Missing("role").At("/b")), 404, "role_not_found", 0, 2},
		{"several kinds", fmt.Errorf("bulk: %w", errors.Join(missing, domain.Invalidf("/a", "bad", "is bad"))), 422, "several_faults", 0, 2},
		{"a refusal beside a failure", errors.Join(missing, errors.New("disk on fire")), 500, "internal", 0, 0},
		{"unknown", errors.New("disk on fire"), 500, "internal", 0, 0},
		{"too large", fmt.Errorf("append: %w", &eventstore.TooLargeError{Size: 2 << 20}), 413, "too_large", 0, 0},
		{"unavailable", fmt.Errorf("append: %w", &eventstore.UnavailableError{Err: errors.New("disk full")}), 503, "store_unavailable", 1, 0},
		{"read models unavailable", fmt.Errorf("read: %w", &readmodels.UnavailableError{Err: errors.New("disk gone")}), 503, "read_models_unavailable", 1, 0},
		{"closed", fmt.Errorf("read: %w", eventstore.ErrClosed), 503, "shutting_down", 1, 0},
		{"conflict of the store", &eventstore.ConflictError{}, 500, "internal", 0, 0},
	} {
		t.Run(tc.what, func(t *testing.T) {
			p := problemOf(tc.err)
			if p.Status != tc.status || p.Code != tc.code || p.retryAfter != tc.retry || len(p.Errors) != tc.faults {
				t.Errorf("%+v", p)
			}
			if strings.Contains(p.Detail, "disk") || strings.Contains(fmt.Sprint(p.Errors), "disk") {
				t.Errorf("tells too much: %s", p.Detail)
			}
		})
	}
	t.Run("an unknown outcome asks for a repeat", func(t *testing.T) {
		if p := problemOf(&eventstore.UnavailableError{Unknown: true, Err: errors.New("x")}); !strings.Contains(p.Detail, "Idempotency-Key") {
			t.Error(p.Detail)
		}
	})
}

// TestGoldenProblems keeps the form of problems: clients rely on it.
func TestGoldenProblems(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "starter")
	starter := r.key("acme", "read")
	for name, got := range map[string]reply{
		"several":      r.do("POST", "/v1/plans/acme/commands/invite-member", key, `{"Name":"Ada","email":7,"teams":[{}]}`, "X-Request-Id", "request-1"),
		"malformed":    r.do("POST", "/v1/plans/acme/commands/invite-member", key, `{"name":"Ada",}`, "X-Request-Id", "request-1"),
		"rule":         r.do("POST", "/v1/plans/acme/commands/invite-member", key, `{"name":"Ada","email":"ada"}`, "X-Request-Id", "request-1"),
		"feature":      r.do("POST", "/v1/plans/acme/commands/create-role", key, `{"title":"Engineer"}`, "X-Request-Id", "request-1"),
		"scope":        r.do("POST", "/v1/plans/acme/commands/invite-member", starter, `{"name":"Ada","email":"ada@example.org"}`, "X-Request-Id", "request-1"),
		"unauthorized": r.get("/v1/plans/acme/roles", "wrong", "X-Request-Id", "request-1"),
		"foreign":      r.get("/v1/plans/other/roles", key, "X-Request-Id", "request-1"),
		"parameters":   r.get("/v1/plans/acme/roles?limit=0&state=new&min_position=-1&cursor=x", key, "X-Request-Id", "request-1"),
		"route":        r.get("/v1/nothing%20here", key, "X-Request-Id", "request-1"),
	} {
		t.Run("API-3 "+name, func(t *testing.T) {
			path := filepath.Join("testdata", "problems", name+".json")
			have := fmt.Sprintf("%d\n%s\n", got.Code, got.Body)
			if *update {
				if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != have {
				t.Errorf("got  %swant %s", have, want)
			}
		})
	}
}

// TestFailuresTellNothing: a panic and a closed store are answered with a problem, and the log has the rest.
func TestFailuresTellNothing(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	t.Run("API-3 panic", func(t *testing.T) {
		broken := newRig(t, false, func(d *Deps) { d.Commands = &commands.Handler{} }) // without its cache it panics
		p := broken.get("/v1/me", "rw_acme.x_y").refused(500, "internal")
		if strings.Contains(p.Detail, "nil") || !strings.Contains(broken.log.String(), p.RequestID) || !strings.Contains(broken.log.String(), "goroutine") {
			t.Errorf("%+v\n%s", p, broken.log)
		}
	})
	t.Run("API-3 store that is closed", func(t *testing.T) {
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		got := r.do("POST", "/v1/plans/acme/commands/create-role", key, `{"title":"Engineer"}`)
		got.refused(503, "shutting_down")
		if got.Header.Get("Retry-After") != "1" {
			t.Errorf("%v", got.Header)
		}
	})
}

// TestLog: one line for each request, without query and body.
func TestLog(t *testing.T) {
	r := newRig(t, false)
	key := r.plan("acme", "enterprise")
	r.get("/v1/plans/acme/members?q=secretive", key, "X-Request-Id", "request-5")
	r.do("POST", "/v1/plans/acme/commands/invite-member", key, `{"name":"Secretive Sam","email":"x"}`)
	log := r.log.String()
	if strings.Contains(strings.ToLower(log), "secretive") || strings.Contains(log, key) || strings.Contains(log, operatorKey) {
		t.Errorf("the log tells too much:\n%s", log)
	}
	for _, want := range []string{`"route":"/v1/plans/:plan/members"`, `"status":200`, `"status":422`, `"request_id":"request-5"`, `"principal":"key:`, `"principal":"operator"`, `"method":"GET"`, `"duration":`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
}

func TestServerHasTimeouts(t *testing.T) {
	s := Server(http.NotFoundHandler(), "127.0.0.1:0")
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("timeout %v", d)
		}
	}
	if s.MaxHeaderBytes != 16<<10 || s.Addr != "127.0.0.1:0" {
		t.Errorf("%+v", s)
	}
}

func TestNewRefusesWeakOperatorKey(t *testing.T) {
	r := newRig(t, false)
	_, err := New(Deps{Commands: &commands.Handler{}, Events: r.store, OperatorKey: "short"})
	if err == nil {
		t.Error("taken without queries")
	}
	if _, err := newServer(Deps{OperatorKey: "short"}); err == nil || !strings.Contains(err.Error(), "16 bytes") {
		t.Errorf("%v", err)
	}
}
