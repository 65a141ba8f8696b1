package metrics

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/eventstore/otel"
	"rolewise/readmodels"
)

// HTTP measures requests by method, route and class of status.
func (m *Metrics) HTTP() gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		defer func() {
			route := c.FullPath()
			if route == "" {
				route = "none"
			}
			if c.Writer.Header().Get("Content-Type") == "text/event-stream" {
				return // it was open for as long as its reader wished
			}
			m.requests.WithLabelValues(method(c.Request.Method), route, class(c.Writer.Status())).Observe(time.Since(start).Seconds())
		}()
		c.Next()
	}
}

// method bounds what a client can make of it.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "other"
}

func class(status int) string { return strconv.Itoa(status/100) + "xx" }

// Command counts a command that has ended as Outcome says.
func (m *Metrics) Command(name, outcome string, took time.Duration) {
	m.commands.WithLabelValues(name, outcome).Inc()
	m.commandDuration.WithLabelValues(name).Observe(took.Seconds())
}

// Outcome classes how a command ended, in one word, and tells whether that was a failure rather than a refusal.
func Outcome(err error) (outcome string, failed bool) {
	var refusal *domain.Error
	switch {
	case err == nil:
		return "done", false
	case errors.As(err, &refusal):
		return kinds[refusal.Kind], false
	}
	outcome = otel.Outcome(err)
	return outcome, outcome == "unavailable" || outcome == "failed"
}

var kinds = map[domain.Kind]string{
	domain.Invalid: "invalid", domain.NotFound: "not_found", domain.Conflict: "not_fitting", domain.Stale: "stale", domain.Forbidden: "forbidden",
}

// Appended implements otel.Meter of the event store.
func (m *Metrics) Appended(events int, took time.Duration, err error) {
	outcome := otel.Outcome(err)
	m.appends.WithLabelValues(outcome).Inc()
	m.appendDuration.Observe(took.Seconds())
	switch {
	case err == nil:
		m.appended.Add(float64(events))
		m.writable.Set(1)
	case outcome == "unavailable" && !errors.Is(err, eventstore.ErrClosed):
		m.writable.Set(0)
	case outcome == "conflict":
		m.writable.Set(1)
	}
}

// Read implements otel.Meter of the event store.
func (m *Metrics) Read(events int) { m.read.Add(float64(events)) }

// Committed implements otel.Meter of the read models.
func (m *Metrics) Committed(scope readmodels.Scope, took time.Duration, err error) {
	projection := label(scope)
	m.commits.WithLabelValues(projection, commitOutcome(err)).Inc()
	m.commitDuration.WithLabelValues(projection).Observe(took.Seconds())
}

var commitOutcomes = []string{"done", "out_of_step", "fenced", "damaged", "cancelled", "failed"}

func commitOutcome(err error) string {
	var step *readmodels.OutOfStepError
	var fenced *readmodels.FencedError
	var damaged *readmodels.DamagedError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &step):
		return "out_of_step"
	case errors.As(err, &fenced):
		return "fenced"
	case errors.As(err, &damaged):
		return "damaged"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	}
	return "failed"
}

// Applied implements projections.Observer. A page without events for the partition only moves its checkpoint.
func (m *Metrics) Applied(scope readmodels.Scope, events int, folding time.Duration) {
	if events == 0 {
		return
	}
	projection := label(scope)
	m.pageEvents.WithLabelValues(projection).Observe(float64(events))
	m.foldDuration.WithLabelValues(projection).Observe(folding.Seconds())
}

// Parked implements projections.Observer.
func (m *Metrics) Parked(scope readmodels.Scope) { m.parkings.WithLabelValues(label(scope)).Inc() }

// BegunAnew implements projections.Observer.
func (m *Metrics) BegunAnew(scope readmodels.Scope) { m.rebuilds.WithLabelValues(label(scope)).Inc() }

// label names a projection and its version, such as "role-analytics@3".
func label(scope readmodels.Scope) string {
	return scope.Projection + "@" + strconv.Itoa(scope.Version)
}
