package redis_test

import (
	"errors"
	"testing"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// TestDamage finds something else where an index should be: nothing of the page is written, and once dropped the scope
// is built again.
func TestDamage(t *testing.T) {
	store, harm := open(t, server.URL), raw(t, server.URL)
	scope := readmodels.Scope{Projection: t.Name(), Version: 1}
	page := func(after, through int) readmodels.Batch {
		return readmodels.Batch{
			Scope: scope, After: eventstore.Position(after), Checkpoint: readmodels.Checkpoint{Position: eventstore.Position(through), StoreID: "log"},
			Put: map[readmodels.Key][]byte{{Plan: "acme", Collection: "c", ID: "1"}: []byte("new")},
			Add: []readmodels.Entry{{Index: readmodels.Index{Plan: "acme", Name: "i"}, Value: "x"}},
		}
	}
	damaged := func(err error, what string) {
		t.Helper()
		var damage *readmodels.DamagedError
		if !errors.As(err, &damage) || damage.Scope != scope {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, key := range []string{"index:acme:i", "doc:acme:c", "checkpoint"} {
		key = "rw:{" + scope.String() + "}:" + key
		if err := harm.Set(t.Context(), key, "something else", 0).Err(); err != nil {
			t.Fatal(err)
		}
		damaged(store.Commit(t.Context(), page(0, 5)), "commit over "+key)
		if keys, err := harm.Keys(t.Context(), "rw:{"+scope.String()+"}:*").Result(); err != nil || len(keys) != 1 {
			t.Errorf("a part of the page was written: %v, %v", keys, err)
		}
		switch key[len(key)-3:] {
		case "e:i":
			_, err := store.Entries(t.Context(), scope, readmodels.Index{Plan: "acme", Name: "i"}, readmodels.Range{})
			damaged(err, "entries")
		case "e:c":
			_, err := store.Get(t.Context(), scope, readmodels.Key{Plan: "acme", Collection: "c", ID: "1"})
			damaged(err, "get")
		case "int":
			_, err := store.Checkpoint(t.Context(), scope)
			damaged(err, "checkpoint")
			if err := store.Drop(t.Context(), scope, readmodels.Checkpoint{StoreID: "log"}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := harm.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Commit(t.Context(), page(0, 5)); err != nil {
		t.Fatal(err)
	}
	if at, err := store.Checkpoint(t.Context(), scope); err != nil || at.Position != 5 {
		t.Errorf("stands at %s, %v", at.Position, err)
	}
}
