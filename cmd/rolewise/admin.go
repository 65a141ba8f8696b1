package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// admin answers on the listener for operators: liveness, readiness, metrics, version (SPEC OPS-3).
func (s *system) admin() http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
	mux.HandleFunc("GET /livez", ok)
	mux.HandleFunc("GET /startupz", s.readyz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"version": version()})
	})
	mux.Handle("GET /metrics", s.metrics.Handler())
	return mux
}

// projectionStatus is a projection's line in readiness.
type projectionStatus struct {
	Projection string    `json:"projection"`
	Position   string    `json:"position"`
	Behind     uint64    `json:"behind"` // positions between it and the end of the log
	AsOf       time.Time `json:"as_of"`
	Fault      string    `json:"fault,omitempty"`
	Parked     int       `json:"parked,omitempty"` // streams whose events wait; others flow on
}

// reactorStatus is a reactor's line in readiness. None of it makes a process unready: it answers queries all the same.
type reactorStatus struct {
	Reactor  string `json:"reactor"`
	Position string `json:"position"`
	Open     int    `json:"open"`              // causes whose effect is not known to be there: accepted commands that are not answered
	Refused  int    `json:"refused,omitempty"` // effects that can never be brought about
	Fault    string `json:"fault,omitempty"`
}

// reacting tells how the reactors of this process stand.
func (s *system) reacting() []reactorStatus {
	if s.reactor == nil {
		return nil
	}
	at := s.reactor.Status()
	line := reactorStatus{Reactor: at.Reactor, Position: at.Position.String(), Open: at.Open, Refused: at.Refused}
	if at.Fault != nil {
		line.Fault = at.Fault.Error()
	}
	return []reactorStatus{line}
}

// tolerated is how far a projection may lie behind the log before the process counts as not ready.
const tolerated = 10_000

// readyz answers 503 until every read model has once reached the end of the log, and later while one lies far behind
// or stands still.
func (s *system) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	status, code := "ok", http.StatusOK
	lines, err := s.status(ctx)
	if err != nil {
		s.logger.Error("readiness", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "a store does not answer"})
		return
	}
	if !s.started.Load() {
		status, code = "starting", http.StatusServiceUnavailable
	}
	for _, line := range lines {
		if line.Fault != "" || line.Behind > tolerated {
			status, code = "a projection is behind", http.StatusServiceUnavailable
		}
	}
	readiness := map[string]any{"status": status, "projections": lines}
	if reacting := s.reacting(); reacting != nil {
		readiness["reactors"] = reacting
	}
	writeJSON(w, code, readiness)
}

// status has a line for the live build of each projection in each partition.
func (s *system) status(ctx context.Context) ([]projectionStatus, error) {
	info, err := s.log.Info(ctx)
	if err != nil {
		return nil, err
	}
	var lines []projectionStatus
	for _, scope := range s.parts.Scopes() {
		line, err := s.statusOf(ctx, scope, info)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (s *system) statusOf(ctx context.Context, scope readmodels.Scope, log eventstore.Info) (projectionStatus, error) {
	live, err := s.pointers.Live(ctx, scope)
	var rebuilding *readmodels.RebuildingError
	if errors.As(err, &rebuilding) {
		live = rebuilding.Scope
	} else if err != nil {
		return projectionStatus{}, err
	}
	at, err := s.models.Checkpoint(ctx, live)
	if err != nil {
		return projectionStatus{}, err
	}
	line := projectionStatus{Projection: live.String(), Position: at.Position.String(), AsOf: at.Time, Parked: s.parked()[live.String()]}
	if log.Head > at.Position {
		line.Behind = uint64(log.Head - at.Position)
	}
	if fault := s.faults()[live.String()]; fault != nil {
		line.Fault = fault.Error()
	} else if at.StoreID != "" && at.StoreID != log.ID {
		line.Fault = "was built from another log"
	} else if rebuilding != nil {
		line.Fault = "is being built, and queries wait for it"
	}
	return line, nil
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		return // the client is gone
	}
}
