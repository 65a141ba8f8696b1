package readmodels

import (
	"context"
	"fmt"
	"hash/fnv"
)

// Partitions is over how many partitions the plans are spread: 1, or a larger power of two. It is fixed when the first
// read model is written. A partition has what its plans need: their own events and all of the catalog's. With more than
// one partition another one, the last, has the catalog alone.
type Partitions int

// MostPartitions bounds them: each costs a copy of the catalog, and a lease.
const MostPartitions = 256

// Check refuses numbers that are none of partitions.
func (n Partitions) Check() error {
	if n < 1 || n > MostPartitions || n&(n-1) != 0 {
		return fmt.Errorf("%d is no number of partitions: it must be a power of two from 1 to %d", n, MostPartitions)
	}
	return nil
}

// Count is how many there are, that of the catalog included.
func (n Partitions) Count() int {
	if n == 1 {
		return 1
	}
	return int(n) + 1
}

// Of returns the partition in which a plan's read models lie.
func (n Partitions) Of(plan string) int {
	switch {
	case n == 1:
		return 0
	case plan == Catalog:
		return int(n)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(plan)) // never fails
	return int(h.Sum32()) & (int(n) - 1)
}

// Takes tells whether events of a plan are folded in a partition.
func (n Partitions) Takes(partition int, plan string) bool {
	return plan == Catalog || n.Of(plan) == partition
}

// Scopes lists every partition of every projection in force.
func (n Partitions) Scopes() []Scope {
	var all []Scope
	for _, scope := range Scopes() {
		for p := range n.Count() {
			all = append(all, scope.In(p))
		}
	}
	return all
}

// In is the same projection in another partition.
func (s Scope) In(partition int) Scope {
	s.Partition = partition
	return s
}

// within reads from one scope, whatever the partition and the build of the scope that is asked for.
type within struct {
	Reader
	scope Scope
}

func (w within) Get(ctx context.Context, _ Scope, keys ...Key) ([][]byte, error) {
	return w.Reader.Get(ctx, w.scope, keys...)
}

func (w within) Entries(ctx context.Context, _ Scope, index Index, r Range) ([]string, error) {
	return w.Reader.Entries(ctx, w.scope, index, r)
}

func (w within) Checkpoint(ctx context.Context, _ Scope) (Checkpoint, error) {
	return w.Reader.Checkpoint(ctx, w.scope)
}
