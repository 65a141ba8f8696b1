package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// holding is a partition whose lease this process has, with the workers in it.
type holding struct {
	ctx       context.Context // of the lease
	partition int
	fence     uint64
	workers   map[readmodels.Scope]*worker
}

// arrangeEvery is how often it is looked what operators wish. What changes in this process is arranged at once.
const arrangeEvery = 250 * time.Millisecond

// gather is for how long partitions that were just leased are gathered, so that one scan of the log feeds them all.
const gather = 20 * time.Millisecond

// hold projects a partition for as long as its lease lasts.
func (r *Runner) hold(ctx context.Context, partition int, fence uint64) {
	h := &holding{ctx: ctx, partition: partition, fence: fence, workers: map[readmodels.Scope]*worker{}}
	r.mu.Lock()
	r.holdings[partition] = h
	r.mu.Unlock()
	r.arrangeSoon()
	<-ctx.Done()
	r.mu.Lock()
	delete(r.holdings, partition)
	var workers []*worker
	for _, w := range h.workers {
		workers = append(workers, w)
	}
	r.mu.Unlock()
	r.remove(ctx, workers)
}

// remove takes workers out of their scans and waits for the pages that they have in hand.
func (r *Runner) remove(ctx context.Context, workers []*worker) {
	for _, w := range workers {
		w.retire(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range workers {
		for _, s := range r.scans {
			s.leave(w)
		}
		delete(r.faults, w.name)
	}
}

func (r *Runner) arrangeSoon() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// arranger keeps the workers those that there should be.
func (r *Runner) arranger(ctx context.Context) {
	tick := time.NewTicker(arrangeEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.changed:
			pause(ctx, gather)
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := r.arrange(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("projections cannot be arranged yet", "error", err)
		}
	}
}

// arrange begins workers for the builds that there are in each partition held, and ends those of builds that there are
// not. Workers that begin together share a scan, but for those whose scan is to be slow.
func (r *Runner) arrange(ctx context.Context) error {
	all, err := readmodels.ReadBuilds(ctx, r.models)
	if err != nil {
		return err
	}
	var fast, slow []*worker
	var failures []error
	for _, p := range r.all {
		b, err := r.settle(ctx, p, all[p.Scope.Projection])
		if err != nil {
			failures = append(failures, err)
			continue
		}
		r.mu.Lock()
		r.builds[p.Scope.Projection] = b
		holdings := make([]*holding, 0, len(r.holdings))
		for _, h := range r.holdings {
			holdings = append(holdings, h)
		}
		r.mu.Unlock()
		for _, h := range holdings {
			for _, w := range r.arrangeIn(h, p, b) {
				if w.rate.Load() > 0 {
					slow = append(slow, w)
				} else {
					fast = append(fast, w)
				}
			}
		}
		r.tidy(ctx, p, b)
	}
	r.forgive()
	r.begin(fast, 0)
	r.begin(slow, 0)
	return errors.Join(failures...)
}

// forgive drops the faults of partitions and builds that this process does not work at any more: who noted one may have
// been the last to see them.
func (r *Runner) forgive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := map[string]bool{}
	for _, p := range r.all {
		b := r.builds[p.Scope.Projection]
		if b == nil { // not known yet
			return
		}
		for _, build := range b.All() {
			for partition := range r.holdings {
				mine[p.Scope.In(partition).Of(build).String()] = true
			}
		}
	}
	maps.DeleteFunc(r.faults, func(name string, _ error) bool { return !mine[name] })
}

// settle returns what there is of a projection. If there is nothing, its first build is live; if its rules have changed,
// a build by them is begun beside the live one, unless only operators begin any, or one by still newer rules is under way.
func (r *Runner) settle(ctx context.Context, p *Projection, known *readmodels.Builds) (*readmodels.Builds, error) {
	version := p.Scope.Version
	settled := func(b *readmodels.Builds) bool {
		return b != nil && (r.manual || b.Live.Version > version || b.Next != nil && b.Next.Version > version || b.Cancelled == version ||
			slices.ContainsFunc(b.All(), func(one readmodels.Build) bool { return one.Version == version }))
	}
	if settled(known) {
		return known, nil
	}
	info, err := r.events.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	return readmodels.ChangeBuilds(ctx, r.models, p.Scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		first := readmodels.Build{Version: version}
		if b == nil {
			return &readmodels.Builds{Live: first}, nil
		}
		if !settled(b) {
			if err := r.belongs(ctx, p, b, info); err != nil {
				return nil, err
			}
			r.log.Info("a changed projection is built beside the live one", "projection", p.Scope.Projection, "version", version, "live", b.Live.String())
			b.Rebuild(readmodels.Next{Build: first, Promote: true, Begun: time.Now().UTC(), Goal: info.Head})
		}
		return b, nil
	})
}

// belongs refuses builds of another log: one by changed rules would be made of this log beside them, and take their place.
func (r *Runner) belongs(ctx context.Context, p *Projection, b *readmodels.Builds, log eventstore.Info) error {
	for partition := range r.parts.Count() {
		scope := p.Scope.In(partition).Of(b.Live)
		at, err := r.models.Checkpoint(ctx, scope)
		if err != nil && !isDamaged(err) {
			return fmt.Errorf("read checkpoint of %s: %w", scope, err)
		}
		if err == nil && at.StoreID != "" && at.StoreID != log.ID {
			return anotherLog(scope, at, log)
		}
	}
	return nil
}

// task is one build to be worked at.
type task struct {
	build readmodels.Build
	rate  int
	stops bool // at what it cannot apply
}

// tasks lists the builds of a projection that a program with its rules works at.
func tasks(p *Projection, b *readmodels.Builds) []task {
	var all []task
	for _, build := range b.All() {
		t := task{build: build}
		if b.Next != nil && b.Next.Build == build {
			if b.Next.Fault != "" {
				continue
			}
			t.rate, t.stops = b.Next.Rate, !b.Next.Park
		}
		if build.Version == p.Scope.Version && !slices.Contains(b.Paused, build) {
			all = append(all, t)
		}
	}
	return all
}

// arrangeIn arranges the workers of a projection in one partition, and returns those that are new.
func (r *Runner) arrangeIn(h *holding, p *Projection, b *readmodels.Builds) (joining []*worker) {
	wanted := map[readmodels.Scope]task{}
	for _, t := range tasks(p, b) {
		wanted[p.Scope.In(h.partition).Of(t.build)] = t
	}
	r.mu.Lock()
	present := map[readmodels.Scope]*worker{}
	for scope, w := range h.workers {
		if scope.Projection == p.Scope.Projection {
			present[scope] = w
		}
	}
	r.mu.Unlock()
	for scope, w := range present {
		t, stays := wanted[scope]
		if failure := w.refused.Load(); failure != nil {
			r.refuse(h.ctx, scope, failure)
			stays = false
		}
		if !stays {
			r.dismiss(h, scope, w)
			delete(present, scope)
			delete(wanted, scope) // if it is still wanted, then the next time
			continue
		}
		w.rate.Store(int64(t.rate))
		if !t.stops {
			w.projector.Park()
		}
	}
	for scope, t := range wanted {
		if present[scope] != nil {
			continue
		}
		w, err := r.workerOf(h.ctx, h, p, t)
		if err != nil {
			r.note(scope.String(), err)
			continue
		}
		r.note(scope.String(), nil)
		r.mu.Lock()
		if held := h.ctx.Err() == nil; held {
			h.workers[scope], r.worked[scope] = w, true
			joining = append(joining, w)
		}
		r.mu.Unlock()
	}
	r.serve(h, p, b)
	return joining
}

// dismiss ends a worker.
func (r *Runner) dismiss(h *holding, scope readmodels.Scope, w *worker) {
	r.mu.Lock()
	delete(h.workers, scope)
	r.mu.Unlock()
	r.remove(h.ctx, []*worker{w})
}

// refuse writes down at what a build stopped.
func (r *Runner) refuse(ctx context.Context, scope readmodels.Scope, failure *RuleError) {
	_, err := readmodels.ChangeBuilds(ctx, r.models, scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b != nil && b.Next != nil && b.Next.Build == scope.Build() && b.Next.Fault == "" {
			b.Next.Fault = fmt.Sprintf("%s: %v", scope, failure)
		}
		return b, nil
	})
	if err != nil { // it stops there again
		r.log.Warn("at what a build has stopped cannot be written down", "projection", scope.String(), "error", err)
	}
}

// workerOf makes a worker for a build in a partition, where its read model stands.
func (r *Runner) workerOf(ctx context.Context, h *holding, p *Projection, t task) (*worker, error) {
	name := p.Scope.In(h.partition).Of(t.build).String()
	options := []Option{
		WithFence(h.fence),
		WithObserver(r.observer),
		OfPlans(func(plan string) bool { return r.parts.Takes(h.partition, plan) }),
		WhenParked(func(e *RuleError) { r.log.Error("event parked", "projection", name, "error", e) }),
	}
	if t.stops {
		options = append(options, StopAtFailure())
	}
	projector, err := NewProjector(ctx, p.In(h.partition).Of(t.build), r.events, r.models, options...)
	if err != nil {
		return nil, err
	}
	w := &worker{name: name, projector: projector, partition: h.partition}
	w.rate.Store(int64(t.rate))
	return w, nil
}
