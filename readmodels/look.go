package readmodels

import (
	"context"

	"rolewise/eventstore"
)

// Look runs a query of another package on a projection, in the partition of a plan and on the build that is live, with
// the promise of Queries. The reader reads that scope, whichever it is asked for. The query starts afresh each time it is
// called.
func (q *Queries) Look(ctx context.Context, scope Scope, plan string, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	return q.view(ctx, scope, plan, min, query)
}
