package kurrent

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"rolewise/eventstore"
)

// connector holds the present link and makes a new one when it is asked for one that works. Callers wait for it here,
// where their contexts are heard, and never inside the client.
type connector struct {
	address *address
	closing chan struct{}

	mu       sync.Mutex
	ended    bool
	current  *link
	attempt  *attempt  // under way
	since    time.Time // of the present link
	failures int       // in a row, including links that did not last
	last     error     // of the last attempt, nil if it succeeded
	leader   string    // where a node said that the leader is
}

// attempt is one attempt to connect, which all who need a link wait for.
type attempt struct {
	done chan struct{}
	err  error
}

// unreachable is the failure of an attempt to connect, or of waiting for one: nothing was sent.
type unreachable struct{ err error }

func (e *unreachable) Error() string { return e.err.Error() }
func (e *unreachable) Unwrap() error { return e.err }

// enter returns a link that the caller must leave. An error is *unreachable or eventstore.ErrClosed.
func (c *connector) enter(ctx context.Context) (*link, error) {
	for {
		c.mu.Lock()
		if c.ended {
			c.mu.Unlock()
			return nil, eventstore.ErrClosed
		}
		if c.current != nil && c.current.enter() {
			l := c.current
			c.mu.Unlock()
			return l, nil
		}
		a := c.attempt
		if a == nil {
			a = c.begin()
		}
		c.mu.Unlock()
		select {
		case <-a.done:
			if a.err != nil {
				return nil, a.err
			}
		case <-ctx.Done():
			return nil, &unreachable{c.reason(ctx)}
		case <-c.closing:
			return nil, eventstore.ErrClosed
		}
	}
}

// reason is why there is no link: the failure of the last attempt says more than that the time is over.
func (c *connector) reason(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil {
		return c.last
	}
	return ctx.Err()
}

// steady is how long a link must have lasted for the next one to be made at once.
const steady = time.Second

// shortPause is the most failures that links which did not last count as: a pause of 160 ms.
const shortPause = 4

// begin starts an attempt. The caller holds the lock.
func (c *connector) begin() *attempt {
	switch {
	case c.current == nil:
	case time.Since(c.since) >= steady:
		c.failures = 0
	default:
		c.failures = max(c.failures, min(c.failures+1, shortPause)) // it was there, so it is not away for long
	}
	c.current = nil
	c.attempt = &attempt{done: make(chan struct{})}
	go c.connect(c.attempt, c.failures, c.leader)
	return c.attempt
}

// connect makes one attempt, after a pause that grows with the failures before it.
func (c *connector) connect(a *attempt, failures int, leader string) {
	defer close(a.done)
	if failures > 0 && !c.wait(backoff(failures-1)) {
		a.err = eventstore.ErrClosed
		return
	}
	config := c.address.config
	if leader != "" {
		config.Address, config.GossipSeeds, config.DnsDiscover = leader, nil, false
	}
	l, err := dial(config, c.learn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = nil
	if leader != "" && leader == c.leader {
		c.leader = "" // a hint is good for one attempt
	}
	switch {
	case err != nil:
		c.failures++
		c.last = err
		a.err = &unreachable{err}
	case c.ended:
		l.retire()
		a.err = eventstore.ErrClosed
	default:
		c.current, c.since, c.last = l, time.Now(), nil
	}
}

func (c *connector) learn(leader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = leader
}

// wait returns false if the store was closed meanwhile.
func (c *connector) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.closing:
		return false
	}
}

// close ends all waiting, lets the calls under way end, for a bounded time, and closes the connection.
func (c *connector) close() {
	c.mu.Lock()
	c.ended = true
	l := c.current
	c.mu.Unlock()
	close(c.closing)
	if l == nil {
		return
	}
	l.retire()
	select {
	case <-l.closed:
	case <-l.abandoned:
	}
}

// backoff is the pause before a repetition, from 20 ms up to 1 s, spread by a fifth so that many do not come at once.
func backoff(attempt int) time.Duration {
	d := 20 * time.Millisecond << min(attempt, 6)
	d = min(d, time.Second)
	return d*4/5 + rand.N(d*2/5)
}

// pause waits for backoff, or returns the context's error.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(backoff(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
