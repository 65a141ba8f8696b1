// Package readmodels is the port to the read models: what the projections have made of the log, ready to be queried.
//
// A read model is documents in collections and entries in ordered indexes, nothing more, so that the same typed query
// runs on Redis (live) and on memory (embedded, and for the past). Data and checkpoint are committed together.
package readmodels

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rolewise/eventstore"
)

// Scope is where one build of one projection keeps one partition of the plans. Nothing is shared between scopes.
type Scope struct {
	Projection string // such as "role-analytics"
	Version    int    // grows when the projection's rules change
	Number     int64  // of a build by the same rules; 0: the first
	Partition  int
}

// String is the form that stands in keys and logs: "role-analytics@3/07", or "role-analytics@3+1795323600/07".
func (s Scope) String() string {
	return fmt.Sprintf("%s@%s/%02d", s.Projection, s.Build(), s.Partition)
}

// Key names a document: one thing of one plan in one collection.
type Key struct{ Plan, Collection, ID string }

// Index names an ordered set of entries of one plan.
type Index struct{ Plan, Name string }

// Entry is one member of an index. Entries are ordered by their bytes.
type Entry struct {
	Index Index
	Value string
}

// Range chooses entries of an index, in order: those with the prefix, after After (exclusive), Limit at most.
type Range struct {
	Prefix string
	After  string // empty: from the first with the prefix
	Limit  int    // 0: all
}

// Checkpoint tells how far a scope has read the log, and of which log.
type Checkpoint struct {
	Position eventstore.Position
	Time     time.Time // of the newest event at or below Position; never goes back
	StoreID  string    // of the event store that was read
	Epoch    int
	Repairs  int // grows when documents changed below a position that was reached already, as by a replay of what was parked
}

// Batch is one page's worth of changes to a scope, committed whole or not at all.
type Batch struct {
	Scope      Scope
	After      eventstore.Position // must be where the scope stands
	Checkpoint Checkpoint          // where it stands afterwards
	Fence      uint64              // of the lease under which the page was folded; 0: none, and none is checked
	Put        map[Key][]byte      // nil value: delete
	Add        []Entry             // values are not empty, so that every entry can be a Range's After
	Remove     []Entry             // an entry that is also in Add stays
}

// Reader reads one scope.
type Reader interface {
	// Get returns one value for each key, nil where there is none. Callers must not change the bytes.
	Get(ctx context.Context, scope Scope, keys ...Key) ([][]byte, error)
	// Entries returns the entries of an index that a range chooses, in order.
	Entries(ctx context.Context, scope Scope, index Index, r Range) ([]string, error)
	// Checkpoint returns where a scope stands; the zero Checkpoint if nothing was ever committed to it.
	Checkpoint(ctx context.Context, scope Scope) (Checkpoint, error)
}

// Store holds read models. Implementations are safe for concurrent use and run the contract in storetest.
type Store interface {
	Reader
	// Commit applies a batch atomically. *OutOfStepError if the scope does not stand at batch.After, *FencedError if a
	// newer lease has written, *DamagedError if somebody else has written over the scope; nothing is changed then. Any other error is worth a repeat: the outcome is unknown,
	// and if the batch had arrived, the repeat gets *OutOfStepError with the batch's own position as Have. While the
	// scope is being dropped that is *UnavailableError.
	Commit(ctx context.Context, b Batch) error
	// Wait returns as soon as the scope's checkpoint has reached the position, woken by the commit, or with the
	// context's error.
	Wait(ctx context.Context, scope Scope, min eventstore.Position) error
	// Drop empties a scope that was built from the store and the epoch of a checkpoint, whatever its position: nothing
	// was ever committed to it then, but for the fence, which stays. A scope that was built from another store or epoch
	// is left as it is, without an error, since somebody else has begun it anew.
	//
	// One drop at a time: a second one waits for the first, and takes it over if its process has died. From its
	// beginning to its end the scope stands at 0, still with its store and epoch, and commits are refused. Cut off in
	// between it stays so; drop it again.
	Drop(ctx context.Context, scope Scope, built Checkpoint) error
	// Partitions returns over how many partitions the plans are spread here. That is what is wanted if nobody has said so
	// before, and it stays so as long as the data.
	Partitions(ctx context.Context, wanted Partitions) (Partitions, error)
	// Records returns what is kept beside the scopes, by name. It is lost with them.
	Records(ctx context.Context) (map[string][]byte, error)
	// SetRecord replaces a record, if it still is what it was; empty: there is none. It tells whether it was so.
	SetRecord(ctx context.Context, name string, was, is []byte) (bool, error)
	// Dump yields every document and entry of a scope in a canonical order, for comparison.
	Dump(ctx context.Context, scope Scope, yield func(line string) error) error
	Close() error
}

// OutOfStepError says that a scope stands elsewhere than the batch assumed: the page was committed already, or split
// differently. The caller drops what lies at or below Have and goes on from there.
type OutOfStepError struct {
	Scope      Scope
	Want, Have eventstore.Position
}

func (e *OutOfStepError) Error() string {
	return fmt.Sprintf("read model %s stands at %s, not %s", e.Scope, e.Have, e.Want)
}

// FencedError says that a newer lease holds the scope: the caller has lost its partition.
type FencedError struct {
	Scope        Scope
	Fence, Newer uint64
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("read model %s: lease %d is fenced off by %d", e.Scope, e.Fence, e.Newer)
}

// DamagedError says that somebody else has written over a read model. It must be dropped and built again.
type DamagedError struct {
	Scope Scope
	Err   error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("read model %s is damaged: %v", e.Scope, e.Err)
}
func (e *DamagedError) Unwrap() error { return e.Err }

// UnavailableError says that the store of read models does not answer, or not now. The call is worth a repeat.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return fmt.Sprintf("read models unavailable: %v", e.Err) }
func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrClosed is returned by every call on a closed store, and by the waits that its closing ended.
var ErrClosed = errors.New("read models are closed")
