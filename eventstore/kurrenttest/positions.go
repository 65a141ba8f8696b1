package kurrenttest

import (
	"math"

	"rolewise/eventstore"
)

// The commit position of store position p is origin + stride·p + jitter(p): it grows with p, leaves room for a system
// event behind each, and shows whoever counts on regular distances that there are none.
const (
	origin = 1009
	stride = 137
	beside = 70 // a system event lies this far behind the event that it follows
	spread = 61 // jitter is below this
	end    = math.MaxUint64
)

func commitOf(p eventstore.Position) uint64 {
	return origin + uint64(p)*stride + (uint64(p)%spread)*53%spread
}

// reached returns the last store position whose commit position is at most c; 0 if there is none.
func reached(c uint64) eventstore.Position {
	if c < origin+stride {
		return 0
	}
	p := eventstore.Position((c - origin) / stride)
	if commitOf(p) > c {
		p--
	}
	return p
}

// StorePosition is the inverse of the mapping: it returns the position that the store gave to the event at a commit
// position, and false if no event of the store can lie there.
func StorePosition(commit uint64) (eventstore.Position, bool) {
	p := reached(commit)
	return p, p > 0 && commitOf(p) == commit
}

// CommitPosition returns the commit position under which clients see a position of the store.
func CommitPosition(p eventstore.Position) uint64 { return commitOf(p) }
