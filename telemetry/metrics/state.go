package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rolewise/eventstore"
	"rolewise/leases"
	"rolewise/readmodels"
)

// State is what is asked when somebody looks. Fields that a process does not have are nil, and their metrics are absent.
type State struct {
	Events eventstore.Store
	Models readmodels.Store
	Scopes func() []readmodels.Scope // every projection, by its rules in force, in every partition
	Faults func() map[string]error   // what projections of this process stand still at
	Leases func() leases.Stats
	Keys   func(context.Context) error // whether the keys of personal data can be read
	Redis  func() (used, idle int, timeouts uint64)
	Now    func() time.Time
}

// Watch makes the state part of the metrics; once. What can be counted of a projection is told from the beginning, so
// that the first time is seen as an increase.
func (m *Metrics) Watch(s State) {
	m.register(&collector{s})
	for _, scope := range s.Scopes() {
		m.parkings.WithLabelValues(label(scope))
		m.rebuilds.WithLabelValues(label(scope))
		for _, outcome := range commitOutcomes {
			m.commits.WithLabelValues(label(scope), outcome)
		}
	}
}

// scrapeBound is for how long a scrape waits for the stores.
const scrapeBound = 3 * time.Second

type collector struct{ State }

func desc(of, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name(of), help, labels, nil)
}

var (
	storeUp   = desc("event_store_up", "Whether the event store answers: 1 or 0.")
	storeHead = desc("event_store_head_position", "Position of the last event. On SQLite positions count events, on KurrentDB they are places in its log.")
	modelsUp  = desc("read_models_up", "Whether the store of read models, such as Redis, answers: 1 or 0.")
	keysUp    = desc("keys_up", "Whether the keys of personal data can be read: 1 or 0.")

	lagSeconds    = desc("projection_lag_seconds", "Age of the oldest event that the hindmost partition has not applied; 0 at the end of the log.", "projection", "build")
	lagPositions  = desc("projection_lag_positions", "Distance of the hindmost partition from the end of the log. On SQLite positions count events, on KurrentDB they are places in its log.", "projection", "build")
	progress      = desc("projection_progress_ratio", "How far a projection has come in the log, from 0 to 1; the progress of a rebuild.", "projection", "build")
	parkedStreams = desc("projection_parked_streams", "Streams that are held back since an event of theirs could not be applied.", "projection", "build")
	parkedEvents  = desc("projection_parked_events", "Events that wait in parked streams.", "projection", "build")
	faults        = desc("projection_faults", "Partitions that stand still in this process.", "projection", "build")

	leasesHeld      = desc("leases_held", "Partitions that this process projects.")
	leasesTaken     = desc("leases_taken_total", "Leases that began.")
	leasesLost      = desc("leases_lost_total", "Leases that ended since they were not renewed in time, or another process took them.")
	leasesGivenAway = desc("leases_given_away_total", "Leases that were passed on to a process with fewer.")
	leasesReturned  = desc("leases_returned_total", "Leases that were given back.")
	leaseFailures   = desc("lease_store_failures_total", "Calls to the store of leases that failed.")

	redisUsed     = desc("redis_connections_used", "Connections to Redis that are in use.")
	redisIdle     = desc("redis_connections_idle", "Connections to Redis that are idle.")
	redisTimeouts = desc("redis_pool_timeouts_total", "Calls that got no connection to Redis in time.")
)

var states = []*prometheus.Desc{
	storeUp, storeHead, modelsUp, keysUp, lagSeconds, lagPositions, progress, parkedStreams, parkedEvents, faults,
	leasesHeld, leasesTaken, leasesLost, leasesGivenAway, leasesReturned, leaseFailures, redisUsed, redisIdle, redisTimeouts,
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range states {
		out <- d
	}
}

// Collect implements prometheus.Collector. What cannot be asked is left out, rather than told wrong.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeBound)
	defer cancel()
	info, err := c.Events.Info(ctx)
	tell(out, storeUp, up(err))
	if err == nil {
		tell(out, storeHead, float64(info.Head))
	}
	all, unread := c.builds(ctx, info.Head)
	tell(out, modelsUp, up(unread))
	if err == nil { // of read models that do not answer there is none to tell of
		c.tellProjections(ctx, out, all, info.Head)
	}
	if c.Keys != nil {
		tell(out, keysUp, up(c.Keys(ctx)))
	}
	if c.Leases != nil {
		tellLeases(out, c.Leases())
	}
	if c.Redis != nil {
		used, idle, timeouts := c.Redis()
		tell(out, redisUsed, float64(used))
		tell(out, redisIdle, float64(idle))
		count(out, redisTimeouts, timeouts)
	}
}

// build is the hindmost partition of one build of a projection, and what is parked in all.
type build struct {
	labels          []string
	at              eventstore.Position
	streams, events int
	faults          int
}

// builds looks at every build that there is: the one that queries read, one that is being built beside it, and the one
// before, which operators can go back to.
func (c *collector) builds(ctx context.Context, head eventstore.Position) ([]*build, error) {
	known, err := readmodels.ReadBuilds(ctx, c.Models)
	if err != nil {
		return nil, err
	}
	standing := map[string]error{}
	if c.Faults != nil {
		standing = c.Faults()
	}
	byLabels := map[string]*build{}
	var all []*build
	for _, rules := range c.Scopes() {
		for is, scope := range scopesOf(rules, known[rules.Projection]) {
			key := is + label(scope)
			one := byLabels[key]
			if one == nil {
				one = &build{labels: []string{label(scope), is}, at: head}
				byLabels[key], all = one, append(all, one)
			}
			if err := c.look(ctx, scope, one); err != nil {
				return nil, err
			}
			if standing[scope.String()] != nil {
				one.faults++
			}
		}
	}
	return all, nil
}

// scopesOf lists the builds of a partition by what they are. Where nothing was projected yet, what is missing is the one
// by the rules in force.
func scopesOf(rules readmodels.Scope, b *readmodels.Builds) map[string]readmodels.Scope {
	if b == nil {
		return map[string]readmodels.Scope{"live": rules}
	}
	all := map[string]readmodels.Scope{"live": rules.Of(b.Live)}
	if b.Next != nil {
		all["next"] = rules.Of(b.Next.Build)
	}
	if b.Before != nil {
		all["before"] = rules.Of(*b.Before)
	}
	return all
}

// look adds a partition to its projection. A damaged one has nothing, and is begun anew by whoever projects.
func (c *collector) look(ctx context.Context, scope readmodels.Scope, into *build) error {
	var damaged *readmodels.DamagedError
	at, err := c.Models.Checkpoint(ctx, scope)
	if err != nil && !errors.As(err, &damaged) {
		return err
	}
	into.at = min(into.at, at.Position)
	waiting, err := readmodels.Parked(ctx, c.Models, scope)
	if err != nil && !errors.As(err, &damaged) {
		return err
	}
	into.streams += len(waiting)
	for _, stream := range waiting {
		into.events += stream.Count
	}
	return nil
}

func (c *collector) tellProjections(ctx context.Context, out chan<- prometheus.Metric, all []*build, head eventstore.Position) {
	ages := map[eventstore.Position]time.Duration{} // projections that are fed together stand together
	for _, p := range all {
		tell(out, lagPositions, float64(head-p.at), p.labels...)
		ratio := 1.0
		if head > 0 {
			ratio = float64(p.at) / float64(head)
		}
		tell(out, progress, ratio, p.labels...)
		tell(out, parkedStreams, float64(p.streams), p.labels...)
		tell(out, parkedEvents, float64(p.events), p.labels...)
		if c.Faults != nil {
			tell(out, faults, float64(p.faults), p.labels...)
		}
		age, known := ages[p.at]
		if !known {
			var err error
			if age, err = c.age(ctx, p.at, head); err != nil {
				continue
			}
			ages[p.at] = age
		}
		tell(out, lagSeconds, age.Seconds(), p.labels...)
	}
}

// age is how long ago the first event after a position happened; 0 at the end of the log.
func (c *collector) age(ctx context.Context, after, head eventstore.Position) (time.Duration, error) {
	if after >= head {
		return 0, nil
	}
	for page, err := range c.Events.Follow(ctx, after, eventstore.Filter{PageSize: 1}) {
		switch {
		case err != nil:
			return 0, err
		case len(page.Events) > 0:
			meta, err := eventstore.DecodeMetadata(page.Events[0].Metadata)
			return max(0, c.Now().Sub(meta.Time)), err
		case page.Live || page.Through >= head:
			return 0, nil
		}
	}
	return 0, ctx.Err()
}

func tellLeases(out chan<- prometheus.Metric, s leases.Stats) {
	tell(out, leasesHeld, float64(s.Held))
	count(out, leasesTaken, s.Taken)
	count(out, leasesLost, s.Lost)
	count(out, leasesGivenAway, s.GivenAway)
	count(out, leasesReturned, s.Returned)
	count(out, leaseFailures, s.Failures)
}

func up(err error) float64 {
	if err != nil {
		return 0
	}
	return 1
}

func tell(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func count(out chan<- prometheus.Metric, d *prometheus.Desc, value uint64) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
}
