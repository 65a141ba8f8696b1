// Package web is the dashboard in the browser. So far it signs a person in by a link and shows the overview; it asks
// the same queries as the API.
package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

//go:embed overview.html style.css
var files embed.FS

var overview = template.Must(template.ParseFS(files, "overview.html"))

// Pages serves the dashboard of one plan to whoever signed in by a link, and everything else by another handler.
type Pages struct {
	plan     string
	queries  *readmodels.Queries
	log      *slog.Logger
	token    [32]byte // SHA-256 of the sign-in link's token
	mu       sync.Mutex
	sessions map[string]bool
}

// cookie holds the session; it is bound to the host by its attributes.
const cookie = "rolewise_session"

// New returns the pages of a plan; token is what the sign-in link carries. Every request for another path goes to rest
// as it came: what protects pages in a browser is not for programs.
func New(plan, token string, queries *readmodels.Queries, log *slog.Logger, rest http.Handler) http.Handler {
	p := &Pages{plan: plan, queries: queries, log: log, token: sha256.Sum256([]byte(token)), sessions: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sign-in", p.signIn)
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /assets/style.css", p.style)
	pages := secure(http.NewCrossOriginProtection().Handler(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; path == "/" || path == "/sign-in" || strings.HasPrefix(path, "/assets/") {
			pages.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// SignInPath is the path and query of the link that carries a token.
func SignInPath(token string) string { return "/sign-in?token=" + token }

func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(r.URL.Query().Get("token")))
	if subtle.ConstantTimeCompare(given[:], p.token[:]) != 1 {
		http.Error(w, "This sign-in link is not valid. Start Rolewise again and use the link it prints.", http.StatusUnauthorized)
		return
	}
	id := rand.Text()
	p.mu.Lock()
	p.sessions[id] = true
	p.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Pages) signedIn(r *http.Request) bool {
	c, err := r.Cookie(cookie)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[c.Value]
}

// view is what the overview shows.
type view struct {
	Plan   string
	Report readmodels.RolesReport
	At     readmodels.Checkpoint
}

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) {
	if !p.signedIn(r) {
		http.Error(w, "Sign in first, with the link that Rolewise printed when it started.", http.StatusUnauthorized)
		return
	}
	shown, err := p.read(r.Context())
	if err != nil {
		p.log.Error("overview", "error", err)
		http.Error(w, "The read models do not answer at present. Try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := overview.Execute(w, shown); err != nil {
		p.log.Error("overview", "error", err)
	}
}

func (p *Pages) read(ctx context.Context) (view, error) {
	report, at, err := p.queries.AnalyticsRoles(ctx, p.plan, readmodels.Want{Min: eventstore.Position(0), Limit: 200})
	return view{Plan: p.plan, Report: report, At: at}, err
}

func (p *Pages) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "style.css")
}

// secure sets the headers that keep a browser from doing more with a page than showing it. Refusals have them too.
func secure(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		pages.ServeHTTP(w, r)
	})
}
