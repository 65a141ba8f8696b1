package redistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// StartReplicated runs a cluster of so many masters with one replica each for the length of a test. A master that does
// not answer for the node timeout is replaced by its replica.
func StartReplicated(t testing.TB, masters int, nodeTimeout time.Duration) *Cluster {
	t.Helper()
	c, err := runCluster(t.Context(), masters, "--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.addReplicas(t.Context(), masters, nodeTimeout); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) addReplicas(ctx context.Context, masters int, nodeTimeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range masters {
		replica, err := Run("--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0",
			"--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10))
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, replica)
		if err := replica.do(ctx, "CLUSTER", "MEET", "127.0.0.1", c.Nodes[0].Port); err != nil {
			return fmt.Errorf("introduce redis replica %d: %w", i, err)
		}
	}
	for _, node := range c.Nodes {
		if err := awaitCluster(ctx, node, len(c.Nodes)); err != nil {
			return fmt.Errorf("wait for redis node %s: %w", node.Addr(), err)
		}
	}
	for i := range masters {
		id, err := c.Nodes[i].id(ctx)
		if err == nil {
			err = c.Nodes[masters+i].do(ctx, "CLUSTER", "REPLICATE", id)
		}
		if err != nil {
			return fmt.Errorf("make redis node %d a replica: %w", masters+i, err)
		}
	}
	return c.AwaitWhole(ctx)
}

// AwaitWhole returns when every node runs, knows all the others to be well, and each replica follows its master.
func (c *Cluster) AwaitWhole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		missing := c.missing(ctx)
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the redis cluster is not whole: %w", missing)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) missing(ctx context.Context) error {
	replicas := 0
	for _, node := range c.Nodes {
		nodes, err := node.table(ctx)
		if err != nil {
			return err
		}
		following := 0
		for _, other := range nodes {
			if other.master != "-" {
				following++
			}
			if strings.Contains(other.flags, "fail") || strings.Contains(other.flags, "handshake") {
				return fmt.Errorf("%s holds %s for %s", node.Addr(), other.addr, other.flags)
			}
		}
		if 2*following != len(c.Nodes) {
			return fmt.Errorf("%s knows %d replicas", node.Addr(), following)
		}
		role, err := node.info(ctx, "replication")
		if err != nil {
			return err
		}
		if strings.Contains(role, "role:slave") {
			replicas++
			if !strings.Contains(role, "master_link_status:up") {
				return fmt.Errorf("%s does not follow its master", node.Addr())
			}
		}
	}
	if 2*replicas != len(c.Nodes) {
		return fmt.Errorf("%d of %d nodes are replicas", replicas, len(c.Nodes))
	}
	return nil
}

// Busiest returns the master with the most keys, and its replica.
func (c *Cluster) Busiest(ctx context.Context) (master, replica *Server, err error) {
	most := int64(-1)
	for _, node := range c.Nodes {
		role, err := node.info(ctx, "replication")
		if err != nil {
			return nil, nil, err
		}
		if !strings.Contains(role, "role:master") {
			continue
		}
		keys, err := node.size(ctx)
		if err != nil {
			return nil, nil, err
		}
		if keys > most {
			master, most = node, keys
		}
	}
	id, err := master.id(ctx)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := master.table(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, node := range nodes {
		if node.master == id {
			return master, c.at(node.addr), nil
		}
	}
	return nil, nil, fmt.Errorf("the redis master %s has no replica", master.Addr())
}

// Masters returns the nodes that are masters at present.
func (c *Cluster) Masters(ctx context.Context) (all []*Server, err error) {
	for _, node := range c.Nodes {
		role, err := node.info(ctx, "replication")
		if err != nil {
			return nil, err
		}
		if strings.Contains(role, "role:master") {
			all = append(all, node)
		}
	}
	return all, nil
}

// AwaitMaster returns when a replica has taken the place of its master.
func (s *Server) AwaitMaster(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		role, err := s.info(ctx, "replication")
		if err != nil {
			return fmt.Errorf("wait for %s to become a master: %w", s.Addr(), err)
		}
		if strings.Contains(role, "role:master") {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *Cluster) at(addr string) *Server {
	i := slices.IndexFunc(c.Nodes, func(s *Server) bool { return s.Addr() == addr })
	if i < 0 {
		return nil
	}
	return c.Nodes[i]
}

// CutReplica keeps a replica from following its master until MendReplica: what is written meanwhile it does not get. For
// the other nodes, and so for a failover, it is well.
func CutReplica(ctx context.Context, master, replica *Server) error {
	// The master demands no password and refuses whoever sends one.
	if err := replica.Set(ctx, "masterauth", "none is wanted"); err != nil {
		return err
	}
	return master.do(ctx, "CLIENT", "KILL", "TYPE", "replica")
}

// MendReplica ends what CutReplica began.
func MendReplica(ctx context.Context, replica *Server) error {
	return replica.Set(ctx, "masterauth", "")
}

// MoveSlots moves so many of the slots in which one master has keys to another, while both are in use. It returns how
// many slots and keys were moved.
func (c *Cluster) MoveSlots(ctx context.Context, from, to *Server, most int) (slots, keys int, err error) {
	client := from.client()
	defer client.Close()
	wanted, err := filled(ctx, client, most)
	if err != nil {
		return 0, 0, err
	}
	for _, slot := range wanted {
		moved, err := c.moveSlot(ctx, client, from, to, slot)
		if err != nil {
			return slots, keys, fmt.Errorf("move slot %d from %s to %s: %w", slot, from.Addr(), to.Addr(), err)
		}
		slots, keys = slots+1, keys+moved
	}
	return slots, keys, nil
}

// filled finds slots in which a node has keys.
func filled(ctx context.Context, client *redis.Client, most int) (all []int64, err error) {
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) && len(all) < most {
		slot, err := client.ClusterKeySlot(ctx, keys.Val()).Result()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, slot) {
			all = append(all, slot)
		}
	}
	return all, keys.Err()
}

func (c *Cluster) moveSlot(ctx context.Context, client *redis.Client, from, to *Server, slot int64) (moved int, err error) {
	source, err := from.id(ctx)
	if err != nil {
		return 0, err
	}
	target, err := to.id(ctx)
	if err != nil {
		return 0, err
	}
	if err := to.do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", source); err != nil {
		return 0, err
	}
	if err := from.do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", target); err != nil {
		return 0, err
	}
	for {
		keys, err := client.ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		if err != nil {
			return moved, err
		}
		if len(keys) == 0 {
			break
		}
		// One key at a time, so that the slot is torn between both nodes for a while.
		if err := from.do(ctx, "MIGRATE", "127.0.0.1", to.Port, keys[0], 0, 5000); err != nil {
			return moved, err
		}
		moved++
	}
	var errs []error
	for _, node := range []*Server{to, from} {
		errs = append(errs, node.do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target))
	}
	return moved, errors.Join(errs...)
}

// member is a line of what a node knows of the cluster.
type member struct{ id, addr, flags, master string }

func (s *Server) table(ctx context.Context) (all []member, err error) {
	client := s.client()
	defer client.Close()
	text, err := client.ClusterNodes(ctx).Result()
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		addr, _, _ := strings.Cut(fields[1], "@")
		all = append(all, member{id: fields[0], addr: addr, flags: fields[2], master: fields[3]})
	}
	return all, nil
}

func (s *Server) do(ctx context.Context, args ...any) error {
	client := s.client()
	defer client.Close()
	return client.Do(ctx, args...).Err()
}

func (s *Server) id(ctx context.Context) (string, error) {
	client := s.client()
	defer client.Close()
	return client.ClusterMyID(ctx).Result()
}

func (s *Server) info(ctx context.Context, section string) (string, error) {
	client := s.client()
	defer client.Close()
	return client.Info(ctx, section).Result()
}

func (s *Server) size(ctx context.Context) (int64, error) {
	client := s.client()
	defer client.Close()
	return client.DBSize(ctx).Result()
}
