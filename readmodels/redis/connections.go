package redis

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// connections knows all connections of a client, so that they can be given up at once.
type connections struct {
	mu  sync.Mutex
	all map[*connection]struct{}
}

// watch lets the client make its connections through c.
func (c *connections) watch(o *goredis.Options) {
	dial := o.Dialer
	if dial == nil {
		dial = goredis.NewDialer(o)
	}
	o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		inner, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		one := &connection{Conn: inner, of: c}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.all == nil {
			c.all = map[*connection]struct{}{}
		}
		c.all[one] = struct{}{}
		// The client looks at idle connections through this, where they have it; those with TLS have not.
		if system, ok := inner.(syscall.Conn); ok {
			return struct {
				*connection
				syscall.Conn
			}{one, system}, nil
		}
		return one, nil
	}
}

// drop closes all connections. Calls that are under way on them are sent again by the client.
func (c *connections) drop() {
	c.mu.Lock()
	all := c.all
	c.all = nil
	c.mu.Unlock()
	for one := range all {
		one.dropped.Store(true)
		_ = one.Conn.Close() // it is not used any more, however it ends
	}
}

// connection is one of them. Once dropped it fails as if the server had closed it, which clients take for a reason to
// repeat a call.
type connection struct {
	net.Conn
	of      *connections
	dropped atomic.Bool
}

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.reason(err)
}

func (c *connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.reason(err)
}

func (c *connection) reason(err error) error {
	if err != nil && c.dropped.Load() {
		return io.EOF
	}
	return err
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
