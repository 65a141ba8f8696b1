package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"rolewise/api"
	"rolewise/commands"
	"rolewise/commands/catalogimport"
	"rolewise/eventstore"
	"rolewise/leases"
	"rolewise/projections"
	"rolewise/reactors"
	"rolewise/readmodels"
	"rolewise/telemetry/metrics"
	"rolewise/telemetry/tracing"
)

// system is everything that runs in one process: the log, its projections, and the listeners.
type system struct {
	log      *eventLog
	models   readmodels.Store
	parts    readmodels.Partitions
	pointers *readmodels.Pointers
	commands *commands.Handler
	queries  *readmodels.Queries
	runner   *projections.Runner // nil: other processes project
	reactor  *reactors.Runner    // finishes accepted commands; nil: this process takes none
	logger   *slog.Logger
	metrics  *metrics.Metrics
	traces   *tracing.Tracing                     // nil: off
	started  atomic.Bool                          // whether every read model has once reached the end of the log
	pages    func(rest http.Handler) http.Handler // the dashboard around the API; nil: none
}

// newSystem wires all the parts. Nothing runs before run.
func newSystem(ctx context.Context, log *eventLog, models readmodels.Store, logger *slog.Logger) (*system, error) {
	return newSystemAs(ctx, setup{role: roleAll, log: log, models: models, parts: 1, logger: logger})
}

// setup is what a process is made of.
type setup struct {
	role   role
	log    *eventLog
	models readmodels.Store
	parts  readmodels.Partitions
	manual bool // changed projections are rebuilt only when an operator says so
	logger *slog.Logger
}

// newSystemAs wires the parts that a role needs.
func newSystemAs(ctx context.Context, with setup) (*system, error) {
	r, log, models, parts, logger := with.role, with.log, with.models, with.parts, with.logger
	s := &system{log: log, models: models, parts: parts, pointers: readmodels.NewPointers(models), logger: logger}
	if err := s.observe(ctx); err != nil {
		return nil, err
	}
	if r.answers() {
		s.commands = commands.New(log, time.Now, log.emailKey)
		s.commands.Observe(s.command)
		if err := s.commands.Bootstrap(ctx); err != nil {
			return nil, err
		}
		s.reactor = reactors.New(log.audit, reactors.Commands(log, s.commands, log.keys.Destroy), reactors.Options{Alone: log.embedded(), Log: logger})
	}
	var shared leases.Keeper
	if r.projects() {
		var err error
		if shared, err = keeper(log, models, s.logger); err != nil {
			return nil, err
		}
		runner, err := projections.NewRunner(ctx, projections.Setup{
			Events: log, Models: s.models, Partitions: parts, Leases: shared, Manual: with.manual, Log: s.logger, Observer: s.metrics, Around: s.traces.Pages(),
		}, projections.All()...)
		if err != nil {
			return nil, err
		}
		s.runner = runner
	}
	info, err := log.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	s.watch(clientOf(models), shared)
	if r.answers() {
		s.queries = readmodels.NewQueries(s.models, parts)
		s.queries.Expect(info.Head)
	}
	return s, nil
}

// shutdown bounds how long requests in hand may take once the process was told to stop.
const shutdown = 10 * time.Second

// run serves until the context ends. ready is called when every projection has caught up with the log.
//
// The projections outlast the servers, since a request in hand may wait for them (SPEC OPS-7). The caller closes the
// stores after both.
func (s *system) run(ctx context.Context, on listeners, operatorKey string, ready func() error) error {
	var handler http.Handler
	if on.public != nil {
		var err error
		if handler, err = s.public(on, operatorKey); err != nil {
			return err
		}
	}
	defer s.endTraces(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	projecting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if s.runner != nil {
		group.Go(func() error { return s.runner.Run(projecting) })
	}
	if s.reactor != nil {
		group.Go(func() error { return s.reactor.Run(projecting) })
	}
	group.Go(func() error { return s.log.follow(projecting, s.logger) })
	group.Go(func() error {
		defer stop()
		servers, ctx := errgroup.WithContext(ctx)
		if handler != nil {
			servers.Go(func() error { return serveHTTP(ctx, handler, on.public) })
		}
		servers.Go(func() error { return serveHTTP(ctx, s.admin(), on.admin) })
		return servers.Wait()
	})
	group.Go(func() error {
		if err := s.caughtUp(ctx); err != nil {
			return err
		}
		s.started.Store(true)
		return ready()
	})
	return group.Wait()
}

// public is the API, with the dashboard around it if there is one.
func (s *system) public(on listeners, operatorKey string) (http.Handler, error) {
	handler, err := api.New(api.Deps{
		Commands: s.commands, Queries: s.queries, Events: s.log.audit, OperatorKey: operatorKey,
		BaseURL: address(on.public), About: about(), Logger: s.logger, Around: append(gin.HandlersChain{s.metrics.HTTP()}, s.traces.HTTP()...),
	})
	if err == nil && s.pages != nil {
		handler = s.pages(handler)
	}
	return handler, err
}

// caughtUp returns when every read model that queries read has reached the log's present end.
func (s *system) caughtUp(ctx context.Context) error {
	info, err := s.log.Info(ctx)
	if err != nil {
		return err
	}
	for _, scope := range s.parts.Scopes() {
		for reached := false; !reached; {
			if reached, err = s.reached(ctx, scope, info.Head); err != nil {
				return fmt.Errorf("wait for %s: %w", scope, err)
			}
		}
	}
	return nil
}

// reached waits a moment for the live build of a projection to reach a position. Meanwhile another one may become live.
func (s *system) reached(ctx context.Context, scope readmodels.Scope, to eventstore.Position) (bool, error) {
	moment, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	live, err := s.pointers.Live(ctx, scope)
	var rebuilding *readmodels.RebuildingError
	if errors.As(err, &rebuilding) {
		<-moment.Done()
		return false, ctx.Err()
	}
	if err == nil {
		err = s.models.Wait(moment, live, to)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// serveHTTP serves until the context ends or the listener fails, and returns when no request is in hand any more.
// Those that outlast the bound on shutdown are cut off.
func serveHTTP(ctx context.Context, handler http.Handler, on net.Listener) error {
	server := api.Server(handler, on.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(on) }()
	var failure error
	select {
	case err := <-ended:
		failure = fmt.Errorf("serve %s: %w", on.Addr(), err)
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
	defer cancel()
	if err := server.Shutdown(bound); err != nil {
		_ = server.Close() // nobody is left to be told
	}
	return failure
}

// address is the URL under which a client on this machine reaches a listener: one that listens on every address is
// reached at the loopback address.
func address(on net.Listener) string {
	if at, ok := on.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))
	}
	return "http://" + on.Addr().String()
}

// listeners are the ports of a process: that of the API, nil if it has none, and that for its operators.
type listeners struct{ public, admin net.Listener }

// listen takes both ports, before anything slow is begun.
func listen(publicAddress, adminAddress string) (l listeners, err error) {
	if l.public, err = take("listen", publicAddress); err != nil {
		return l, err
	}
	if l.admin, err = take("admin-listen", adminAddress); err != nil {
		return l, errors.Join(err, l.public.Close())
	}
	return l, nil
}

func take(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with --%s", address, errors.Unwrap(err), flag)
	}
	return l, nil
}

// Close gives the ports back; those that a server has closed already are no error.
func (l listeners) Close() {
	for _, one := range []net.Listener{l.public, l.admin} {
		if one == nil {
			continue
		}
		if err := one.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			slog.Warn("close listener", "error", err)
		}
	}
}

// about is what the API says of itself.
func about() api.About {
	return api.About{Version: version(), Attributions: []api.Attribution{{
		Source: "O*NET Database", Text: catalogimport.Attribution, License: "CC BY 4.0", URL: "https://creativecommons.org/licenses/by/4.0/",
	}}}
}
