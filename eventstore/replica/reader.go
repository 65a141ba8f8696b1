package replica

import (
	"context"
	"iter"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// Reader reads a log through its copy: as new as the log itself, and by plan at the cost of the plan.
type Reader struct {
	eventstore.Store // the log
	Copy             *sqlite.Replica
}

// Follow implements eventstore.Store. It begins once the copy has what the log has now.
func (r Reader) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		info, err := r.Info(ctx)
		if err == nil {
			err = r.Copy.Wait(ctx, info.Head)
		}
		if err != nil {
			yield(eventstore.Page{}, err)
			return
		}
		r.Copy.Follow(ctx, after, filter)(yield)
	}
}
