// Package kurrent is the event store on KurrentDB (EventStoreDB), through its official Go client.
//
// The client loses connections for good, hangs its callers past their contexts, panics when it is closed in use and ends
// the process on an unusual event (DESIGN rule 20). This package keeps all that from its callers: a call ends with its
// context, an outage is waited out, an append is settled exactly once, and Follow goes on where it was.
package kurrent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"

	"rolewise/eventstore"
)

// Store implements eventstore.Store. Positions are the commit positions of $all.
type Store struct {
	address   *address
	connector *connector
	options   options
	identity  *identity
	told      *told

	closing sync.Once
	closed  chan struct{}
}

var _ eventstore.Store = (*Store)(nil)

// Option changes how a store works.
type Option func(*options)

type options struct {
	page     int
	patience time.Duration
	connect  time.Duration
	idle     time.Duration
	readOnly bool
	now      func() time.Time
}

// PageSize sets the most events of a page of Follow where the filter does not say; default 512.
func PageSize(events int) Option { return func(o *options) { o.page = max(1, events) } }

// Patience sets how long Append, Read and Info wait for a server that is away before they return an
// *eventstore.UnavailableError, unless their context ends first; default 30 s. Follow waits for as long as its context.
func Patience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// ConnectTimeout sets how long Open waits for the server; default 10 s.
func ConnectTimeout(d time.Duration) Option { return func(o *options) { o.connect = d } }

// ReadOnly promises to write nothing, not even the name of a log that has none: Append and NewEpoch are refused with
// an *eventstore.InvalidError, and Info of a database that holds no log of Rolewise is an error.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// Open connects to KurrentDB. The address is a connection string: esdb:// or kurrentdb://, with +discover for a cluster
// behind a DNS name, user:password@, one or more hosts, and settings such as tls, tlsCaFile, userCertFile, userKeyFile.
// Settings that the client would ignore are refused. With tls=false the credentials are sent in clear text: that is for
// a network in which everyone may read the log.
//
// Open proves that the server is there and takes the credentials. Its errors are one sentence that says what to do, and
// never show a password.
func Open(ctx context.Context, url string, opts ...Option) (*Store, error) {
	o := options{page: 512, patience: 30 * time.Second, connect: 10 * time.Second, idle: 5 * time.Second, now: time.Now}
	for _, option := range opts {
		option(&o)
	}
	a, err := parse(url)
	if err != nil {
		return nil, err
	}
	s := &Store{address: a, options: o, identity: newIdentity(), closed: make(chan struct{}), told: newTold()}
	s.connector = &connector{address: a, closing: make(chan struct{})}
	if err := s.prove(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prove makes a first call with the credentials, and waits for a server that is starting.
func (s *Store) prove(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, s.options.connect)
	defer cancel()
	var last error
	for attempt := 0; ; attempt++ {
		_, err := call(within, s, func(ctx context.Context, client *esdb.Client) (struct{}, error) {
			_, err := slice(ctx, client, identityStream.String(), 0, 1)
			return struct{}{}, err
		})
		switch {
		case err == nil || classify(err) == notFound:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case within.Err() == nil:
			last = err
		}
		if better := explain(s.address.name, err); better != nil {
			return better
		}
		if within.Err() != nil || pause(within, attempt) != nil {
			return s.away(last)
		}
	}
}

// away says that the server did not answer while Open waited.
func (s *Store) away(err error) error {
	if err == nil {
		err = context.DeadlineExceeded
	}
	advice := "check the address and that the server runs"
	if s.address.config.DisableTLS {
		advice += ", and that it takes connections without TLS"
	}
	return &problem{text: fmt.Sprintf("KurrentDB at %s does not answer: %s", s.address.name, advice), cause: err}
}

// errSilence is the end of a request to which nothing came back within the deadline of the client.
var errSilence = errors.New("the server does not answer in time")

// call runs one request in a goroutine of its own, so that the caller leaves when its context ends, whatever the client
// does, and gives the link up when the request shows that it is broken.
func call[T any](ctx context.Context, s *Store, request func(context.Context, *esdb.Client) (T, error)) (T, error) {
	var none T
	l, err := s.connector.enter(ctx)
	if err != nil {
		return none, err
	}
	calling, cancel := context.WithTimeoutCause(metadata.NewOutgoingContext(ctx, s.address.headers), *s.address.config.DefaultDeadline, errSilence)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer l.leave()
		var a answer
		a.err = guard(func() (err error) {
			a.value, err = request(calling, l.client)
			return err
		})
		if calling.Err() == nil {
			l.judge(a.err)
		}
		done <- a
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-calling.Done():
		if err := ctx.Err(); err != nil {
			return none, err
		}
		l.retire()
		return none, errSilence
	case <-l.abandoned:
		return none, errAbandoned
	}
}

// patiently repeats a request until it succeeds, fails for good, or patience or the context ends. It is for requests
// that change nothing.
func patiently[T any](ctx context.Context, s *Store, request func(context.Context, *esdb.Client) (T, error)) (T, error) {
	var last error
	within, cancel := context.WithTimeout(ctx, s.options.patience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		value, err := call(within, s, request)
		switch {
		case err == nil:
			return value, nil
		case ctx.Err() != nil:
			return value, ctx.Err()
		case errors.Is(err, eventstore.ErrClosed):
			return value, err
		case within.Err() == nil:
			last = err
			if f := classify(err); f > broken {
				return value, err
			}
		case last == nil:
			last = err
		}
		if pause(within, attempt) != nil {
			if ctx.Err() != nil {
				return value, ctx.Err()
			}
			return value, last
		}
	}
}

// usable returns the context's error, or ErrClosed.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return eventstore.ErrClosed
	default:
		return nil
	}
}

// Close implements eventstore.Store: reads and followers end with ErrClosed, appends under way get some seconds to end.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		s.connector.close()
	})
	return nil
}
