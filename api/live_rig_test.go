package api

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/eventstore/sqlite"
	"rolewise/internal/redistest"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// patience bounds what happens at once unless something is broken.
const patience = 30 * time.Second

// streaming is an installation as it is in production: API processes that share nothing but the log and the read
// models, and another process that projects.
type streaming struct {
	*rig     // commands go to the first process
	replicas []*replica
	shared   readmodels.Store // of the process that projects
}

// replica is one API process.
type replica struct {
	url     string
	server  *http.Server
	hub     interface{ Wait() }
	queries *readmodels.Queries
	ended   chan struct{} // something for each stream that has ended
}

// onBoth runs a test on read models in memory, with one process, and on Redis with two API processes.
func onBoth(t *testing.T, name string, run func(t *testing.T, start func(change ...func(*Deps)) *streaming)) {
	t.Run(name, func(t *testing.T) {
		t.Run("memory", func(t *testing.T) {
			run(t, func(change ...func(*Deps)) *streaming { return newStreaming(t, "", 1, change...) })
		})
		t.Run("redis", func(t *testing.T) {
			url := redistest.Start(t)
			run(t, func(change ...func(*Deps)) *streaming { return newStreaming(t, url, 2, change...) })
		})
	})
}

func newStreaming(t testing.TB, url string, replicas int, change ...func(*Deps)) *streaming {
	t.Helper()
	log, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s := &streaming{rig: &rig{t: t, store: log, log: &logBuffer{}, clock: &clock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}}}
	inMemory := memory.New()
	const parts = 2
	open := func() readmodels.Store {
		if url == "" {
			return inMemory
		}
		models, err := redis.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = models.Close() })
		return models
	}
	models := open()
	s.shared = models
	handler := commands.New(log, s.clock.Now, []byte("key of e-mail hashes"))
	if err := handler.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := models.Partitions(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	runner, err := projections.NewRunner(ctx, projections.Setup{Events: log, Models: models, Partitions: parts, Log: slog.New(slog.DiscardHandler)}, projections.All()...)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = runner.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	for range replicas {
		deps := Deps{
			Commands: handler, Queries: readmodels.NewQueries(open(), parts), Events: log, OperatorKey: operatorKey, Now: s.clock.Now,
			Logger: slog.New(slog.NewJSONHandler(s.log, nil)), MinPositionWait: time.Minute,
		}
		for _, c := range change {
			c(&deps)
		}
		s.replicas = append(s.replicas, serve(t, deps))
	}
	s.handler = s.replicas[0].server.Handler
	return s
}

// requestBound is how long requests may take at the servers begun next; 0: as long as in production.
var requestBound time.Duration

func serve(t testing.TB, deps Deps) *replica {
	t.Helper()
	made, err := newServer(deps)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{queries: deps.Queries, hub: made.hub, ended: make(chan struct{}, 10_000)}
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + on.Addr().String()
	r.server = Server(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		made.engine.ServeHTTP(w, request)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") { // those that were refused are no streams
			r.ended <- struct{}{}
		}
	}), "")
	if requestBound > 0 {
		r.server.ReadTimeout, r.server.WriteTimeout = requestBound, requestBound
	}
	r.server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10) // so that who does not read is noticed soon
		return ctx
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = r.server.Serve(on) })
	t.Cleanup(func() {
		_ = r.server.Close()
		serving.Wait()
		made.hub.Wait() // its readers end with their last watcher
	})
	return r
}

// redisForOne runs a server for a test, by its URL.
func redisForOne(t *testing.T) string {
	t.Helper()
	return redistest.Start(t)
}

// message is an event of a stream; a comment has only a text.
type message struct {
	name, id, comment string
	Changed
}

// stream is a client of a stream.
type stream struct {
	t        testing.TB
	header   http.Header
	messages chan message // closed at the end
	cut      context.CancelFunc
	last     string // id
}

// follow opens a stream, which must be there.
func (s *streaming) follow(replica int, plan, key, last string, query ...string) *stream {
	s.t.Helper()
	ctx, cut := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.replicas[replica].url+"/v1/plans/"+plan+"/stream"+strings.Join(query, ""), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	client := &http.Transport{DisableKeepAlives: true}
	response, err := client.RoundTrip(request)
	if err != nil {
		cut()
		s.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		cut()
		s.t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	f := &stream{t: s.t, header: response.Header, messages: make(chan message, 100_000), cut: cut, last: last}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(f.messages)
		defer response.Body.Close()
		f.read(bufio.NewScanner(response.Body))
	})
	s.t.Cleanup(func() { cut(); reading.Wait() })
	return f
}

// read takes the stream apart as browsers do.
func (f *stream) read(lines *bufio.Scanner) {
	var m message
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case lines.Text() == "":
			f.messages <- m
			m = message{}
		case field == "":
			m.comment = value
		case field == "event":
			m.name = value
		case field == "id":
			m.id = value
		case field == "data":
			if err := json.Unmarshal([]byte(value), &m.Changed); err != nil {
				m.comment = err.Error()
			}
		}
	}
}

// next waits for the next event, whatever comments there are before.
func (f *stream) next() message {
	f.t.Helper()
	for m := range f.some() {
		if m.comment == "" {
			f.last = m.id
			return m
		}
	}
	f.t.Fatal("the stream ended")
	return message{}
}

// some yields what comes until the stream ends.
func (f *stream) some() func(yield func(message) bool) {
	return func(yield func(message) bool) {
		late := time.NewTimer(patience)
		defer late.Stop()
		for {
			select {
			case m, more := <-f.messages:
				if !more || !yield(m) {
					return
				}
			case <-late.C:
				f.t.Fatal("nothing came")
			}
		}
	}
}

// until collects the reports told until one is among them.
func (f *stream) until(report string) (told []string) {
	f.t.Helper()
	for !slices.Contains(told, report) {
		told = append(told, f.next().Reports...)
	}
	slices.Sort(told)
	return slices.Compact(told)
}

// end waits until the stream has ended by itself.
func (f *stream) end() {
	f.t.Helper()
	for range f.some() {
	}
}

// plan is that of the rig, once the read models know of it: streams that begin tell nothing of its beginnings.
func (s *streaming) plan(id, tier string) string {
	s.t.Helper()
	key := s.rig.plan(id, tier)
	for _, scope := range readmodels.Scopes() {
		q := s.replicas[0].queries
		if err := q.Moved(s.t.Context(), q.Home(scope, id), s.head()-1); err != nil {
			s.t.Fatal(err)
		}
	}
	return key
}
