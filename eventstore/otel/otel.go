// Package otel decorates a log with spans and measurements. It changes nothing of what the log does, and without a tracer
// and a meter it costs nothing.
package otel

import (
	"context"
	"errors"
	"iter"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rolewise/eventstore"
)

// Meter is told what is appended and read. It is called concurrently.
type Meter interface {
	// Appended is told of each append, how long it took, and how it ended.
	Appended(events int, took time.Duration, err error)
	// Read is told of each page that a follower gets.
	Read(events int)
}

type store struct {
	eventstore.Store
	tracer trace.Tracer
	meter  Meter
}

// New returns a log that is measured and traced. A nil tracer makes no spans, a nil meter measures nothing.
//
// An append and a read of a stream are spans of whatever span their context carries; without one there is no span. They
// tell the category of the stream and never its name. The append's span has the correlation id of its events.
func New(inner eventstore.Store, tracer trace.Tracer, meter Meter) eventstore.Store {
	if meter == nil {
		meter = unmeasured{}
	}
	return &store{inner, tracer, meter}
}

// Append implements eventstore.Store.
func (s *store) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	ctx, span := s.start(ctx, "append", stream)
	start := time.Now()
	position, err := s.Store.Append(ctx, stream, expected, events...)
	s.meter.Appended(len(events), time.Since(start), err)
	if span != nil {
		describe(span, position, events)
		end(span, err)
	}
	return position, err
}

// describe tells what was appended, and on whose behalf.
func describe(span trace.Span, position eventstore.Position, events []eventstore.Event) {
	span.SetAttributes(attribute.Int("rolewise.events", len(events)), attribute.String("rolewise.position", position.String()))
	if len(events) == 0 {
		return
	}
	if meta, err := eventstore.DecodeMetadata(events[0].Metadata); err == nil {
		span.SetAttributes(attribute.String("rolewise.correlation_id", meta.Correlation))
	}
}

// Read implements eventstore.Store.
func (s *store) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if s.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return s.Store.Read(ctx, stream, from)
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		ctx, span := s.start(ctx, "read", stream)
		var failure error
		events := 0
		defer func() {
			span.SetAttributes(attribute.Int("rolewise.events", events))
			end(span, failure)
		}()
		for e, err := range s.Store.Read(ctx, stream, from) {
			if failure = err; err == nil {
				events++
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Follow implements eventstore.Store. It lasts as long as its reader, so it is no span.
func (s *store) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range s.Store.Follow(ctx, after, filter) {
			if err == nil {
				s.meter.Read(len(page.Events))
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// start begins a span below the one that the context carries; nil: there is none, or nobody looks at it.
func (s *store) start(ctx context.Context, what string, stream eventstore.StreamID) (context.Context, trace.Span) {
	if s.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nil
	}
	return s.tracer.Start(ctx, what+" "+stream.Category, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("rolewise.stream_category", stream.Category)))
}

// end tells how it went. An optimistic conflict is no failure: the caller decides anew.
func end(span trace.Span, err error) {
	outcome := Outcome(err)
	span.SetAttributes(attribute.String("rolewise.outcome", outcome))
	if outcome != "done" && outcome != "conflict" {
		span.SetStatus(codes.Error, outcome)
	}
	span.End()
}

// Outcomes are what Outcome returns.
var Outcomes = []string{"done", "conflict", "refused", "unavailable", "cancelled", "failed"}

// Outcome classes how a call of the log ended, in one word that stands in metrics.
func Outcome(err error) string {
	var conflict *eventstore.ConflictError
	var invalid *eventstore.InvalidError
	var large *eventstore.TooLargeError
	var unavailable *eventstore.UnavailableError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &invalid), errors.As(err, &large):
		return "refused"
	case errors.As(err, &unavailable), errors.Is(err, eventstore.ErrClosed):
		return "unavailable"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	}
	return "failed"
}

type unmeasured struct{}

func (unmeasured) Appended(int, time.Duration, error) {}
func (unmeasured) Read(int)                           {}
