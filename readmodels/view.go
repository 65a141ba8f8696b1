package readmodels

import (
	"context"
	"errors"

	"rolewise/eventstore"
)

// views is how often a query that a commit has overtaken is run again before the last run counts.
const views = 3

// View runs a query on a scope that has reached min, and returns the checkpoint that the answer is at least as new as.
//
// A query of several reads may be overtaken by a commit; it is then run again, also when it failed, so that an answer
// under moderate load belongs to one position. The query therefore starts afresh each time it is called. Waiting for
// min is bounded by the context.
func View(ctx context.Context, store Store, scope Scope, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	before, err := reach(ctx, store, scope, min)
	if err != nil {
		return Checkpoint{}, err
	}
	for run := 1; ; run++ {
		failure := query(store)
		after, err := store.Checkpoint(ctx, scope)
		if err != nil {
			return Checkpoint{}, errors.Join(failure, err)
		}
		if after.Position == before.Position || run == views {
			if failure != nil {
				return Checkpoint{}, failure
			}
			if after.Position < before.Position { // it is being emptied
				return after, nil
			}
			return before, nil
		}
		before = after
	}
}

// reach waits until the scope has reached min. It looks again after the wait, since a store that fails over may lose
// what it had told of.
func reach(ctx context.Context, store Store, scope Scope, min eventstore.Position) (Checkpoint, error) {
	for {
		if err := store.Wait(ctx, scope, min); err != nil {
			return Checkpoint{}, err
		}
		checkpoint, err := store.Checkpoint(ctx, scope)
		if err != nil || checkpoint.Position >= min {
			return checkpoint, err
		}
	}
}
