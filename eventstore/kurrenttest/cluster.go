package kurrenttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"

	"rolewise/eventstore"
)

// Cluster is several fronts over one store, one of them the leader. The others refuse appends and name it.
type Cluster struct {
	fronts []*Server

	mu     sync.Mutex
	leader *Server // nil: none is elected
}

// StartCluster starts a number of fronts on free ports of 127.0.0.1. The first one leads.
func StartCluster(ctx context.Context, store eventstore.Store, size int, opts ...Option) (*Cluster, error) {
	if size < 1 {
		return nil, errors.New("start a cluster of KurrentDB fronts: it needs at least one")
	}
	o := options{listen: "127.0.0.1:0", systemEvents: 5}
	for _, opt := range opts {
		opt(&o)
	}
	c := &Cluster{}
	b := newBackend(store, o.systemEvents)
	for range size {
		s, err := start(ctx, b, o, c)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.fronts = append(c.fronts, s)
	}
	c.Lead(c.fronts[0])
	return c, nil
}

// Servers returns the fronts.
func (c *Cluster) Servers() []*Server { return slices.Clone(c.fronts) }

// Leader returns the front that leads, nil if none does.
func (c *Cluster) Leader() *Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

// Lead moves the leadership. With nil nobody leads, as during an election.
func (c *Cluster) Lead(s *Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = s
}

// ConnectionString names all fronts, for a client that finds the leader by gossip.
func (c *Cluster) ConnectionString() string {
	addresses := make([]string, len(c.fronts))
	for i, s := range c.fronts {
		addresses[i] = s.address
	}
	return c.fronts[0].options.connectionString(strings.Join(addresses, ","))
}

// Close stops all fronts.
func (c *Cluster) Close() error {
	var all error
	for _, s := range c.fronts {
		all = errors.Join(all, s.Close())
	}
	return all
}

// leads refuses a call that only a leader may answer. A front alone leads.
func (c *Cluster) leads(s *Server) error {
	if c == nil {
		return nil
	}
	switch leader := c.Leader(); leader {
	case nil:
		return notReady()
	case s:
		return nil
	default:
		return notLeader(leader.ip.String(), leader.port)
	}
}

// gossip tells who is there.
func (c *Cluster) gossip(ctx context.Context, s *Server) *gossip.ClusterInfo {
	if c == nil {
		return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{s.member(ctx, gossip.MemberInfo_Leader)}}
	}
	info, leader := &gossip.ClusterInfo{}, c.Leader()
	for _, f := range c.fronts {
		state := gossip.MemberInfo_Follower
		switch leader {
		case nil:
			state = gossip.MemberInfo_Unknown
		case f:
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, f.member(ctx, state))
	}
	return info
}
