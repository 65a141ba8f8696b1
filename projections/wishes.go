package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// serve does in one partition what operators wish of a projection.
func (r *Runner) serve(h *holding, p *Projection, b *readmodels.Builds) {
	for _, build := range b.Leaving {
		scope := p.Scope.In(h.partition).Of(build)
		r.chore(h, "remove "+scope.String(), func(ctx context.Context) error { return r.clear(ctx, scope) })
	}
	for _, order := range b.Orders {
		scope := p.Scope.In(h.partition).Of(order.Build)
		r.mu.Lock()
		w := h.workers[scope]
		r.mu.Unlock()
		if order.Partition != h.partition || order.Done || w == nil {
			continue
		}
		r.chore(h, order.ID, func(ctx context.Context) error { return r.carryOut(ctx, w, scope, order) })
	}
}

// chore does something in a partition once at a time, beside the pages.
func (r *Runner) chore(h *holding, name string, do func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.chores[name] || h.ctx.Err() != nil {
		return
	}
	h.chores[name] = true
	r.working.Go(func() {
		if err := do(h.ctx); err != nil && h.ctx.Err() == nil {
			r.log.Warn("it is tried again", "chore", name, "error", err)
			pause(h.ctx, lookEvery)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(h.chores, name)
	})
}

// clear removes the data of a build that nobody projects into. Queries that have just begun on it may need a moment.
func (r *Runner) clear(ctx context.Context, scope readmodels.Scope) error {
	pause(ctx, lookEvery)
	at, err := r.models.Checkpoint(ctx, scope)
	switch {
	case isDamaged(err):
		info, err := r.events.Info(ctx)
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		at = readmodels.Checkpoint{StoreID: info.ID, Epoch: info.Epoch}
	case err != nil:
		return err
	case at.StoreID == "":
		return nil
	}
	return r.models.Drop(ctx, scope, at)
}

// carryOut replays or discards what is parked, and writes down what became of it.
func (r *Runner) carryOut(ctx context.Context, w *worker, scope readmodels.Scope, order readmodels.Order) error {
	still, err := obey(ctx, w.projector, r.events, order)
	var unavailable *readmodels.UnavailableError
	if ctx.Err() != nil || errors.As(err, &unavailable) {
		return err
	}
	_, failure := readmodels.ChangeBuilds(ctx, r.models, scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b == nil {
			return nil, errors.New("the read models were lost")
		}
		for i := range b.Orders {
			if one := &b.Orders[i]; one.ID == order.ID {
				one.Done, one.Still = true, still
				if err != nil {
					one.Error = err.Error()
				}
			}
		}
		return b, nil
	})
	return failure
}

// obey returns the streams that still do not go through.
func obey(ctx context.Context, p *Projector, log History, order readmodels.Order) (still []string, err error) {
	streams := make([]eventstore.StreamID, len(order.Streams))
	for i, name := range order.Streams {
		if streams[i], err = eventstore.ParseStreamID(name); err != nil {
			return nil, err
		}
	}
	if order.Discard {
		for _, stream := range streams {
			if _, err := p.Discard(ctx, stream); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	left, err := p.Replay(ctx, log, streams...)
	for _, one := range left {
		still = append(still, one.Stream)
	}
	return still, err
}

// promoter promotes builds that have caught up, and forgets those whose data is gone.
func (r *Runner) promoter(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, p := range r.all {
			r.mu.Lock()
			b := r.builds[p.Scope.Projection]
			r.mu.Unlock()
			if b == nil {
				continue
			}
			if err := errors.Join(r.promote(ctx, p, b), r.forget(ctx, p, b)); err != nil && ctx.Err() == nil {
				r.log.Warn("builds cannot be promoted or forgotten yet", "projection", p.Scope.Projection, "error", err)
			}
		}
	}
}

// promote makes the build that is under way the one that queries read, if that is wished and it has reached the end of
// the log in every partition. Who waits for it meanwhile waits a moment longer.
func (r *Runner) promote(ctx context.Context, p *Projection, b *readmodels.Builds) error {
	next := b.Next
	if next == nil || !next.Promote || next.Fault != "" || next.Version != p.Scope.Version || slices.Contains(b.Paused, next.Build) {
		return nil
	}
	info, err := r.events.Info(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	bound, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	if err := r.brought(bound, p.Scope.Of(next.Build), info.Head); err != nil {
		if errors.Is(err, context.DeadlineExceeded) { // it is still on its way
			err = nil
		}
		return err
	}
	promoted := false
	_, err = readmodels.ChangeBuilds(ctx, r.models, p.Scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		promoted = b != nil && b.Next != nil && b.Next.Build == next.Build && b.Next.Promote && b.Next.Fault == ""
		if promoted {
			b.Promote()
		}
		return b, nil
	})
	if err == nil && promoted {
		r.log.Info("build promoted", "projection", p.Scope.Projection, "build", next.String())
		r.arrangeSoon()
	}
	return err
}

// brought waits until a build has been brought to a position in every partition.
func (r *Runner) brought(ctx context.Context, scope readmodels.Scope, to eventstore.Position) error {
	for partition := range r.parts.Count() {
		if err := r.models.Wait(ctx, scope.In(partition), to); err != nil {
			return err
		}
	}
	return nil
}

// forget drops the names of builds that have no data any more.
func (r *Runner) forget(ctx context.Context, p *Projection, b *readmodels.Builds) error {
	for _, build := range b.Leaving {
		empty := true
		for partition := range r.parts.Count() {
			at, err := r.models.Checkpoint(ctx, p.Scope.Of(build).In(partition))
			if err != nil && !isDamaged(err) {
				return err
			}
			empty = empty && err == nil && at.StoreID == ""
		}
		if !empty {
			continue
		}
		_, err := readmodels.ChangeBuilds(ctx, r.models, p.Scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
			if b != nil {
				b.Leaving = slices.DeleteFunc(b.Leaving, func(one readmodels.Build) bool { return one == build })
			}
			return b, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
