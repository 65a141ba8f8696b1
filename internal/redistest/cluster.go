package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is how many hash slots the nodes of a cluster share.
const slots = 16384

// Cluster is a Redis Cluster; its masters come first among the nodes, as long as none has failed.
type Cluster struct {
	URL   string // redis-cluster://127.0.0.1:port,127.0.0.1:port
	Nodes []*Server
}

// StartCluster runs a cluster of so many nodes for the length of a test and returns its URL.
func StartCluster(t testing.TB, nodes int) (url string) {
	t.Helper()
	c, err := RunCluster(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.URL
}

// RunCluster starts a cluster for a TestMain or a benchmark program; the caller closes it.
func RunCluster(ctx context.Context, nodes int) (*Cluster, error) { return runCluster(ctx, nodes) }

func runCluster(ctx context.Context, nodes int, args ...string) (*Cluster, error) {
	c := &Cluster{}
	var addresses []string
	for range nodes {
		server, err := Run(append([]string{"--cluster-enabled", "yes"}, args...)...)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.Nodes = append(c.Nodes, server)
		addresses = append(addresses, server.Addr())
	}
	c.URL = "redis-cluster://" + strings.Join(addresses, ",")
	if err := c.join(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends all nodes.
func (c *Cluster) Close() error {
	var errs []error
	for _, node := range c.Nodes {
		errs = append(errs, node.Close())
	}
	return errors.Join(errs...)
}

// join shares out the slots, introduces the nodes to the first, and returns when each of them knows all slots.
func (c *Cluster) join(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, node := range c.Nodes {
		client := redis.NewClient(&redis.Options{Addr: node.Addr()})
		defer client.Close()
		first, next := slots*i/len(c.Nodes), slots*(i+1)/len(c.Nodes)
		if err := client.ClusterAddSlotsRange(ctx, first, next-1).Err(); err != nil {
			return fmt.Errorf("give slots to redis node %d: %w", i, err)
		}
		if err := client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", c.Nodes[0].Port).Err(); err != nil {
			return fmt.Errorf("introduce redis node %d: %w", i, err)
		}
	}
	for i, node := range c.Nodes {
		if err := awaitCluster(ctx, node, len(c.Nodes)); err != nil {
			return fmt.Errorf("wait for redis node %d to join: %w", i, err)
		}
	}
	return nil
}

func awaitCluster(ctx context.Context, node *Server, nodes int) error {
	client := redis.NewClient(&redis.Options{Addr: node.Addr()})
	defer client.Close()
	for {
		info, err := client.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", nodes)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
