// Package otel decorates read models with spans and measurements of their commits.
package otel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rolewise/readmodels"
)

// Meter is told of each commit, how long it took and how it ended. It is called concurrently.
type Meter interface {
	Committed(scope readmodels.Scope, took time.Duration, err error)
}

type store struct {
	readmodels.Store
	tracer trace.Tracer
	meter  Meter
}

// New returns read models whose commits are measured, and traced as part of the span that their context carries. A nil
// tracer makes no spans, a nil meter measures nothing.
func New(inner readmodels.Store, tracer trace.Tracer, meter Meter) readmodels.Store {
	return &store{inner, tracer, meter}
}

// Commit implements readmodels.Store.
func (s *store) Commit(ctx context.Context, b readmodels.Batch) error {
	var span trace.Span
	if s.tracer != nil && trace.SpanFromContext(ctx).IsRecording() {
		ctx, span = s.tracer.Start(ctx, "commit "+b.Scope.Projection, trace.WithAttributes(
			attribute.String("rolewise.projection", b.Scope.String()),
			attribute.String("rolewise.position", b.Checkpoint.Position.String()),
			attribute.Int("rolewise.documents", len(b.Put))))
	}
	start := time.Now()
	err := s.Store.Commit(ctx, b)
	if s.meter != nil {
		s.meter.Committed(b.Scope, time.Since(start), err)
	}
	if span != nil {
		if err != nil {
			span.SetStatus(codes.Error, "not committed")
		}
		span.End()
	}
	return err
}
