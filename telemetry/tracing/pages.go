package tracing

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/telemetry"
)

// catchUpEvery is of how many pages of old events one is traced: nobody waits for them, and there are many.
const catchUpEvery = 64

// liveEvents is the most events of a page that is traced command by command.
const liveEvents = 64

// Pages makes spans of the pages that projections apply. A page at the log's end belongs to the trace of the command
// that wrote its first event, and each other command with an event in it gets a span of its own that links to the
// page's. Of the pages of history one in 64 is traced, by itself.
func (t *Tracing) Pages() []message.HandlerMiddleware {
	if t == nil {
		return nil
	}
	var old atomic.Uint64
	return []message.HandlerMiddleware{func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			page := projections.PageOf(m)
			live := page.Live && len(page.Events) <= liveEvents
			if len(page.Events) == 0 || !live && old.Add(1)%catchUpEvery != 1 {
				return next(m)
			}
			var correlations []string
			if live {
				correlations = correlationsOf(page.Events)
			}
			return t.page(m, page, correlations, next)
		}
	}}
}

// page applies a page under spans.
func (t *Tracing) page(m *message.Message, page eventstore.Page, correlations []string, next message.HandlerFunc) ([]*message.Message, error) {
	ctx, start := m.Context(), time.Now()
	attributes := trace.WithAttributes(attribute.Int("rolewise.events", len(page.Events)), attribute.Bool("rolewise.live", page.Live),
		attribute.String("rolewise.position", page.Through.String()))
	if len(correlations) > 0 {
		ctx = telemetry.WithCorrelation(ctx, correlations[0])
	}
	ctx, span := t.tracer.Start(ctx, "project page", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), attributes)
	if len(correlations) > 0 {
		span.SetAttributes(attribute.String("rolewise.correlation_id", correlations[0]))
	}
	m.SetContext(ctx)
	produced, err := next(m)
	end(span, err)
	for i, correlation := range correlations {
		if i == 0 {
			continue
		}
		_, other := t.tracer.Start(telemetry.WithCorrelation(context.Background(), correlation), "project events", trace.WithNewRoot(),
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(start), trace.WithLinks(trace.Link{SpanContext: span.SpanContext()}),
			attributes, trace.WithAttributes(attribute.String("rolewise.correlation_id", correlation)))
		end(other, err)
	}
	return produced, err
}

func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "not applied")
	}
	span.End()
}

// correlationsOf lists the correlation ids of events, each once, in order.
func correlationsOf(events []eventstore.Recorded) []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range events {
		meta, err := eventstore.DecodeMetadata(e.Metadata)
		if err == nil && meta.Correlation != "" && !seen[meta.Correlation] {
			seen[meta.Correlation] = true
			all = append(all, meta.Correlation)
		}
	}
	return all
}
