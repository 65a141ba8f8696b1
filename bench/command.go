package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels/redis"
)

const commandMethod = `Commands of the sample's mix (half of them measurements, the rest visits, levels, assignments, edits and
publications of roles) to ` + "`rolewise serve`" + ` in a process of its own, with its projections running into a real Redis; one
client, and 64 clients, over connections that are kept, without Idempotency-Key. An answer comes once the events are
on the disk. The limit: a gin handler in a process of its own that reads the body of the same requests and appends it as one
event to one of many streams in the same kind of store, without decoding, signing in, deciding or projecting. Requests are
made before they are sent; the rate counts those that were accepted, which all are but for a lost race in a thousand.
Noise: clients, server and Redis share the cores, so that at 64 clients the load takes part of
what it measures; a command is at times two events or none.`

func benchCommand(ctx context.Context, s *suite) (a area, err error) {
	served, err := s.serve(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, served.close()) }()
	bare, err := s.serveBare(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()

	a = area{Title: "Command over HTTP", Method: commandMethod}
	var contenders []contender
	for _, of := range []struct {
		name    string
		clients int
	}{{"1 client", 1}, {"64 clients", manyWriters}} {
		limit, bareName := "gin and append, "+of.name, "bare "+of.name
		a.Rows = append(a.Rows, row{"commands, " + of.name, of.name, limit, bareName, perSecond})
		a.Rows = append(a.Rows, latencyRows("answered, "+of.name, of.name, limit, bareName)...)
		ours := load{history: served.history, name: of.name, address: served.address, clients: of.clients, slice: s.slice}
		theirs := load{history: served.history, name: bareName, address: bare.address, clients: of.clients, slice: s.slice}
		contenders = append(contenders, served.settled(&ours), theirs.measure)
	}
	a.samples, err = s.compare(ctx, contenders...)
	return a, err
}

// load is a number of clients on one server.
type load struct {
	history  *history
	name     string
	address  string
	clients  int
	slice    time.Duration // how long a round should take
	requests int           // in the next round; grows or shrinks with the rate of the last
	position eventstore.Position
}

// measure sends commands and keeps rate and latency.
func (l *load) measure(ctx context.Context, into samples) error {
	total := max(l.requests, 20*l.clients)
	requests, err := l.history.prepare(l.clients, total)
	if err != nil {
		return err
	}
	all, took, err := send(ctx, l.address, requests)
	if err != nil {
		return err
	}
	if all.refused > total/1000 { // all are valid, but a few may lose a race again and again
		return fmt.Errorf("%d of %d commands were refused, such as with %s", all.refused, total, all.refusal)
	}
	l.requests = int(float64(total) * l.slice.Seconds() / took.Seconds())
	l.position = max(l.position, all.position)
	into.rate(l.name, total-all.refused, took)
	into.latency(l.name, all.took)
	return nil
}

// served is a rolewise process with its Redis.
type served struct {
	*process
	history *history
	redis   *redistest.Server
	models  *redis.Store
}

// serve starts rolewise on a copy of the history.
func (s *suite) serve(ctx context.Context) (_ *served, err error) {
	program, err := s.binary(ctx)
	if err != nil {
		return nil, err
	}
	r := &served{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.history, err = s.history(ctx); err != nil {
		return nil, err
	}
	folder, err := s.scratch("serve")
	if err != nil {
		return nil, err
	}
	if err := r.history.copyTo(folder); err != nil {
		return nil, err
	}
	if r.redis, err = redistest.Run(); err != nil {
		return nil, err
	}
	if r.models, err = redis.Open(ctx, r.redis.URL); err != nil {
		return nil, err
	}
	r.process, err = start(ctx, folder, program, "serve", "--eventstore", "sqlite:"+filepath.Join(folder, "events.db"),
		"--redis", r.redis.URL, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	return r, err
}

// settled measures a load, and then waits until every projection has seen it, so that the next contender has the machine
// for itself.
func (r *served) settled(l *load) contender {
	return func(ctx context.Context, into samples) error {
		if err := l.measure(ctx, into); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		parts, err := r.models.Partitions(ctx, 1)
		if err != nil {
			return err
		}
		for _, scope := range parts.Scopes() {
			if err := r.models.Wait(ctx, scope, l.position); err != nil {
				return fmt.Errorf("wait for %s: %w", scope, err)
			}
		}
		return nil
	}
}

func (r *served) close() error {
	var errs []error
	if r.process != nil {
		errs = append(errs, r.stop())
	}
	if r.models != nil {
		errs = append(errs, r.models.Close())
	}
	if r.redis != nil {
		errs = append(errs, r.redis.Close())
	}
	return errors.Join(errs...)
}
