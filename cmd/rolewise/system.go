package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/api"
	"rolewise/commands"
	"rolewise/commands/catalogimport"
	"rolewise/projections"
	"rolewise/readmodels"
)

// system is everything that runs in one process: the log, its projections, and the listeners.
type system struct {
	log      *eventLog
	models   readmodels.Store
	commands *commands.Handler
	runner   *projections.Runner
	logger   *slog.Logger
	pages    func(rest http.Handler) http.Handler // the dashboard around the API; nil: none
}

// newSystem wires the parts. Nothing runs before run.
func newSystem(ctx context.Context, log *eventLog, models readmodels.Store, logger *slog.Logger) (*system, error) {
	handler := commands.New(log, time.Now, log.emailKey)
	if err := handler.Bootstrap(ctx); err != nil {
		return nil, err
	}
	runner, err := projections.NewRunner(ctx, log, models, logger, projections.All()...)
	if err != nil {
		return nil, err
	}
	return &system{log: log, models: models, commands: handler, runner: runner, logger: logger}, nil
}

// shutdown bounds how long requests in hand may take once the process was told to stop.
const shutdown = 10 * time.Second

// run serves until the context ends. ready is called when every projection has caught up with the log.
func (s *system) run(ctx context.Context, on listeners, operatorKey string, ready func() error) error {
	handler, err := api.New(api.Deps{
		Commands: s.commands, Queries: readmodels.NewQueries(s.models), Events: s.log, OperatorKey: operatorKey,
		BaseURL: "http://" + on.public.Addr().String(), About: about(), Logger: s.logger,
	})
	if err != nil {
		return err
	}
	if s.pages != nil {
		handler = s.pages(handler)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.runner.Run(ctx) })
	group.Go(func() error { return serveHTTP(ctx, api.Server(handler, on.public.Addr().String()), on.public) })
	group.Go(func() error { return serveHTTP(ctx, api.Server(s.admin(), on.admin.Addr().String()), on.admin) })
	group.Go(func() error {
		if err := s.caughtUp(ctx); err != nil {
			return err
		}
		return ready()
	})
	return group.Wait()
}

// caughtUp returns when every read model has reached the log's present end.
func (s *system) caughtUp(ctx context.Context) error {
	info, err := s.log.Info(ctx)
	if err != nil {
		return err
	}
	for _, scope := range readmodels.Scopes() {
		if err := s.models.Wait(ctx, scope, info.Head); err != nil {
			return fmt.Errorf("wait for %s: %w", scope, err)
		}
	}
	return nil
}

func serveHTTP(ctx context.Context, server *http.Server, on net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // requests that outlast the bound are cut off
		}
	})
	defer stop()
	if err := server.Serve(on); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", on.Addr(), err)
	}
	return nil
}

// listeners are the ports of a process: that of the API, and that for its operators.
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
