package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Runner runs projections in one process, each with its own feed, over one router.
type Runner struct {
	router *message.Router
	mu     sync.Mutex
	faults map[string]error        // by projection: what it stands still at
	stop   context.CancelCauseFunc // of Run, while it runs
	guards []func(context.Context)
}

// lookEvery is how often it is looked whether a read model has lost its data.
const lookEvery = time.Second

// catchUp is the most events of a page: a document that many of them touch is written once.
const catchUp = 1024

// drain is how long a stopping router waits for the pages in hand.
const drain = 10 * time.Second

// NewRunner returns a runner of the projections given, each going on where its read model stands.
func NewRunner(ctx context.Context, events eventstore.Store, models readmodels.Store, log *slog.Logger, all ...*Projection) (*Runner, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drain}, watermill.NewSlogLogger(log))
	if err != nil {
		return nil, fmt.Errorf("make router: %w", err)
	}
	router.AddMiddleware(middleware.Recoverer)
	r := &Runner{router: router, faults: map[string]error{}}
	for _, p := range all {
		projector, err := NewProjector(ctx, p, events, models)
		if err != nil {
			return nil, err
		}
		name := p.Scope.String()
		note := func(err error) {
			if r.note(name, err) {
				log.Error("projection stands still", "projection", name, "error", err)
			}
		}
		feed := NewFeed(events, projector.Position, eventstore.Filter{PageSize: catchUp}, note)
		r.guards = append(r.guards, func(ctx context.Context) {
			if lost, err := projector.Lost(ctx); err == nil && lost { // while the store does not answer nothing is lost yet
				log.Warn("read model has lost its data and is built again", "projection", name)
				feed.Restart()
			}
		})
		router.AddConsumerHandler(name, name, feed, func(m *message.Message) error {
			err := projector.Apply(m.Context(), PageOf(m))
			note(err)
			return err
		})
	}
	return r, nil
}

// Run runs until the context ends, or the log is no longer the one that it began with, and returns when no page is in
// hand any more.
func (r *Runner) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	r.mu.Lock()
	r.stop = stop
	r.mu.Unlock()
	var guarding sync.WaitGroup
	guarding.Go(func() { r.guard(ctx) })
	defer guarding.Wait()
	defer stop(nil)
	err := r.router.Run(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, eventstore.ErrRestored) {
		return cause
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run projections: %w", err)
	}
	return nil
}

// guard notices read models that lost their data while nothing was committed to them.
func (r *Runner) guard(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			for _, guard := range r.guards {
				guard(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Running is closed when all projections have started.
func (r *Runner) Running() chan struct{} { return r.router.Running() }

// Faults returns what projections stand still at, by name; empty when all is well.
func (r *Runner) Faults() map[string]error {
	r.mu.Lock()
	defer r.mu.Unlock()
	faults := map[string]error{}
	for name, err := range r.faults {
		faults[name] = err
	}
	return faults
}

// note keeps or clears a projection's fault, and tells whether it is a new one.
func (r *Runner) note(name string, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || errors.Is(err, context.Canceled) {
		delete(r.faults, name)
		return false
	}
	if errors.Is(err, eventstore.ErrRestored) {
		r.stop(err)
	}
	before := r.faults[name]
	r.faults[name] = err
	return before == nil || before.Error() != err.Error()
}
