package kurrent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// drainTime is how long the calls on a link that is given up may take to end by themselves.
const drainTime = 5 * time.Second

// link is one client with its one connection, from the moment it is connected until it is given up. The client is never
// allowed to reconnect by itself: it would leak the old connection, and hang its callers when it fails.
type link struct {
	client *esdb.Client
	leader func(endpoint string) // told where a node says that the leader is

	mu        sync.Mutex
	calls     int
	refusals  int           // in a row, by a server that is busy or not ready
	given     bool          // up
	retired   chan struct{} // closed when no call may begin any more
	idle      chan struct{} // closed when it is retired and no call is inside the client
	abandoned chan struct{} // closed when calls did not end in time: their callers wait no longer
	closed    chan struct{} // closed when the connection is
}

// dial makes a client and connects it. On failure nothing is left of it.
func dial(config esdb.Configuration, leader func(string)) (*link, error) {
	l := &link{
		leader: leader, retired: make(chan struct{}), idle: make(chan struct{}),
		abandoned: make(chan struct{}), closed: make(chan struct{}),
	}
	config.Logger = l.log
	client, err := esdb.NewClient(&config)
	if err != nil {
		return nil, err
	}
	l.client = client
	err = guard(func() error {
		_, err := client.GetServerVersion() // waits for the connection and asks nothing of the server
		return err
	})
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return l, nil
}

// enter counts a call in. Whoever gets true must leave.
func (l *link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given {
		return false
	}
	l.calls++
	return true
}

func (l *link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls--
	if l.given && l.calls == 0 {
		close(l.idle)
	}
}

// retire gives the link up: calls under way may end, and then the connection is closed. Closing it under a call would
// panic in the client.
func (l *link) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given {
		return
	}
	l.given = true
	close(l.retired)
	if l.calls == 0 {
		close(l.idle)
	}
	go func() {
		timer := time.NewTimer(drainTime)
		defer timer.Stop()
		select {
		case <-l.idle:
		case <-timer.C:
			close(l.abandoned)
			<-l.idle
		}
		_ = l.client.Close()
		close(l.closed)
	}()
}

// mostRefusals is how often in a row a server may say that it is busy or not ready before another node is looked for.
const mostRefusals = 8

// judge gives the link up when an answer shows that it is broken.
func (l *link) judge(err error) {
	f := passing
	if err != nil {
		f = classify(err)
	}
	l.mu.Lock()
	if f == busy {
		l.refusals++
	} else {
		l.refusals = 0
	}
	tired := l.refusals >= mostRefusals
	l.mu.Unlock()
	if f == broken || tired {
		l.retire()
	}
}

// What the client logs at the moments where its conduct must be changed. A test for each proves that these are still
// the words of the client.
const (
	logFailed    = "unexpected exception: %v"
	logNotLeader = "not leader exception, reconnecting to %v"
	logToLeader  = "Connecting to leader node %s ..."
)

// log is called by the client. Its log is the only way to step in.
func (l *link) log(_ esdb.LogLevel, format string, args ...any) {
	switch format {
	case logFailed: // in the goroutine of the call, before the client starts to reconnect
		if err, ok := first[error](args); ok && status.Code(err) == codes.Unavailable {
			panic(lost{err})
		}
	case logNotLeader: // in the goroutine of the call
		if endpoint, ok := first[esdb.EndPoint](args); ok {
			l.leader(endpoint.String())
		}
		l.retire()
	case logToLeader: // in the goroutine that owns the connection, which is closed by now
		l.retire()
		if endpoint, ok := first[string](args); ok && !reachable(endpoint) {
			l.abort()
		}
	}
}

// hintTime is how long a leader that a node has named may take to take connections.
const hintTime = time.Second

// reachable tells whether an address takes connections, soon.
func reachable(endpoint string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), hintTime)
	defer cancel()
	for attempt := 0; ctx.Err() == nil; attempt++ {
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "tcp", endpoint); err == nil {
			_ = conn.Close()
			return true
		}
		_ = pause(ctx, attempt)
	}
	return false
}

// abort ends the goroutine that owns the connection of the client, when it has none and is about to leak one, to a
// leader that is not there. Calls that are still inside wait for that goroutine: closing the client gets them out, by a
// panic that guard turns into an error.
func (l *link) abort() {
	timer := time.NewTimer(hintTime)
	defer timer.Stop()
	select {
	case <-l.idle:
	case <-timer.C:
		_ = l.client.Close()
	}
	runtime.Goexit()
}

func first[T any](args []any) (value T, ok bool) {
	if len(args) > 0 {
		value, ok = args[0].(T)
	}
	return value, ok
}

// lost is the panic that takes a call out of the client when its connection has failed.
type lost struct{ err error }

// errClient marks a failure inside the client.
var errClient = errors.New("the EventStore client failed")

// guard runs calls of the client. Its panics become errors.
func guard(run func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case lost:
			err = r.err
		default:
			err = fmt.Errorf("%w: %v", errClient, r)
		}
	}()
	return run()
}
