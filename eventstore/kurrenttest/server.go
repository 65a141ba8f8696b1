package kurrenttest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"rolewise/eventstore"
)

// Server is a front: it answers clients of KurrentDB out of a store. It does not close the store.
type Server struct {
	options options
	backend *backend
	id      uuid.UUID
	address string
	ip      net.IP
	port    int
	faults  faults
	cluster *Cluster // nil: alone

	mu      sync.Mutex
	grpc    *grpc.Server // nil: stopped
	served  chan struct{}
	cuts    map[int]context.CancelCauseFunc // of the streams that are running
	nextCut int
}

// Start serves a store until Close.
func Start(ctx context.Context, store eventstore.Store, opts ...Option) (*Server, error) {
	o := options{listen: "127.0.0.1:0", systemEvents: 5, strangers: strangerTime}
	for _, opt := range opts {
		opt(&o)
	}
	return start(ctx, newBackend(store, o.systemEvents), o, nil)
}

func start(ctx context.Context, b *backend, o options, c *Cluster) (*Server, error) {
	if o.users != nil && o.certificate == nil {
		return nil, errors.New("start the KurrentDB front: user certificates need TLS")
	}
	listener := o.listener
	if listener == nil {
		var lc net.ListenConfig
		var err error
		if listener, err = lc.Listen(ctx, "tcp", o.listen); err != nil {
			return nil, fmt.Errorf("start the KurrentDB front: %w", err)
		}
	}
	s := &Server{options: o, backend: b, cluster: c, id: uuid.New(), address: listener.Addr().String(), cuts: map[int]context.CancelCauseFunc{}}
	at, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(errors.New("start the KurrentDB front: the address is not one of TCP"), listener.Close())
	}
	s.ip, s.port = at.IP, at.Port
	s.serve(listener)
	return s, nil
}

// mostCalls is how many calls one connection may have under way.
const mostCalls = 1024

// serve runs a new gRPC server on a listener.
func (s *Server) serve(listener net.Listener) {
	opts := []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 9500 * time.Millisecond, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(s.options.largest()),
		grpc.MaxConcurrentStreams(mostCalls),
		grpc.InTapHandle(s.admit),
		grpc.WaitForHandlers(true), // so that the store can be closed after the front
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.UnknownServiceHandler(unknownService), // behind the interceptor: nobody learns more without credentials
	}
	if s.options.certificate != nil {
		config := &tls.Config{Certificates: []tls.Certificate{*s.options.certificate}, MinVersion: tls.VersionTLS12}
		if s.options.users != nil {
			config.ClientAuth = tls.RequestClientCert // looked at in authenticate, so that a bad one is told why
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(config)))
	}
	g := grpc.NewServer(opts...)
	streams.RegisterStreamsServer(g, &streamsService{server: s})
	serverfeatures.RegisterServerFeaturesServer(g, &featuresService{server: s})
	gossip.RegisterGossipServer(g, &gossipService{server: s})
	served := make(chan struct{})
	s.mu.Lock()
	s.grpc, s.served = g, served
	s.mu.Unlock()
	go func() {
		defer close(served)
		_ = g.Serve(listener) // ends with an error only if the listener fails; then clients see it
	}()
}

// Address returns host:port.
func (s *Server) Address() string { return s.address }

// ConnectionString returns what a client needs, but for the file with the authority of the certificate (tlsCAFile).
func (s *Server) ConnectionString() string { return s.options.connectionString(s.address) }

func (o *options) connectionString(hosts string) string {
	user := ""
	if o.user != "" {
		user = url.UserPassword(o.user, o.password).String() + "@"
	}
	return "esdb://" + user + hosts + "?tls=" + strconv.FormatBool(o.certificate != nil)
}

// Stop ends all calls and connections and closes the listener, as if the server were away. Restart brings it back.
func (s *Server) Stop() {
	s.mu.Lock()
	g, served := s.grpc, s.served
	s.grpc = nil
	s.mu.Unlock()
	if g == nil {
		return
	}
	g.Stop()
	<-served
}

// Restart listens at the same address again.
func (s *Server) Restart(ctx context.Context) error {
	if s.Running() {
		return errors.New("restart the KurrentDB front: it is running")
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("restart the KurrentDB front: %w", err)
	}
	s.serve(listener)
	return nil
}

// Running tells whether the front is between Start or Restart, and Stop or Close.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grpc != nil
}

// Close stops the front for good. The store stays open.
func (s *Server) Close() error {
	s.Stop()
	return nil
}

// DropStreams cuts the reads and subscriptions that are running, and returns how many.
func (s *Server) DropStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cut := range s.cuts {
		cut(tooSlow())
	}
	return len(s.cuts)
}

// Streams returns how many reads and subscriptions are running.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cuts)
}

// running makes a stream one that can be cut.
func (s *Server) running(ctx context.Context) (context.Context, func()) {
	ctx, cut := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nextCut
	s.nextCut++
	s.cuts[n] = cut
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cuts, n)
		cut(nil)
	}
}

// Tombstone makes a stream one that was deleted for good: reads and appends answer stream-deleted.
func (s *Server) Tombstone(stream string) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	s.backend.tombstoned[stream] = true
}
