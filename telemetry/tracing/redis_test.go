package tracing

import (
	"context"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
)

func TestRedis(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{
		"one server": func(t testing.TB) string { return redistest.Start(t) },
		"a cluster":  func(t testing.TB) string { return redistest.StartCluster(t, 3) },
	} {
		t.Run("OPS-3 "+name, func(t *testing.T) {
			store, err := redis.Open(t.Context(), start(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			spans, traces := recorded()
			if err := traces.Redis(t.Context(), store.Client()); err != nil {
				t.Fatal(err)
			}
			for partition := range 8 { // on all nodes
				commit(t, t.Context(), store, partition)
			}
			if n := len(spans.Ended()); n > 0 {
				t.Fatalf("%d spans of nobody", n)
			}
			for partition := range 8 {
				ctx, root := traces.Tracer().Start(t.Context(), "root")
				before := len(spans.Ended())
				commit(t, ctx, store, 8+partition)
				below := spans.Ended()[before:]
				root.End()
				if len(below) == 0 || len(below) > 4 { // an unknown script, the script, and a node that knows better
					t.Errorf("partition %d: %d spans", partition, len(below))
				}
				for _, span := range below {
					if span.SpanContext().TraceID() != root.SpanContext().TraceID() || attributeOf(span, "db.system") != "redis" {
						t.Errorf("%s is of another trace, %v", span.Name(), span.Attributes())
					}
					for _, a := range span.Attributes() {
						if strings.Contains(a.Value.Emit(), "canary") {
							t.Errorf("%s tells what is in the read model", a.Key)
						}
					}
				}
			}
		})
	}
	t.Run("OPS-3 a client of another kind", func(t *testing.T) {
		_, traces := recorded()
		var other struct{ goredis.UniversalClient }
		if err := traces.Redis(t.Context(), other); err == nil {
			t.Error("no error")
		}
	})
}

func commit(t *testing.T, ctx context.Context, store readmodels.Store, partition int) {
	t.Helper()
	err := store.Commit(ctx, readmodels.Batch{
		Scope: readmodels.Roles.In(partition), Checkpoint: readmodels.Checkpoint{Position: 1, StoreID: "s", Epoch: 1},
		Put: map[readmodels.Key][]byte{{Plan: "acme", Collection: "roles", ID: "canary"}: []byte("canary")},
	})
	if err != nil {
		t.Fatal(err)
	}
}
