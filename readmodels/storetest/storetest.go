// Package storetest is the contract of readmodels.Store, run by every implementation.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// patience bounds what must happen at once; only a broken store ever waits that long.
const patience = 30 * time.Second

// Run tests a kind of store. open may return stores that share one server: each test uses scopes of its own.
// Run closes what it opens.
func Run(t *testing.T, open func(t *testing.T) readmodels.Store) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"an unknown scope is empty", testEmpty},
		{"a commit is read back", testReadBack},
		{"a commit keeps its own copy", testCopies},
		{"documents are replaced and deleted", testReplace},
		{"the checkpoint comes back as it was given", testCheckpoint},
		{"a page that does not follow is refused", testOutOfStep},
		{"a commit may stay at its position", testSamePosition},
		{"of racing commits one wins", testRace},
		{"an older lease is fenced off", testFence},
		{"a batch may be large", testLarge},
		{"entries are a set", testEntrySet},
		{"ranges choose entries in the order of their bytes", testRanges},
		{"pages of a range join without gap or overlap", testPaging},
		{"scopes are apart", testScopes},
		{"names never collide", testNames},
		{"every single read sees a commit whole or not at all", testAtomic},
		{"Wait returns when the position is reached", testWait},
		{"Wait is woken by the commit", testWake},
		{"Wait ends with its context", testWaitBounded},
		{"the context ends every call", testContext},
		{"Close ends waits and calls", testClose},
		{"Dump is canonical", testDump},
		{"Drop empties a scope", testDrop},
		{"of racing drops one empties the scope", testDropRace},
		{"the number of partitions is settled once", testPartitions},
		{"a record is replaced if it is what it was", testRecords},
		{"of racing changes of a record none is lost", testRecordRace},
		{"builds by the same rules are apart", testBuilds},
		{"any batches give what a plain model gives", testModel},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := open(t)
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
			t.Cleanup(cancel)
			test.run(t, &suite{Store: store, ctx: ctx, scope: NewScope(), open: open})
		})
	}
}

var scopes atomic.Int64

// NewScope returns a scope that no other test of this process uses. Its name holds what separates names elsewhere.
func NewScope() readmodels.Scope {
	return readmodels.Scope{Projection: fmt.Sprintf("contract {%d}:/@*?[a]", scopes.Add(1)), Version: 3, Partition: 7}
}

// suite is one store and one scope of one test.
type suite struct {
	readmodels.Store
	ctx   context.Context
	scope readmodels.Scope
	open  func(t *testing.T) readmodels.Store
}

// batch returns a batch of the suite's scope from one position to another.
func (s *suite) batch(after, through eventstore.Position) readmodels.Batch {
	return readmodels.Batch{Scope: s.scope, After: after, Checkpoint: readmodels.Checkpoint{Position: through},
		Put: map[readmodels.Key][]byte{}}
}

func (s *suite) commit(t *testing.T, b readmodels.Batch) {
	t.Helper()
	if err := s.Commit(s.ctx, b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// get returns the documents as text, "<none>" where there is none.
func (s *suite) get(t *testing.T, keys ...readmodels.Key) []string {
	t.Helper()
	values, err := s.Get(s.ctx, s.scope, keys...)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
		if value == nil {
			texts[i] = "<none>"
		}
	}
	return texts
}

func (s *suite) entries(t *testing.T, index readmodels.Index, r readmodels.Range) []string {
	t.Helper()
	values, err := s.Entries(s.ctx, s.scope, index, r)
	if err != nil {
		t.Fatalf("entries: %v", err)
	}
	return values
}

func (s *suite) position(t *testing.T) eventstore.Position {
	t.Helper()
	checkpoint, err := s.Checkpoint(s.ctx, s.scope)
	if err != nil {
		t.Fatalf("checkpoint: %v", err)
	}
	return checkpoint.Position
}

// Lines returns the dump of a scope.
func Lines(ctx context.Context, t rapid.TB, store readmodels.Store, scope readmodels.Scope) []string {
	t.Helper()
	var lines []string
	if err := store.Dump(ctx, scope, func(line string) error {
		lines = append(lines, line)
		return nil
	}); err != nil {
		t.Fatalf("dump: %v", err)
	}
	return lines
}

func equal[T any](t rapid.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, any(got), any(want))
	}
}

// equalTexts takes nil for empty.
func equalTexts(t rapid.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func outOfStep(t *testing.T, err error, want readmodels.OutOfStepError) {
	t.Helper()
	var got *readmodels.OutOfStepError
	if !errors.As(err, &got) || *got != want {
		t.Fatalf("got %v, want %v", err, &want)
	}
}

func fenced(t *testing.T, err error, want readmodels.FencedError) {
	t.Helper()
	var got *readmodels.FencedError
	if !errors.As(err, &got) || *got != want {
		t.Fatalf("got %v, want %v", err, &want)
	}
}
