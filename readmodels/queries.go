package readmodels

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rolewise/eventstore"
)

// Queries answers from the read models. Each method names the plan first; what belongs to another plan is not found.
//
// An answer never goes back behind an earlier one, nor behind what is expected: a read model that lost its data, or is
// only being built, answers *RebuildingError rather than empty.
type Queries struct {
	store Store
	parts Partitions
	mu    sync.Mutex
	least map[Scope]eventstore.Position
}

// NewQueries returns the queries on a store whose plans are spread over partitions.
func NewQueries(store Store, parts Partitions) *Queries {
	return &Queries{store: store, parts: parts, least: map[Scope]eventstore.Position{}}
}

// Expect lets no read model answer before it has reached a position, such as the end of the log at start-up.
func (q *Queries) Expect(position eventstore.Position) {
	for _, scope := range q.parts.Scopes() {
		q.reached(scope, position)
	}
}

// reached notes that a scope was, or must be, at a position, and returns the highest one noted.
func (q *Queries) reached(scope Scope, position eventstore.Position) eventstore.Position {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.least[scope] = max(q.least[scope], position)
	return q.least[scope]
}

// view is View in the partition of a plan, with the promise of Queries.
func (q *Queries) view(ctx context.Context, scope Scope, plan string, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	return q.viewIn(ctx, scope.In(q.parts.Of(plan)), min, query)
}

// viewIn is view in the partition of a scope.
func (q *Queries) viewIn(ctx context.Context, scope Scope, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	least := q.reached(scope, 0) // before the view: what others see meanwhile is not expected of this one
	at, err := View(ctx, q.store, scope, min, func(r Reader) error { return query(within{r, scope.Partition}) })
	var damage *DamagedError
	if errors.As(err, &damage) { // whoever projects begins it anew
		return at, &RebuildingError{Scope: scope, Want: least}
	}
	if err != nil {
		return at, err
	}
	q.reached(scope, at.Position)
	if at.Position < least {
		return at, &RebuildingError{Scope: scope, Have: at.Position, Want: least}
	}
	return at, nil
}

// RebuildingError says that a read model has not reached again what it, or the log, had reached before.
type RebuildingError struct {
	Scope      Scope
	Have, Want eventstore.Position
}

func (e *RebuildingError) Error() string {
	return fmt.Sprintf("read model %s is being rebuilt: %s of %s", e.Scope, e.Have, e.Want)
}
