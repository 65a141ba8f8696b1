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
		r.remover(h.ctx, p.Scope.In(h.partition).Of(build))
	}
	for _, order := range b.Orders {
		scope := p.Scope.In(h.partition).Of(order.Build)
		r.mu.Lock()
		w := h.workers[scope]
		r.mu.Unlock()
		if order.Partition != h.partition || order.Done || w == nil {
			continue
		}
		r.chore(h.ctx, order.ID, func(ctx context.Context) error { return r.carryOut(ctx, w, scope, order.ID) })
	}
}

// chore does something once at a time, beside the pages.
func (r *Runner) chore(ctx context.Context, name string, do func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chores[name] || ctx.Err() != nil {
		return
	}
	r.chores[name] = true
	r.working.Go(func() {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("it is tried again", "chore", name, "error", err)
			pause(ctx, lookEvery)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.chores, name)
	})
}

// tidy removes what this process has written of builds that are not known any more: read models that were lost took
// the names with them, and a worker that did not know it yet began its build anew.
func (r *Runner) tidy(ctx context.Context, p *Projection, b *readmodels.Builds) {
	r.mu.Lock()
	var strays []readmodels.Scope
	for scope := range r.worked {
		if scope.Projection == p.Scope.Projection && !b.Knows(scope.Build()) {
			strays = append(strays, scope)
		}
	}
	r.mu.Unlock()
	for _, scope := range strays {
		r.remover(ctx, scope)
	}
}

// remover removes the data of a build in one partition.
func (r *Runner) remover(ctx context.Context, scope readmodels.Scope) {
	r.chore(ctx, "remove "+scope.String(), func(ctx context.Context) error {
		gone, err := r.clear(ctx, scope)
		if gone {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.worked, scope)
		}
		return err
	})
}

// clear removes the data of a build that nobody projects into, and tells whether it is gone. Queries that have just
// begun on it may need a moment, and in that moment a build may have got its name.
func (r *Runner) clear(ctx context.Context, scope readmodels.Scope) (gone bool, err error) {
	pause(ctx, lookEvery)
	all, err := readmodels.ReadBuilds(ctx, r.models)
	if err != nil {
		return false, err
	}
	if b := all[scope.Projection]; b == nil || slices.Contains(b.All(), scope.Build()) {
		return false, nil
	}
	at, err := r.models.Checkpoint(ctx, scope)
	switch {
	case isDamaged(err):
		info, err := r.events.Info(ctx)
		if err != nil {
			return false, fmt.Errorf("find the end of the log: %w", err)
		}
		at = readmodels.Checkpoint{StoreID: info.ID, Epoch: info.Epoch}
	case err != nil:
		return false, err
	case at.StoreID == "":
		return true, nil
	}
	err = r.models.Drop(ctx, scope, at)
	return err == nil, err
}

// carryOut replays or discards what is parked, and writes down what became of it. What failed for a reason that passes,
// or since another process has the partition now, is left to be tried again.
func (r *Runner) carryOut(ctx context.Context, w *worker, scope readmodels.Scope, id string) error {
	order, err := r.order(ctx, scope.Projection, id)
	if err != nil || order == nil {
		return err
	}
	still, err := obey(ctx, w.projector, r.events, *order)
	if ctx.Err() != nil || err != nil && (transient(err) || isDamaged(err)) {
		return err
	}
	_, failure := readmodels.ChangeBuilds(ctx, r.models, scope.Projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b == nil {
			return nil, nil
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

// order returns an order that is still to be carried out, nil if it is not.
func (r *Runner) order(ctx context.Context, projection, id string) (*readmodels.Order, error) {
	all, err := readmodels.ReadBuilds(ctx, r.models)
	if err != nil || all[projection] == nil {
		return nil, err
	}
	for _, one := range all[projection].Orders {
		if one.ID == id && !one.Done {
			return &one, nil
		}
	}
	return nil, nil
}

// obey returns the streams that still do not go through.
func obey(ctx context.Context, p *Projector, log History, order readmodels.Order) (still []string, err error) {
	streams, err := p.due(ctx, order)
	if err != nil || len(streams) == 0 {
		return nil, err
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

// due lists the streams of an order that are still as they were when it was given. The others were carried out by
// somebody who died before that was written down.
func (p *Projector) due(ctx context.Context, order readmodels.Order) (streams []eventstore.StreamID, err error) {
	waiting, err := readmodels.Parked(ctx, p.store, p.projection.Scope)
	if err != nil {
		return nil, err
	}
	given, err := readmodels.Discarded(ctx, p.store, p.projection.Scope)
	if err != nil {
		return nil, err
	}
	for _, one := range order.Streams {
		i := slices.IndexFunc(waiting, func(s readmodels.ParkedStream) bool { return s.Stream == one.Stream })
		taken := slices.ContainsFunc(given, func(s readmodels.DiscardedStream) bool { return s.Stream == one.Stream })
		if i >= 0 && waiting[i].First.Position != one.First || i < 0 && (one.First != 0 || !taken) {
			continue
		}
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			return nil, err
		}
		streams = append(streams, stream)
	}
	return streams, nil
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
		promoted = b != nil && b.Next != nil && b.Next.Build == next.Build && b.Next.Promote && b.Next.Fault == "" &&
			!slices.Contains(b.Paused, next.Build)
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
