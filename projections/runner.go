package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"rolewise/eventstore"
	"rolewise/leases"
	"rolewise/readmodels"
)

// Runner runs projections in one process: every build of them that there is to run, in those partitions whose leases it
// holds.
type Runner struct {
	events eventstore.Store
	models readmodels.Store
	parts  readmodels.Partitions
	keeper leases.Keeper
	manual bool
	log    *slog.Logger
	all    []*Projection

	observer Observer
	around   []message.HandlerMiddleware

	started chan struct{} // closed once it runs
	changed chan struct{} // has an element when there is something to arrange

	mu       sync.Mutex
	running  context.Context // of Run; nil before
	stop     context.CancelCauseFunc
	working  sync.WaitGroup
	holdings map[int]*holding
	builds   map[string]*readmodels.Builds // as they were arranged last
	scans    []*scan
	main     *scan                     // the one that lives at the end of the log
	faults   map[string]error          // by projection: what it stands still at
	chores   map[string]bool           // that are in hand, by name
	worked   map[readmodels.Scope]bool // where this process may have written
}

// Setup is what a runner works with.
type Setup struct {
	Events     eventstore.Store
	Models     readmodels.Store
	Partitions readmodels.Partitions
	Leases     leases.Keeper // nil: no other process projects into these read models
	Manual     bool          // a changed projection is built anew only when an operator says so, not by itself
	Log        *slog.Logger
	Observer   Observer                    // nil: nobody
	Around     []message.HandlerMiddleware // around every page
}

// lookEvery is how often it is looked whether a read model has lost its data, and whether a build can be promoted.
var lookEvery = time.Second

// catchUp is the most events of a page: a document that many of them touch is written once.
const catchUp = 1024

// drain is how long a stopping router waits for the pages in hand.
const drain = 10 * time.Second

// NewRunner returns a runner of the projections given. Read models of another log are refused.
func NewRunner(ctx context.Context, s Setup, all ...*Projection) (*Runner, error) {
	r := &Runner{
		events: s.Events, models: s.Models, parts: s.Partitions, keeper: s.Leases, manual: s.Manual, log: s.Log, all: all,
		started: make(chan struct{}), changed: make(chan struct{}, 1),
		holdings: map[int]*holding{}, builds: map[string]*readmodels.Builds{}, faults: map[string]error{},
		observer: s.Observer, around: s.Around,
		chores: map[string]bool{}, worked: map[readmodels.Scope]bool{},
	}
	if r.keeper == nil {
		r.keeper = leases.Alone()
	}
	if err := r.parts.Check(); err != nil {
		return nil, err
	}
	for _, p := range all {
		b, err := r.settle(ctx, p, nil)
		if err != nil {
			return nil, err
		}
		_, readable := b.Readable(p.Scope.Version)
		if !readable && b.Next != nil && b.Next.Version > p.Scope.Version {
			r.log.Warn("a build by newer rules is under way, and none by those of this program is begun beside it: its queries are not answered; if the newer program is not to come, drop that build",
				"projection", p.Scope.Projection, "version", p.Scope.Version, "next", b.Next.String())
		}
		if !readable && b.Live.Version > p.Scope.Version {
			r.log.Warn("the read models are by newer rules than those of this program, and those by its own are gone: its queries are not answered",
				"projection", p.Scope.Projection, "version", p.Scope.Version, "live", b.Live.String())
		}
		for _, t := range tasks(p, b) {
			for partition := range r.parts.Count() {
				if _, err := r.workerOf(ctx, &holding{partition: partition}, p, t); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, nil
}

// Run runs, once, until the context ends, or the log is no longer the one that it began with, and returns when no page is in
// hand any more.
func (r *Runner) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer r.working.Wait()
	defer stop(nil) // before the wait
	r.mu.Lock()
	again := r.running != nil
	if !again {
		r.running, r.stop = ctx, stop
	}
	r.mu.Unlock()
	if again {
		return errors.New("run projections: a runner runs once")
	}
	r.working.Go(func() { r.arranger(ctx) })
	r.working.Go(func() { r.promoter(ctx) })
	r.working.Go(func() { r.guard(ctx) })
	close(r.started)
	err := r.keeper.Run(ctx, r.parts.Count(), r.hold)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run projections: %w", err)
	}
	return nil
}

// end stops the runner with an error.
func (r *Runner) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop(fmt.Errorf("run projections: %w", err))
}

// guard notices read models that lost their data while nothing was committed to them, and moves checkpoints that rest.
func (r *Runner) guard(ctx context.Context) {
	look, rest := time.NewTicker(lookEvery), time.NewTicker(restFor)
	defer look.Stop()
	defer rest.Stop()
	for {
		select {
		case <-look.C:
			r.look(ctx)
		case now := <-rest.C:
			for _, g := range r.present() {
				for _, m := range g.present() {
					if moved, err := m.rest(ctx, now); moved || err != nil {
						g.judge(ctx, m, moved, err)
					}
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// look begins anew what has lost its data, in a scan of its own.
func (r *Runner) look(ctx context.Context) {
	if n, err := r.models.Partitions(ctx, r.parts); err == nil && n != r.parts { // they were lost, and settled anew
		r.end(fmt.Errorf("the read models have %d partitions now, not %d", n, r.parts))
		return
	}
	var anew []*worker
	for _, g := range r.present() {
		for _, m := range g.present() {
			lost, err := m.lost(ctx)
			if err != nil || !lost { // while the store does not answer nothing is lost yet
				continue
			}
			r.log.Warn("read model has lost its data and is built again", "projection", m.name)
			if g.leave(m) {
				anew = append(anew, m)
			}
		}
	}
	r.begin(anew, 0)
}

func (r *Runner) present() []*scan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*scan(nil), r.scans...)
}

// Running is closed when the runner has started.
func (r *Runner) Running() chan struct{} { return r.started }

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

// Parked tells of how many streams events wait in each projection, where there are any.
func (r *Runner) Parked() map[string]int {
	parked := map[string]int{}
	for _, s := range r.present() {
		for _, w := range s.present() {
			if n, _ := w.projector.Held(); n > 0 {
				parked[w.name] = n
			}
		}
	}
	return parked
}

// note keeps or clears a projection's fault. Only a new one is logged.
func (r *Runner) note(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || errors.Is(err, context.Canceled) {
		delete(r.faults, name)
		return
	}
	if errors.Is(err, eventstore.ErrRestored) {
		r.stop(err)
	}
	before := r.faults[name]
	r.faults[name] = err
	if before == nil || before.Error() != err.Error() {
		r.log.Error("projection stands still", "projection", name, "error", err)
	}
}
