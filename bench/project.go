package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

const projectMethod = `A projection starts at the beginning of a log of sample plans and catches up with its end, through the
router, into an empty read model: in memory, and in a real Redis over loopback. Rates count every event of the log, whether
the projection has a rule for it or not, so that rate and length of a log give the time of a rebuild; "all" are all
projections side by side, fed by one scan of the log. The limits: the log read once, every event decrypted and
decoded, then dropped (a projection decodes only what it has rules for, so one with few rules may come out above 1); and Redis
taking pipelines of 500 HSET of 300 bytes, each counted as one.
Noise: all projections share two cores with Redis, and a Redis that has just been emptied grows while it is measured.`

func benchProject(ctx context.Context, s *suite) (a area, err error) {
	history, err := s.history(ctx)
	if err != nil {
		return a, err
	}
	log, err := openLog(ctx, history.folder)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	server, err := redistest.Run()
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	client, err := openRedis(server.URL)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	p := &projecting{log: log, client: client, url: server.URL}
	a = area{Title: "Project", Method: projectMethod}
	var toMemory, toRedis []row
	contenders := []contender{p.decode}
	for _, set := range projectionSets() {
		toMemory = append(toMemory, row{set.name + " into memory", set.name + " memory", "read and decode", "decode", perSecond})
		toRedis = append(toRedis, row{set.name + " into Redis", set.name + " redis", "read and decode", "decode", perSecond})
		contenders = append(contenders, p.into(set, "memory", openMemory), p.into(set, "redis", p.openEmptyRedis))
	}
	a.Rows = append(toMemory, toRedis...)
	a.Rows = append(a.Rows, row{"all into Redis", "all redis", "HSET", "hset", perSecond})
	contenders = append(contenders, func(ctx context.Context, into samples) error {
		return p.hset(ctx, history.events, into)
	})
	a.samples, err = s.compare(ctx, contenders...)
	return a, err
}

// projectionSet is a projection, or all of them.
type projectionSet struct {
	name string
	all  []*projections.Projection
}

func projectionSets() []projectionSet {
	var sets []projectionSet
	for _, p := range projections.All() {
		sets = append(sets, projectionSet{p.Scope.Projection, []*projections.Projection{p}})
	}
	return append(sets, projectionSet{"all", projections.All()})
}

// projecting is what catching up needs.
type projecting struct {
	log    eventstore.Store
	client *goredis.Client
	url    string
}

func openRedis(url string) (*goredis.Client, error) {
	o, err := goredis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return goredis.NewClient(o), nil
}

func openMemory(context.Context) (readmodels.Store, error) { return memory.New(), nil }

func (p *projecting) openEmptyRedis(ctx context.Context) (readmodels.Store, error) {
	if err := p.client.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	return redis.Open(ctx, p.url)
}

// into lets a set of projections catch up in an empty store of read models.
func (p *projecting) into(set projectionSet, kind string, open func(context.Context) (readmodels.Store, error)) contender {
	return func(ctx context.Context, into samples) (err error) {
		models, err := open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, models.Close()) }()
		info, err := p.log.Info(ctx)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := p.catchUp(ctx, models, info.Head, set.all); err != nil {
			return err
		}
		into.rate(set.name+" "+kind, int(info.Head), time.Since(start))
		return nil
	}
}

// patience bounds what should take seconds.
const patience = 2 * time.Minute

// catchUp runs projections until each has reached the end of the log.
func (p *projecting) catchUp(ctx context.Context, models readmodels.Store, head eventstore.Position, all []*projections.Projection) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	runner, err := projections.NewRunner(ctx, projections.Setup{Events: p.log, Models: models, Partitions: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, all...)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(running) }()
	for _, projection := range all {
		if err == nil {
			err = models.Wait(ctx, projection.Scope, head)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w; projections stand still at: %v", err, runner.Faults())
	}
	stop()
	return errors.Join(err, <-ended)
}

// decode reads the log, decodes every event, and makes nothing of it.
func (p *projecting) decode(ctx context.Context, into samples) error {
	through, start := eventstore.Position(0), time.Now()
	for page, err := range p.log.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			meta, err := eventstore.DecodeMetadata(e.Metadata)
			if err != nil {
				return err
			}
			if _, err := events.All.Decode(e.Type, meta.Schema, e.Data); err != nil {
				return err
			}
		}
		through = page.Through
		if page.Live {
			break
		}
	}
	into.rate("decode", int(through), time.Since(start))
	return nil
}

// hset writes small documents to Redis as fast as one connection takes them.
func (p *projecting) hset(ctx context.Context, times int, into samples) error {
	const batch, documents = 500, 50_000
	if err := p.client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	value := filledWith('v', 300)
	done, start := 0, time.Now()
	for done < times {
		pipeline := p.client.Pipeline()
		for range batch {
			pipeline.HSet(ctx, "bare", fmt.Sprintf("%036d", done%documents), value)
			done++
		}
		if _, err := pipeline.Exec(ctx); err != nil {
			return err
		}
	}
	into.rate("hset", done, time.Since(start))
	return p.client.FlushAll(ctx).Err()
}
