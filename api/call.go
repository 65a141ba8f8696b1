package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/eventstore"
	"rolewise/telemetry"
)

// call is one request on its way through the API.
type call struct {
	gin         *gin.Context
	ctx         context.Context
	id          string // of the request
	correlation string
	principal   access.Principal
	plan        domain.PlanID
	params      params
	min         eventstore.Position      // to wait for
	head        eventstore.Position      // end of the log when the query began
	binding     string                   // of cursors: the list and its filters
	rights      map[string]access.OfRole // to the roles of a creator
}

type callKey struct{}

// callOf returns the call that begin made.
func callOf(c *gin.Context) *call {
	value, _ := c.Get(callKey{})
	return value.(*call)
}

// begin gives every request an id, and logs it when it has been answered: never its query or body, which may hold
// personal data.
func (s *server) begin(c *gin.Context) {
	start := s.Now()
	call := &call{gin: c, ctx: c.Request.Context(), id: c.GetHeader("X-Request-Id"), correlation: c.GetHeader("X-Correlation-Id")}
	if !wellFormed(call.id) {
		call.id = uuid.Must(uuid.NewV7()).String()
	}
	if !wellFormed(call.correlation) {
		call.correlation = call.id
	}
	call.ctx = telemetry.WithCorrelation(call.ctx, call.correlation)
	c.Request = c.Request.WithContext(call.ctx)
	c.Set(callKey{}, call)
	header := c.Writer.Header()
	header.Set("X-Request-Id", call.id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	defer func() {
		s.Logger.LogAttrs(call.ctx, slog.LevelInfo, "request",
			slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Int("status", c.Writer.Status()),
			slog.Duration("duration", s.Now().Sub(start)), slog.String("request_id", call.id),
			slog.String("correlation", call.correlation), slog.String("principal", call.principal.ID))
	}()
	c.Next()
}

// adopt lets the call go on under the context that those around it made.
func (s *server) adopt(c *gin.Context) {
	callOf(c).ctx = c.Request.Context()
	c.Next()
}

// wellFormed tells whether a caller's id can be taken over into events and logs: a UUID or a short token.
func wellFormed(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		b := id[i]
		if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_') {
			return false
		}
	}
	return true
}

// recover answers a panic without telling what happened; the log has it.
func (s *server) recover(c *gin.Context) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case http.ErrAbortHandler: // an answer that cannot be finished; net/http breaks the connection
			panic(r)
		default:
			call := callOf(c)
			s.Logger.ErrorContext(call.ctx, "panic", "request_id", call.id, "route", c.FullPath(), "panic", r, "stack", string(debug.Stack()))
			if c.Writer.Written() {
				panic(http.ErrAbortHandler)
			}
			c.Abort()
			call.write(internal())
		}
	}()
	c.Next()
}

// answering makes a gin handler of one that either answers or returns why not.
func (s *server) answering(handle func(*call) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		call := callOf(c)
		if err := handle(call); err != nil {
			s.fail(call, err)
		}
	}
}

// fail answers with the problem that an error is, and logs those that are not the caller's.
func (s *server) fail(call *call, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, errNotYet) && p.Code != "rebuilding" {
		s.Logger.ErrorContext(call.ctx, "request failed", "request_id", call.id, "route", call.gin.FullPath(), "error", err)
	}
	call.write(p)
}

// authenticated lets only callers with a key pass. Whatever is wrong with the key, the answer is the same.
func (s *server) authenticated(handle func(*call) error) func(*call) error {
	return func(call *call) error {
		if err := s.authenticate(call); err != nil {
			return err
		}
		return handle(call)
	}
}

// authenticate finds out who calls, as of now.
func (s *server) authenticate(call *call) error {
	key, ok := bearer(call.gin.Request.Header)
	if !ok {
		return errNoKey
	}
	if s.operator != nil {
		sum := sha256.Sum256([]byte(key))
		if subtle.ConstantTimeCompare(sum[:], s.operator[:]) == 1 {
			call.principal = access.Principal{ID: "operator", Vendor: true}
			return nil
		}
	}
	principal, ok, err := s.Commands.Authenticate(call.ctx, key)
	switch {
	case err != nil:
		return err
	case !ok:
		return errNoKey
	}
	call.principal = principal
	return nil
}

// bearer returns the one key of a request.
func bearer(header http.Header) (string, bool) {
	keys := header.Values("X-Api-Key")
	for _, value := range header.Values("Authorization") {
		scheme, key, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		keys = append(keys, strings.TrimLeft(key, " "))
	}
	if len(keys) != 1 || keys[0] == "" {
		return "", false
	}
	return keys[0], true
}

// enter checks that the principal may do something in the plan, and that the plan exists and includes the feature. A
// plan of others answers as one that does not exist (SPEC ACC-5).
func (s *server) enter(call *call, action access.Action, feature plan.Feature) error {
	if err := call.principal.May(action, call.plan); err != nil {
		return err
	}
	state, err := s.Commands.Plan(call.ctx, call.plan)
	switch {
	case err != nil:
		return err
	case !state.Exists:
		return domain.Missing("plan")
	case feature != "":
		return state.Require(feature)
	}
	return nil
}

// guest tells whether the caller belongs to another plan than the one it reads, which only the catalog permits.
func (c *call) guest() bool { return !c.principal.Vendor && c.principal.Plan != c.plan }

// until bounds what follows in the call, if the caller set a position to wait for.
func (c *call) until(wait time.Duration) context.CancelFunc {
	var cancel context.CancelFunc
	c.ctx, cancel = context.WithTimeoutCause(c.ctx, wait, errNotYet)
	return cancel
}
