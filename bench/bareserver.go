package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gin-gonic/gin"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// serveBare starts the bare server on a copy of the history.
func (s *suite) serveBare(ctx context.Context) (*process, error) {
	history, err := s.history(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := s.scratch("bare")
	if err != nil {
		return nil, err
	}
	if err := history.copyTo(folder); err != nil {
		return nil, err
	}
	return startRole(ctx, folder, bareServerRole, filepath.Join(folder, "events.db"))
}

// runBareServer answers a command by appending its body, durably, and nothing else.
func runBareServer(args []string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := sqlite.Open(ctx, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/v1/plans/:plan/commands/:name", (&bareHandler{store: store}).command)
	server := &http.Server{Handler: engine}
	ended := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.Background()) })
	defer ended()
	fmt.Printf("API http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bareStreams is how many streams the bare server spreads its events over.
const bareStreams = 4096

type bareHandler struct {
	store eventstore.Store
	next  atomic.Int64
	heads [bareStreams]struct {
		sync.Mutex
		events eventstore.Revision
	}
}

func (h *bareHandler) command(c *gin.Context) {
	body, err := c.GetRawData()
	if err != nil {
		c.String(http.StatusBadRequest, err.Error())
		return
	}
	n := h.next.Add(1)
	event := someEvent(random(uint64(n)))
	event.Data = body
	i := n % bareStreams // of the bare server's own plan: no other has written to these streams
	stream := eventstore.StreamID{Category: "bare", Plan: "bare", ID: fmt.Sprint(i)}
	head := &h.heads[i]
	head.Lock()
	defer head.Unlock()
	position, err := h.store.Append(c.Request.Context(), stream, head.events-1, event)
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	head.events++
	c.JSON(http.StatusOK, gin.H{"position": position.String()})
}
