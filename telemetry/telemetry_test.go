package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

func TestLog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(Log(slog.NewJSONHandler(&out, nil))).With("a", 1)
	ctx := WithCorrelation(context.Background(), "chosen-by-caller")
	traced := trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	for _, c := range []struct {
		name                     string
		ctx                      context.Context
		args                     []any
		correlation, trace, span any
	}{
		{"OPS-3 outside of requests", context.Background(), nil, nil, nil, nil},
		{"OPS-3 in a request", ctx, nil, "chosen-by-caller", nil, nil},
		{"OPS-3 in a traced request", traced, nil, "chosen-by-caller", "01000000000000000000000000000000", "0200000000000000"},
		{"OPS-3 told already", ctx, []any{"correlation", "chosen-by-caller"}, "chosen-by-caller", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out.Reset()
			logger.InfoContext(c.ctx, "said", c.args...)
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line["correlation"] != c.correlation || line["trace_id"] != c.trace || line["span_id"] != c.span || line["a"] != 1.0 {
				t.Errorf("logged %s", out.String())
			}
			if n := bytes.Count(out.Bytes(), []byte(`"correlation"`)); n > 1 {
				t.Errorf("told %d times: %s", n, out.String())
			}
		})
	}
}
