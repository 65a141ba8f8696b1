package leases_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolewise/leases"
)

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		keeper := leases.Alone()
		var mutex sync.Mutex
		var began []int
		finish := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- keeper.Run(ctx, 3, func(ctx context.Context, partition int, fence uint64) {
				mutex.Lock()
				began = append(began, partition)
				mutex.Unlock()
				if fence != 0 {
					t.Errorf("partition %d has the fence %d", partition, fence)
				}
				if partition == 1 {
					return
				}
				<-ctx.Done()
				<-finish
			})
		}()
		synctest.Wait()
		if slices.Sort(began); !slices.Equal(began, []int{0, 1, 2}) {
			t.Fatalf("began with %v", began)
		}
		if s := keeper.Stats(); s != (leases.Stats{Held: 2, Taken: 3, Returned: 1}) {
			t.Fatalf("counted %+v", s)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if slices.Sort(began); !slices.Equal(began, []int{0, 1, 1, 2}) {
			t.Fatalf("what has returned is not held again: %v", began)
		}
		stop()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("did not wait for its holds")
		}
		close(finish)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("ended with %v", err)
		}
		if s := keeper.Stats(); s.Held != 0 {
			t.Fatalf("counted %+v", s)
		}
	})
}

func TestAloneWithoutPartitions(t *testing.T) {
	if err := leases.Alone().Run(t.Context(), 0, nil); err == nil {
		t.Fatal("accepted")
	}
}
