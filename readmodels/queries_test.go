package readmodels_test

import (
	"errors"
	"testing"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

func TestQueriesNeverGoBack(t *testing.T) {
	commit := func(store readmodels.Store, after, through int) {
		t.Helper()
		err := store.Commit(t.Context(), readmodels.Batch{
			Scope: readmodels.Roles, After: eventstore.Position(after), Checkpoint: readmodels.Checkpoint{Position: eventstore.Position(through)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(q *readmodels.Queries) (readmodels.Checkpoint, error) {
		_, at, err := q.Roles(t.Context(), "acme", readmodels.RoleFilter{}, readmodels.Want{Limit: 1})
		return at, err
	}
	refused := func(err error, have, want int) {
		t.Helper()
		var rebuilding *readmodels.RebuildingError
		if !errors.As(err, &rebuilding) || rebuilding.Have != eventstore.Position(have) || rebuilding.Want != eventstore.Position(want) {
			t.Errorf("got %v, want rebuilding %d of %d", err, have, want)
		}
	}
	t.Run("not before what is expected is reached", func(t *testing.T) {
		store := memory.New()
		q := readmodels.NewQueries(store, 1)
		q.Expect(7)
		_, err := ask(q)
		refused(err, 0, 7)
		commit(store, 0, 6)
		_, err = ask(q)
		refused(err, 6, 7)
		commit(store, 6, 7)
		if at, err := ask(q); err != nil || at.Position != 7 {
			t.Errorf("at %s: %v", at.Position, err)
		}
	})
	t.Run("not behind an earlier answer", func(t *testing.T) {
		store := &swapped{memory.New()}
		q := readmodels.NewQueries(store, 1)
		commit(store, 0, 5)
		if _, err := ask(q); err != nil {
			t.Fatal(err)
		}
		store.Store = memory.New() // lost its data
		_, err := ask(q)
		refused(err, 0, 5)
	})
}

// swapped is a store that can lose everything.
type swapped struct{ readmodels.Store }
