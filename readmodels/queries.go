package readmodels

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rolewise/eventstore"
)

// Queries answers from the read models. Each method names the plan first; what belongs to another plan is not found.
//
// An answer never goes back behind an earlier one, nor behind what is expected: a read model that lost its data, or is
// only being built, answers *RebuildingError rather than empty.
type Queries struct {
	store    Store
	parts    Partitions
	pointers *Pointers
	mu       sync.Mutex
	seen     map[Scope]seen
}

// seen is what was seen of one partition of a projection, under its scope without a build.
type seen struct {
	least eventstore.Position // where it was, or must be
	build Build               // that was read last
}

// NewQueries returns the queries on a store whose plans are spread over partitions.
func NewQueries(store Store, parts Partitions) *Queries {
	return &Queries{store: store, parts: parts, pointers: NewPointers(store), seen: map[Scope]seen{}}
}

// Expect lets no read model answer before it has reached a position, such as the end of the log at start-up.
func (q *Queries) Expect(position eventstore.Position) {
	for _, scope := range q.parts.Scopes() {
		q.reached(scope.Of(Build{}), position) // of whichever build
	}
}

// reached notes that a projection was, or must be, at a position, and which build was read there, and returns what was
// noted before.
func (q *Queries) reached(scope Scope, position eventstore.Position) seen {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := scope.Of(Build{})
	before := q.seen[of]
	q.seen[of] = seen{max(before.least, position), scope.Build()}
	return before
}

// expected returns what was noted of a projection.
func (q *Queries) expected(scope Scope) seen {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seen[scope.Of(Build{})]
}

// Live returns the scope of the build that answers, in the place of a projection's scope.
func (q *Queries) Live(ctx context.Context, scope Scope) (Scope, error) {
	live, err := q.pointers.Live(ctx, scope)
	var rebuilding *RebuildingError
	if errors.As(err, &rebuilding) {
		rebuilding.Want = q.expected(scope).least
	}
	return live, err
}

// view is View in the partition of a plan, with the promise of Queries.
func (q *Queries) view(ctx context.Context, scope Scope, plan string, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	return q.viewIn(ctx, scope.In(q.parts.Of(plan)), min, query)
}

// switching bounds how long a query waits for a build that has just become live to reach what the one before has told.
const switching = 2 * time.Second

// viewIn is view in the partition of a scope.
func (q *Queries) viewIn(ctx context.Context, scope Scope, min eventstore.Position, query func(Reader) error) (Checkpoint, error) {
	scope, err := q.Live(ctx, scope)
	if err != nil {
		return Checkpoint{}, err
	}
	before := q.expected(scope) // of before the view: what others see meanwhile is not expected of this one
	if before.build.Version != 0 && before.build != scope.Build() {
		switched, cancel := context.WithTimeout(ctx, switching)
		err := q.store.Wait(switched, scope, before.least)
		cancel()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return Checkpoint{}, err
		}
	}
	at, err := View(ctx, q.store, scope, min, func(r Reader) error { return query(within{r, scope}) })
	var damage *DamagedError
	if errors.As(err, &damage) { // whoever projects begins it anew
		return at, &RebuildingError{Scope: scope, Want: before.least}
	}
	if err != nil {
		return at, err
	}
	if at.Position < before.least {
		return at, &RebuildingError{Scope: scope, Have: at.Position, Want: before.least}
	}
	q.reached(scope, at.Position)
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
