package otel

import (
	"context"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type meter struct{ done, failed int }

func (m *meter) Committed(_ readmodels.Scope, _ time.Duration, err error) {
	if err != nil {
		m.failed++
		return
	}
	m.done++
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) readmodels.Store {
		s := New(memory.New(), sdk.NewTracerProvider().Tracer("test"), nil)
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

func TestCommit(t *testing.T) {
	spans, m := tracetest.NewSpanRecorder(), &meter{}
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test")
	s := New(memory.New(), tracer, m)
	commit := func(ctx context.Context) error {
		return s.Commit(ctx, readmodels.Batch{
			Scope: readmodels.Analytics.In(3), Checkpoint: readmodels.Checkpoint{Position: 7, StoreID: "s"},
			Put: map[readmodels.Key][]byte{{Plan: "acme", Collection: "roles", ID: "canary"}: []byte("canary")},
		})
	}
	if err := commit(t.Context()); err != nil || len(spans.Started()) > 0 {
		t.Fatalf("OPS-3 %d spans without one around them, %v", len(spans.Started()), err)
	}
	ctx, root := tracer.Start(t.Context(), "root")
	if err := commit(ctx); err == nil {
		t.Fatal("committed twice")
	}
	root.End()
	if m.done != 1 || m.failed != 1 {
		t.Errorf("OPS-3 measured %+v", m)
	}
	span := spans.Ended()[0]
	if span.Name() != "commit role-analytics" || span.Parent().SpanID() != root.SpanContext().SpanID() || span.Status().Description != "not committed" {
		t.Errorf("OPS-3 span %s below %s, status %v", span.Name(), span.Parent().SpanID(), span.Status())
	}
	for _, a := range span.Attributes() {
		if a.Value.Emit() == "canary" {
			t.Errorf("OPS-3 %s tells what is in the read model", a.Key)
		}
	}
}
