package redisleases_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rolewise/internal/redistest"
	"rolewise/leases/redisleases"
)

// clusterClient is as the read models' store makes it.
func clusterClient(t *testing.T, c *redistest.Cluster) goredis.UniversalClient {
	t.Helper()
	var addresses []string
	for _, node := range c.Nodes {
		addresses = append(addresses, node.Addr())
	}
	client := goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: addresses, ContextTimeoutEnabled: true, ClusterStateReloadInterval: 500 * time.Millisecond,
		DialTimeout: 500 * time.Millisecond, DialerRetries: 1, ReadTimeout: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestClusterFailover takes away the master that has the leases. Once its replica has taken its place, all partitions are
// held again within the lease time and a second, under fences that are higher than all before, and nobody writes under a
// lower one: also when the replica had not heard of the last leases, and when the slot of the leases moves.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	const partitions = 8
	cluster := redistest.StartReplicated(t, 3, 2*time.Second)
	l, group := newLedger(t), newGroup(t)
	l.lossy = true // what was not replicated is lost, and then two may hold a partition for a while
	work := func(ctx context.Context, partition int, fence uint64) {
		for ctx.Err() == nil {
			l.write(partition, fence)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	for _, name := range []string{"a", "b"} {
		l.joinTo(name, partitions, redisleases.Options{Client: clusterClient(t, cluster), Group: group, Lease: short}, work)
	}
	l.await("two share", patience, balanced(partitions, "a", "b"))
	held := func(holders map[int]string) bool { return len(holders) == partitions }
	ctx := t.Context()
	for name, c := range map[string]struct {
		harm func(master, replica *redistest.Server) error
		mend func(master, replica *redistest.Server) error
	}{
		"killed": {
			func(master, _ *redistest.Server) error { return master.Kill() },
			func(master, _ *redistest.Server) error { return master.Restart() },
		},
		"stopped": {
			func(master, _ *redistest.Server) error { return master.Pause() },
			func(master, _ *redistest.Server) error { return master.Resume() },
		},
		"replica cut off, then the master killed": {
			func(master, replica *redistest.Server) error {
				err := redistest.CutReplica(ctx, master, replica)
				// The replica has leases that were renewed since, and fences that were given since, as they were before.
				third := l.join("third", partitions, redisleases.Options{Client: clusterClient(t, cluster), Group: group, Lease: short})
				l.await("three share", patience, balanced(partitions, "a", "b", "third"))
				third.leave(t)
				l.await("the two have all", patience, balanced(partitions, "a", "b"))
				return errors.Join(err, master.Kill())
			},
			func(master, replica *redistest.Server) error {
				return errors.Join(redistest.MendReplica(ctx, replica), master.Restart())
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			master, replica, err := cluster.Busiest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			before := l.fences()
			if err := c.harm(master, replica); err != nil {
				t.Fatal(err)
			}
			away := time.Now()
			if err := replica.AwaitMaster(ctx); err != nil {
				t.Fatal(err)
			}
			since := time.Now()
			t.Logf("failed over within %s", since.Sub(away).Round(time.Millisecond))
			l.await("all are held under a new fence", patience, func(holders map[int]string) bool {
				after := l.fences()
				for partition, fence := range after {
					if fence <= before[partition] {
						return false // this hold has ended, or is going to
					}
				}
				return held(holders)
			})
			idle(t, since, short)
			if err := errors.Join(c.mend(master, replica), cluster.AwaitWhole(ctx)); err != nil {
				t.Fatal(err)
			}
			l.await("two share", patience, balanced(partitions, "a", "b"))
		})
	}
	t.Run("slots moved", func(t *testing.T) {
		for range 3 {
			from, _, err := cluster.Busiest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			masters, err := cluster.Masters(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range masters {
				if to == from {
					continue
				}
				since := time.Now()
				slots, keys, err := cluster.MoveSlots(ctx, from, to, 1)
				if err != nil || keys != 1 {
					t.Fatalf("%d slots and %d keys moved: %v", slots, keys, err)
				}
				l.await("all are held", patience, held)
				idle(t, since, short)
				break
			}
		}
	})
}

// fences are the highest that were seen.
func (l *ledger) fences() map[int]uint64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return maps.Clone(l.highest)
}
