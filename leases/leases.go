// Package leases shares a fixed set of partitions among any number of processes: each partition is held by one of them
// at a time, under a lease that ends when its holder is not heard from.
//
// No clock and no network can promise that a holder which was stopped knows of it before its successor begins. Hence the
// fence: a number that comes with each lease of a partition, higher than that of any lease of it before. Whoever keeps
// what the holders write refuses a fence lower than the highest one seen, and then two holders may waste work, never
// corrupt (DESIGN rule 7).
package leases

import (
	"context"
	"errors"
)

// Keeper holds leases for this process.
type Keeper interface {
	// Run holds its share of the partitions 0 to partitions-1 until ctx ends, and returns ctx's error then, once every
	// hold has returned. Any other error says that it can't begin; a store of leases that does not answer is waited for.
	//
	// While this process has a partition's lease, hold runs for it, in a goroutine of its own and never twice at a time.
	// Its context ends with ctx, and with the cause ErrLost or ErrGivenAway when the lease does; hold finishes what it
	// has in hand and returns, and then the partition is passed on. Others do not wait for a hold that does not return:
	// they take the partition when the lease is over. A hold that returns by itself gives the partition back; it is
	// held again, here or elsewhere, after a pause.
	Run(ctx context.Context, partitions int, hold func(ctx context.Context, partition int, fence uint64)) error
	// Stats counts what has happened since the keeper was made.
	Stats() Stats
}

// Causes for which the context of a hold ends, to be found by errors.Is in context.Cause.
var (
	// ErrLost says that the lease was not renewed in time, or that another process may have it.
	ErrLost = errors.New("lease lost")
	// ErrGivenAway says that another process has fewer partitions than this one.
	ErrGivenAway = errors.New("lease given away")
)

// Stats counts the leases of one keeper. Taken is Held, Lost, GivenAway and Returned together.
type Stats struct {
	Held      int    // leases now
	Taken     uint64 // leases that began
	Lost      uint64 // leases that ended with ErrLost
	GivenAway uint64 // leases that ended with ErrGivenAway
	Returned  uint64 // leases that ended with Run, or since hold returned by itself
	Failures  uint64 // calls to the store of leases that it did not answer, or with an error
}
