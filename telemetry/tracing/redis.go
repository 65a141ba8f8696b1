package tracing

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/extra/redisotel/v9"
	goredis "github.com/redis/go-redis/v9"
)

// Redis makes spans of the commands that a client sends on behalf of a span. They never tell what the commands say.
//
// Of a cluster each node is a client of its own. The library would leave out those that are connected already, and
// changes what its nodes share without a lock, so it is given one node at a time.
func (t *Tracing) Redis(ctx context.Context, client goredis.UniversalClient) error {
	if t == nil {
		return nil
	}
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return t.server(client)
	}
	err := cluster.ForEachShard(ctx, func(_ context.Context, node *goredis.Client) error { return t.server(node) })
	cluster.OnNewNode(func(node *goredis.Client) { _ = t.server(node) }) // fails for other types of clients only
	return err
}

func (t *Tracing) server(client goredis.UniversalClient) error {
	err := redisotel.InstrumentTracing(client, redisotel.WithTracerProvider(quiet{TracerProvider: t.provider, below: true}),
		redisotel.WithDBStatement(false), redisotel.WithCallerEnabled(false), redisotel.WithDialFilter(true))
	if err != nil {
		return fmt.Errorf("trace redis: %w", err)
	}
	return nil
}
