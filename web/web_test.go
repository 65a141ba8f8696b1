package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/web"
)

const token = "the token of the link"

// title is a name that would run in a browser if it were not escaped.
const title = `<script>alert("role")</script>`

// pages is the dashboard of a plan with one published role, in front of a handler that tells what reached it.
func pages(t *testing.T) http.Handler {
	t.Helper()
	queries := readmodels.NewQueries(projected(t), 1)
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Reached", r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(http.StatusTeapot)
	})
	return web.New("acme", token, queries, slog.New(slog.DiscardHandler), rest)
}

// projected is a store of read models that has caught up with a log.
func projected(t *testing.T) readmodels.Store {
	t.Helper()
	log, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	position := write(t, log)
	models := memory.New()
	runner, err := projections.NewRunner(t.Context(), projections.Setup{Events: log, Models: models, Partitions: 1, Log: slog.New(slog.DiscardHandler)}, projections.All()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	for _, scope := range readmodels.Scopes() {
		if err := models.Wait(t.Context(), scope, position); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return models
}

func write(t *testing.T, log eventstore.Store) eventstore.Position {
	t.Helper()
	handler := commands.New(log, time.Now, []byte("key of e-mail hashes"))
	if err := handler.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	send := func(c commands.Command) string {
		answer, err := handler.Handle(t.Context(), commands.Request{Plan: "acme", Principal: access.Principal{ID: "operator", Vendor: true}}, c)
		if err != nil {
			t.Fatal(err)
		}
		return answer.ID
	}
	send(commands.CreatePlan{Plan: "acme", Name: "Acme", Tier: plan.Enterprise, OwnerName: "Olga", OwnerEmail: "olga@acme.example"})
	skill := domain.SkillID(send(commands.DefineSkill{Name: "Go", State: "validated"}))
	role := domain.RoleID(send(commands.CreateRole{Title: title}))
	send(commands.AddRoleSkill{Role: role, Skill: skill, Required: true})
	send(commands.PublishRole{Role: role})
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Head
}

// ask sends a request and returns the answer; change prepares the request.
func ask(t *testing.T, handler http.Handler, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for _, c := range change {
		c(request)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func link() string { return strings.ReplaceAll(web.SignInPath(token), " ", "%20") }

// session signs in and returns the cookie.
func session(t *testing.T, handler http.Handler) *http.Cookie {
	t.Helper()
	cookies := ask(t, handler, "GET", link()).Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("sign-in sets the cookies %v, want one", cookies)
	}
	return cookies[0]
}

func TestSignIn(t *testing.T) {
	handler := pages(t)
	for name, target := range map[string]string{
		"wrong token": "/sign-in?token=another", "empty token": "/sign-in?token=", "no token": "/sign-in",
		"part of the token": link()[:len(link())-1],
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, handler, "GET", target)
			if answer.Code != http.StatusUnauthorized || len(answer.Result().Cookies()) != 0 {
				t.Errorf("%d %v, want 401 and no cookie", answer.Code, answer.Header())
			}
		})
	}
	t.Run("right token", func(t *testing.T) {
		answer := ask(t, handler, "GET", link())
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "/" {
			t.Errorf("%d to %q, want 303 to /", answer.Code, answer.Header().Get("Location"))
		}
		c := session(t, handler)
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %s: want HttpOnly, SameSite=Strict, Path=/ and no Domain", c.Raw)
		}
		if len(c.Value) < 20 || strings.Contains(c.Value, "token") {
			t.Errorf("session %q can be guessed", c.Value)
		}
		if again := session(t, handler); again.Value == c.Value {
			t.Error("two sessions are the same")
		}
	})
}

func TestOverview(t *testing.T) {
	handler := pages(t)
	signedIn := session(t, handler)
	t.Run("without a session", func(t *testing.T) {
		forged := *signedIn
		forged.Value = "forged"
		for name, answer := range map[string]*httptest.ResponseRecorder{
			"no cookie": ask(t, handler, "GET", "/"),
			"forged":    ask(t, handler, "GET", "/", func(r *http.Request) { r.AddCookie(&forged) }),
		} {
			if answer.Code != http.StatusUnauthorized || strings.Contains(answer.Body.String(), "alert") {
				t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
			}
		}
	})
	t.Run("with a session, names are escaped", func(t *testing.T) {
		answer := ask(t, handler, "GET", "/", func(r *http.Request) { r.AddCookie(signedIn) })
		page := answer.Body.String()
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%d %v %s", answer.Code, answer.Header(), page)
		}
		if strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;alert(&#34;role&#34;)&lt;/script&gt;") {
			t.Errorf("the role's title is not escaped:\n%s", page)
		}
	})
}

func TestSecurityHeaders(t *testing.T) {
	handler := pages(t)
	signedIn := session(t, handler)
	crossSite := header("Sec-Fetch-Site", "cross-site")
	for _, tt := range []struct {
		name   string
		answer *httptest.ResponseRecorder
		code   int
	}{
		{"overview", ask(t, handler, "GET", "/", func(r *http.Request) { r.AddCookie(signedIn) }), 200},
		{"overview refused", ask(t, handler, "GET", "/"), 401},
		{"sign-in", ask(t, handler, "GET", link()), 303},
		{"sign-in refused", ask(t, handler, "GET", "/sign-in"), 401},
		{"style", ask(t, handler, "GET", "/assets/style.css"), 200},
		{"no such asset", ask(t, handler, "GET", "/assets/other.css"), 404},
		{"another method", ask(t, handler, "POST", "/"), 405},
		{"from another site", ask(t, handler, "POST", "/sign-in", crossSite), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.answer.Code != tt.code {
				t.Errorf("%d, want %d", tt.answer.Code, tt.code)
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			} {
				if got := tt.answer.Header().Get(name); !strings.HasPrefix(got, want) {
					t.Errorf("%s: %q, want %s", name, got, want)
				}
			}
		})
	}
}

func TestOtherPathsReachTheAPI(t *testing.T) {
	handler := pages(t)
	for _, target := range []string{
		"/v1/about", "/v1//plans", "//evil.example/", "/v1/../sign-in", "/sign-in/", "/assets", "/v1/plans/a%2Fb/roles?limit=1", "/v1/./about",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			t.Run(method+" "+target, func(t *testing.T) {
				request := func(r *http.Request) {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
					r.Header.Set("Origin", "https://other.example")
				}
				answer := ask(t, handler, method, "http://127.0.0.1"+target, request)
				if got := answer.Header().Get("Reached"); answer.Code != http.StatusTeapot || got != method+" "+target {
					t.Errorf("%d, reached as %q", answer.Code, got)
				}
				if policy := answer.Header().Get("Content-Security-Policy"); policy != "" {
					t.Errorf("the API's answer got the policy of pages: %s", policy)
				}
			})
		}
	}
}
