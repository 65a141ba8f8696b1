package tracing

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// quiet bounds what instrumentation made by others tells.
type quiet struct {
	trace.TracerProvider
	below bool            // spans only below one that is recorded: housekeeping of connections is no request
	drop  []attribute.Key // of a span's beginning
}

func (q quiet) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return quietTracer{q.TracerProvider.Tracer(name, options...), q}
}

type quietTracer struct {
	trace.Tracer
	quiet quiet
}

func (t quietTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.quiet.below && !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, trace.SpanFromContext(context.Background())
	}
	if len(t.quiet.drop) == 0 {
		return t.Tracer.Start(ctx, name, options...)
	}
	config := trace.NewSpanStartConfig(options...)
	told := slices.DeleteFunc(slices.Clone(config.Attributes()), func(a attribute.KeyValue) bool {
		return slices.Contains(t.quiet.drop, a.Key)
	})
	return t.Tracer.Start(ctx, name, trace.WithSpanKind(config.SpanKind()), trace.WithAttributes(told...))
}
