// Package api serves commands and queries over HTTP, and describes them in OpenAPI 3.1 (SPEC 14).
//
// What a client may send and what it gets back are Go types: commands.Command and commands.Answer, the rows of
// readmodels, and Problem. The routes below are declared once, and both the router and the document are made from that.
package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"rolewise/api/live"
	"rolewise/commands"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Deps is what the API rests on.
type Deps struct {
	Commands        *commands.Handler
	Queries         *readmodels.Queries
	Events          eventstore.Store
	OperatorKey     string            // bearer key of the operator, at least 16 bytes; empty: there is none
	BaseURL         string            // under which clients reach the API, for the document; empty: relative
	About           About             // answered at /v1/about
	Logger          *slog.Logger      // nil: no log
	Now             func() time.Time  // nil: time.Now
	MinPositionWait time.Duration     // longest wait for min_position (SPEC ANA-6); 0: 5 s
	Around          gin.HandlersChain // around every request, whose context tells its telemetry.Correlation
	Live            Live              // of the streams of changes
}

// About says what is served, and to whom thanks are due (SPEC IMP-4).
type About struct {
	Name         string        `json:"name"`
	Version      string        `json:"version"`
	Attributions []Attribution `json:"attributions"`
}

// Attribution names the source of data that came with the catalog.
type Attribution struct {
	Source  string `json:"source"`
	Text    string `json:"text" doc:"Must be shown wherever the data is."`
	License string `json:"license"`
	URL     string `json:"url"`
}

// server holds what all requests share.
type server struct {
	Deps
	engine   *gin.Engine
	api      huma.API
	operator *[sha256.Size]byte // of the operator's key
	hub      *live.Hub
	document []byte
}

// shortestKey is the least that an operator's key must have, in bytes: 128 bit if they are hexadecimal twice over.
const shortestKey = 16

// New returns the handler of the whole API.
func New(deps Deps) (http.Handler, error) {
	if deps.Commands == nil || deps.Queries == nil || deps.Events == nil {
		return nil, errors.New("the API needs commands, queries and events")
	}
	s, err := newServer(deps)
	if err != nil {
		return nil, err
	}
	return s.engine, nil
}

// OpenAPI returns the document that /openapi.json serves, as indented JSON; baseURL may be empty.
func OpenAPI(baseURL, version string) ([]byte, error) {
	s, err := newServer(Deps{BaseURL: baseURL, About: About{Version: version}})
	if err != nil {
		return nil, err
	}
	return indented(s.document)
}

// Server returns an HTTP server for the API with every timeout set. Streams extend theirs as they go; those of changes,
// which have no end, end when the server begins to shut down.
func Server(handler http.Handler, addr string) *http.Server {
	ending, end := context.WithCancel(context.Background())
	server := &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), endingKey{}, ending.Done())
		},
	}
	server.RegisterOnShutdown(end)
	return server
}

// endingKey is that of a channel, in the context of each request, that is closed when the server begins to shut down.
// The context itself lives on, since other requests in hand are answered first (SPEC OPS-7).
type endingKey struct{}

// writeTimeout bounds an answer, or a page of a stream.
const writeTimeout = time.Minute

func newServer(deps Deps) (*server, error) {
	s := &server{Deps: deps}
	if s.Logger == nil {
		s.Logger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.MinPositionWait == 0 {
		s.MinPositionWait = 5 * time.Second
	}
	s.Live = s.Live.complete()
	s.hub = live.NewHub(s.Queries, s.Live.Limits)
	if s.About.Name == "" {
		s.About.Name = "Rolewise"
	}
	if s.About.Attributions == nil {
		s.About.Attributions = []Attribution{}
	}
	if s.OperatorKey != "" {
		if len(s.OperatorKey) < shortestKey {
			return nil, fmt.Errorf("the operator's key must have at least %d bytes", shortestKey)
		}
		sum := sha256.Sum256([]byte(s.OperatorKey))
		s.operator, s.OperatorKey = &sum, ""
	}
	if err := s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) routes() error {
	gin.SetMode(gin.ReleaseMode)
	s.engine = gin.New()
	s.engine.RedirectTrailingSlash = false
	s.engine.HandleMethodNotAllowed = true
	if err := s.engine.SetTrustedProxies(nil); err != nil {
		return fmt.Errorf("trust no proxies: %w", err)
	}
	s.engine.Use(s.begin)
	s.engine.Use(s.Around...)
	s.engine.Use(s.adopt, s.recover)
	s.engine.NoRoute(s.answering(func(*call) error {
		return refuse(http.StatusNotFound, "route_not_found", "there is nothing at this path")
	}))
	s.engine.NoMethod(s.answering(func(*call) error {
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "the path takes other methods; see the header Allow")
	}))
	s.api = humagin.New(s.engine, s.config())
	s.commandRoutes()
	s.queryRoutes()
	s.liveRoute()
	s.ownRoutes()
	document, err := encode(s.api.OpenAPI())
	if err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	s.document = document
	s.engine.GET("/openapi.json", func(c *gin.Context) {
		c.Data(http.StatusOK, "application/openapi+json", s.document)
	})
	return nil
}
