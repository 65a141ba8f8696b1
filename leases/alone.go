package leases

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// again is the pause before a partition is held again whose hold has returned by itself.
const again = time.Second

// alone keeps all partitions.
type alone struct{ counter Counter }

// Alone returns a keeper for the only process there is: it holds every partition all the time, with the fence 0, which
// is none.
func Alone() Keeper { return &alone{} }

// Run implements Keeper.
func (a *alone) Run(ctx context.Context, partitions int, hold func(ctx context.Context, partition int, fence uint64)) error {
	if partitions < 1 {
		return fmt.Errorf("hold %d partitions: there must be one at least", partitions)
	}
	var holds sync.WaitGroup
	for partition := range partitions {
		holds.Go(func() {
			for ctx.Err() == nil {
				a.counter.Began()
				hold(ctx, partition, 0)
				a.counter.Ended(nil)
				select {
				case <-ctx.Done():
				case <-time.After(again):
				}
			}
		})
	}
	holds.Wait()
	return ctx.Err()
}

// Stats implements Keeper.
func (a *alone) Stats() Stats { return a.counter.Stats() }
