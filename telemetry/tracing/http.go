package tracing

import (
	"context"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/attribute"
	metrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"rolewise/telemetry"
)

// StreamRoute is the route of streams of changes.
const StreamRoute = "/v1/plans/:plan/stream"

// personal is what otelgin would tell of the person who sends a request.
var personal = []attribute.Key{"client.address", "network.peer.address", "network.peer.port", "user_agent.original"}

// HTTP makes a span of each request, named by its method and its route. A caller's own trace (traceparent) is linked and
// not continued: the trace is that of the correlation id, and whether it is recorded is not for strangers to say. A stream
// of changes has no span: it lasts for hours, and looks up its key every two seconds.
func (t *Tracing) HTTP() gin.HandlersChain {
	if t == nil {
		return nil
	}
	return gin.HandlersChain{
		otelgin.Middleware("rolewise",
			otelgin.WithTracerProvider(quiet{TracerProvider: t.provider, drop: personal}),
			otelgin.WithMeterProvider(metrics.NewMeterProvider()),
			otelgin.WithPropagators(propagation.NewCompositeTextMapPropagator()),
			otelgin.WithGinFilter(func(c *gin.Context) bool { return c.FullPath() != StreamRoute })),
		link,
	}
}

// link tells of the caller's trace and of the correlation id.
func link(c *gin.Context) {
	ctx := c.Request.Context()
	span := trace.SpanFromContext(ctx)
	if span.IsRecording() {
		span.SetAttributes(attribute.String("rolewise.correlation_id", telemetry.Correlation(ctx)))
		caller := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(c.Request.Header))
		if from := trace.SpanContextFromContext(caller); from.IsValid() {
			span.AddLink(trace.Link{SpanContext: from})
		}
	}
	c.Next()
}
