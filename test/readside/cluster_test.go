package readside

import (
	"testing"
	"time"

	"rolewise/internal/redistest"
)

// nodeTimeout is when nodes of the cluster take another one for dead.
const nodeTimeout = 2 * time.Second

// clusterFaults harms a Redis Cluster of three masters with a replica each.
func clusterFaults(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartReplicated(t, 3, nodeTimeout)
	w := begin(t, 1, 3, cluster.URL, cluster.URL)
	p := watch(t, w)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var master, replica *redistest.Server
	choose := func() {
		t.Helper()
		var err error
		master, replica, err = cluster.Busiest(ctx)
		must(err)
	}
	whole := func(*testing.T) { must(cluster.AwaitWhole(ctx)) }
	// The master comes back only after the bound: errors must end without it.
	bound := nodeTimeout + 3*time.Second
	lasts := bound + 500*time.Millisecond
	faults := []fault{
		{name: "master killed", lasts: lasts, bound: bound,
			inject: func(*testing.T) { choose(); must(master.Kill()) },
			end:    func(t *testing.T) { must(master.Restart()); whole(t) }},
		{name: "master stopped", lasts: lasts, bound: bound,
			inject: func(*testing.T) { choose(); must(master.Pause()) },
			end:    func(t *testing.T) { must(master.Resume()); whole(t) }},
		{name: "replica cut off, then its master killed", lasts: lasts, bound: bound,
			inject: func(t *testing.T) {
				choose()
				must(redistest.CutReplica(ctx, master, replica))
				w.load.more(t, 20) // which the replica misses
				p.report()         // the bound counts from here
				must(master.Kill())
			},
			end: func(t *testing.T) {
				must(redistest.MendReplica(ctx, replica))
				must(master.Restart())
				whole(t)
			}},
		{name: "slots moved", bound: bound,
			inject: func(t *testing.T) {
				for range long(2, 20) {
					choose()
					masters, err := cluster.Masters(ctx)
					must(err)
					for _, to := range masters {
						if to != master {
							slots, keys, err := cluster.MoveSlots(ctx, master, to, 2)
							must(err)
							t.Logf("%d slots with %d keys moved", slots, keys)
							break
						}
					}
					w.load.more(t, 5)
				}
			}},
		{name: "master restarted empty before anyone noticed", lasts: time.Second, torture: true,
			inject: func(*testing.T) { choose(); must(master.Restart()) }, end: whole},
	}
	for range long(1, 5) {
		w.each(t, p, faults)
	}
}
