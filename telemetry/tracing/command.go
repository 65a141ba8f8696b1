package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rolewise/telemetry"
)

// Command makes a span of a command and returns what ends it, with the outcome in one word; failed tells that it was not
// the caller's fault. A command without a span around it begins the trace of its correlation id.
func (t *Tracing) Command(ctx context.Context, name, correlation string) (context.Context, func(outcome string, failed bool)) {
	if t == nil {
		return ctx, func(string, bool) {}
	}
	if telemetry.Correlation(ctx) != correlation { // not that of a request: a reactor's, or an import's
		ctx = telemetry.WithCorrelation(ctx, correlation)
	}
	ctx, span := t.tracer.Start(ctx, "command "+name, trace.WithAttributes(
		attribute.String("rolewise.command", name), attribute.String("rolewise.correlation_id", correlation)))
	return ctx, func(outcome string, failed bool) {
		span.SetAttributes(attribute.String("rolewise.outcome", outcome))
		if failed {
			span.SetStatus(codes.Error, outcome)
		}
		span.End()
	}
}
