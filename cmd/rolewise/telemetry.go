package main

import (
	"context"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/commands"
	logtelemetry "rolewise/eventstore/otel"
	"rolewise/leases"
	"rolewise/readmodels"
	modeltelemetry "rolewise/readmodels/otel"
	"rolewise/telemetry"
	"rolewise/telemetry/metrics"
	"rolewise/telemetry/tracing"
)

// observe makes what the system tells of itself, and puts it around the log and the read models.
func (s *system) observe(ctx context.Context) error {
	s.logger = slog.New(telemetry.Log(s.logger.Handler()))
	s.metrics = metrics.New(version())
	traces, err := tracing.FromEnvironment(ctx, version(), s.logger)
	if err != nil {
		return err
	}
	s.traces = traces
	if client := clientOf(s.models); client != nil {
		if err := traces.Redis(ctx, client); err != nil {
			return err
		}
	}
	s.log.Store = logtelemetry.New(s.log.Store, traces.Tracer(), s.metrics)
	s.models = modeltelemetry.New(s.models, traces.Tracer(), s.metrics)
	return nil
}

// watch lets the metrics tell how things stand when somebody asks. redis and keeper may be nil.
func (s *system) watch(client goredis.UniversalClient, keeper leases.Keeper) {
	state := metrics.State{
		Events: s.log.source, Models: s.models, Scopes: func() []readmodels.Scope { return s.parts.Scopes() }, Now: time.Now,
		Keys: func(ctx context.Context) error { _, err := s.log.keys.Secret(ctx, "email"); return err },
	}
	if s.runner != nil {
		state.Faults = s.runner.Faults
	}
	if keeper != nil {
		state.Leases = keeper.Stats
	}
	if client != nil {
		state.Redis = func() (used, idle int, timeouts uint64) {
			pool := client.PoolStats()
			return int(pool.TotalConns - pool.IdleConns), int(pool.IdleConns), uint64(pool.Timeouts)
		}
	}
	s.metrics.Watch(state)
}

// command is told of every command.
func (s *system) command(ctx context.Context, name string, req commands.Request) (context.Context, func(error)) {
	start := time.Now()
	ctx, ended := s.traces.Command(ctx, name, req.Correlation)
	return ctx, func(err error) {
		outcome, failed := metrics.Outcome(err)
		s.metrics.Command(name, outcome, time.Since(start))
		ended(outcome, failed)
	}
}

// clientOf returns the connections to Redis; nil: the read models are elsewhere.
func clientOf(models readmodels.Store) goredis.UniversalClient {
	if shared, ok := models.(interface {
		Client() goredis.UniversalClient
	}); ok {
		return shared.Client()
	}
	return nil
}

// endTraces sends the last spans, which must not hold up the end of the process.
func (s *system) endTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastSpans)
	defer cancel()
	if err := s.traces.Shutdown(ctx); err != nil {
		s.logger.Warn("spans are lost", "error", err)
	}
}

// lastSpans is for how long a process that ends tries to send its last spans.
const lastSpans = 3 * time.Second
