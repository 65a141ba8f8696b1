package readmodels

import (
	"context"

	"rolewise/eventstore"
)

// views is how often a query that a commit has overtaken is run again before the last run counts.
const views = 3

// View runs a query on a scope that has reached min, and returns the checkpoint that the answer is at least as new as.
//
// A query of several reads may be overtaken by a commit; it is then run again, so that an answer under moderate load
// belongs to one position. Waiting for min is bounded by the context.
func View(ctx context.Context, store Store, scope Scope, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	if err := store.Wait(ctx, scope, min); err != nil {
		return Checkpoint{}, err
	}
	before, err := store.Checkpoint(ctx, scope)
	if err != nil {
		return Checkpoint{}, err
	}
	for run := 1; ; run++ {
		if err := query(store); err != nil {
			return Checkpoint{}, err
		}
		after, err := store.Checkpoint(ctx, scope)
		if err != nil {
			return Checkpoint{}, err
		}
		if after.Position == before.Position || run == views {
			return before, nil
		}
		before = after
	}
}
