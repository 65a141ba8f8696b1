// Package redisleases keeps leases of partitions in Redis, alone or as a cluster.
//
// Everything about a group of processes lies in one hash, which scripts read and change by the clock of the server: who
// is a member, and who has which lease until when, with which fence. A process renews its membership and all its leases
// with one call every third of the lease time; the answer tells what is free, who else is there, and when to look again
// because something of another process ends unless that renews it. From it each process computes its own share. Those
// that have too much end holds, and release the leases as the holds return; a message wakes the others.
//
// A process trusts its own clock only for the time since it sent a call: a lease is over for its holder before it is for
// the server. That is a courtesy, the fence is the promise: it is the microsecond at which the lease was taken, or one
// more than the last, whichever is higher, and so it grows across expiry, releases, and the loss of all data. Where
// clocks of servers that follow each other differ by more than a failover takes, and the lease was not replicated, new
// fences are lower than old ones until the clock has caught up: writes are refused for so long, and nothing else.
package redisleases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"rolewise/leases"
)

const (
	// DefaultLease is how long a partition may stand still when its process dies.
	DefaultLease = 5 * time.Second
	// shortest is the least lease time: below it, a pause of the scheduler or a slow connection looks like a death.
	shortest = 100 * time.Millisecond
)

// Options say where the leases are, and whose.
type Options struct {
	// Client should have ContextTimeoutEnabled: without it a server that hangs delays a change of leases by the client's
	// own timeouts. It may be shared; waiting for a connection counts as not being answered.
	Client goredis.UniversalClient
	Group  string        // processes that share the same partitions; not empty
	Lease  time.Duration // the same in all processes of a group; 0: DefaultLease
	Log    *slog.Logger  // nil: slog.Default()
}

// Keeper is a leases.Keeper on Redis.
type Keeper struct {
	client  goredis.UniversalClient
	group   string
	lease   time.Duration
	log     *slog.Logger
	counter leases.Counter
}

var _ leases.Keeper = (*Keeper)(nil)

// New returns a keeper. Nothing is sent yet.
func New(o Options) (*Keeper, error) {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case o.Client == nil:
		return nil, errors.New("leases need a redis client")
	case o.Group == "":
		return nil, errors.New("leases need the name of a group of processes")
	case o.Lease < shortest:
		return nil, fmt.Errorf("lease time %s is below %s", o.Lease, shortest)
	}
	return &Keeper{client: o.Client, group: o.Group, lease: o.Lease, log: o.Log}, nil
}

// Stats implements leases.Keeper.
func (k *Keeper) Stats() leases.Stats { return k.counter.Stats() }

// Run implements leases.Keeper. Each run is a member of the group of its own.
func (k *Keeper) Run(ctx context.Context, partitions int, work func(ctx context.Context, partition int, fence uint64)) error {
	if partitions < 1 {
		return fmt.Errorf("hold %d partitions: there must be one at least", partitions)
	}
	id, err := uuid.NewV7() // grows with time, see share
	if err != nil {
		return fmt.Errorf("make an id for a member of %s: %w", k.group, err)
	}
	s := &session{
		keeper: k, id: id.String(), partitions: partitions, work: work,
		holds: map[int]*hold{}, resting: map[int]time.Time{},
		returned: make(chan *hold, partitions), news: make(chan struct{}, 1),
	}
	listening, stop := context.WithCancel(ctx)
	s.listener.Go(func() { s.listen(listening) })
	s.run(ctx)
	stop()
	s.listener.Wait()
	return ctx.Err()
}
