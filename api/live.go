package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"rolewise/api/live"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Live sets how streams of changes behave (SPEC ANA-9). What is 0 is as the comment says.
type Live struct {
	Limits    live.Limits   // of one process: 10,000 streams, 2,000 of a plan, 200 of a principal
	Heartbeat time.Duration // pause without an event after which a comment is sent; 15 s
	Pause     time.Duration // least time between two events of a stream, which are merged meanwhile; 100 ms
	Recheck   time.Duration // how often key and plan are looked up again; 2 s
	Patience  time.Duration // how long a client may take to read what was sent; 10 s
}

func (l Live) complete() Live {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	last := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&l.Limits.All, 10_000)
	set(&l.Limits.PerPlan, 2_000)
	set(&l.Limits.PerPrincipal, 200)
	last(&l.Heartbeat, 15*time.Second)
	last(&l.Pause, 100*time.Millisecond)
	last(&l.Recheck, 2*time.Second)
	last(&l.Patience, 10*time.Second)
	return l
}

// unchecked is how long a stream goes on while nobody can say whether the key is still valid.
const unchecked = 10 * time.Second

// Changed is the data of the events of a stream.
type Changed struct {
	Reports  []string `json:"reports" nullable:"false" doc:"Queries, by their operation ids, that may now answer otherwise; sorted."`
	Position string   `json:"position" doc:"Of the newest change. As min_position it makes a query answer with it."`
}

const liveSummary = "Which queries of the plan answer otherwise from now on, as server-sent events."

const liveDoc = `The first event is ` + "`ready`" + `: whoever then reads what it shows misses nothing, since each later change is told by an ` +
	"`event: changed`" + ` with the ids of the queries and the position of the change. Changes are told within a second of the command; those that come in quick ` +
	`succession, or while a client is slow to read, are merged into one event.

The id of each event says up to where the client was told. Sent back as Last-Event-ID, as browsers do after a broken connection, it makes the ` +
	`stream go on there, at any server of the installation: nothing is missed, and what happened meanwhile is one event. It belongs to one plan and is not to be ` +
	`taken apart. Where the log was restored, or a read model was rebuilt by other rules or repaired, every query it serves counts as changed.

A comment is sent when there was nothing else for 15 seconds. The stream ends when the server goes down, when a client does not read for 10 seconds, ` +
	`and within seconds of the key's revocation. It tells only of queries on read models: ` + "`list-events`" + ` reads the log itself and has its own ` + "`after`" + `.`

var (
	lastEventHeader = &huma.Param{
		Name: "Last-Event-ID", In: "header", Description: "Id of the last event received. Goes before after.", Schema: &huma.Schema{Type: huma.TypeString},
	}
	knownParam = parameter("after", "Position that every answer the client has was at: changes after it are told first. Left out: those from now on.",
		huma.Schema{Type: huma.TypeString})
)

func (s *server) liveRoute() {
	op := &huma.Operation{
		Method: http.MethodGet, Path: "/v1/plans/{plan}/stream", OperationID: "stream-changes", Summary: liveSummary, Description: liveDoc,
		Tags: []string{"queries"}, Parameters: []*huma.Param{knownParam, lastEventHeader},
		Responses: s.responses(reflect.TypeFor[Changed](), 400, 401, 403, 404, 422, 429, 503),
	}
	ok := op.Responses["200"]
	ok.Description = "Server-sent events `ready` and `changed`; the data of each is a Changed."
	ok.Content = map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
		Type: huma.TypeString, Extensions: map[string]any{"x-data": map[string]string{"$ref": "#/components/schemas/Changed"}},
	}}}
	s.register(op, s.authenticated(s.live))
}

// live streams what changes in a plan until somebody ends it.
func (s *server) live(c *call) error {
	c.plan = domain.PlanID(c.gin.Param("plan"))
	if err := s.watches(c); err != nil {
		return err
	}
	var err error
	if c.params, err = readParams(c.gin.Request.URL.RawQuery, []*huma.Param{knownParam}); err != nil {
		return err
	}
	watch, err := s.hub.Watch(c.ctx, string(c.plan), c.principal.ID)
	if limit := (*live.LimitError)(nil); errors.As(err, &limit) {
		return &Problem{
			Status: http.StatusTooManyRequests, Code: "too_many_streams", retryAfter: 5,
			Detail: "there are as many streams of this " + limit.Of + " as may be; close some, or try again later",
		}
	}
	if err != nil {
		return err
	}
	defer watch.Close()
	f := &following{server: s, call: c, watch: watch, control: controlOf(c.gin.Writer)}
	// After the watch: no change that the head covers is missing in what the watch knows later.
	info, err := s.Events.Info(c.ctx)
	if err != nil {
		return err
	}
	if err := f.resume(info); err != nil {
		return err
	}
	if err := f.run(); c.ctx.Err() == nil || errors.Is(err, os.ErrDeadlineExceeded) { // not where the client went by itself
		s.Logger.InfoContext(c.ctx, "stream ended", "request_id", c.id, "reason", err.Error())
	}
	return nil
}

// controlOf controls the connection itself, since gin's writer says nothing of a flush that failed.
func controlOf(w http.ResponseWriter) *http.ResponseController {
	if outer, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = outer.Unwrap()
	}
	return http.NewResponseController(w)
}

// watches checks that the caller may watch the plan. The catalog is watched through the caller's own plan.
func (s *server) watches(c *call) error {
	if err := s.enter(c, access.QueryPlan, ""); err != nil {
		return err
	}
	if c.guest() {
		return domain.Missing("plan")
	}
	return nil
}

// following is one stream on its way.
type following struct {
	server  *server
	call    *call
	watch   *live.Watch
	control *http.ResponseController
	epoch   int
	binding string // of the ids: the plan and the log
	told    live.Told
}

// resume finds out what the client knows: by its header, else by its parameter, else everything as it is now.
func (f *following) resume(info eventstore.Info) error {
	c := f.call
	f.epoch, f.binding = info.Epoch, "stream\x00"+string(c.plan)+"\x00"+info.ID
	f.told = f.watch.Now(info.Epoch)
	if position := c.params.position(knownParam.Name); c.params.values.Has(knownParam.Name) {
		// The log as this process knows it may be behind what others answered: too much is told then, never too little.
		f.told = live.ToldAt(info.Epoch, min(position, info.Head), f.told.Points)
	}
	if err := c.params.err(); err != nil {
		return err
	}
	ids := c.gin.Request.Header.Values("Last-Event-ID")
	if len(ids) == 0 {
		return nil
	}
	text, sealed := openCursor(f.binding, ids[0])
	told, ok := live.ParseTold(text)
	if len(ids) > 1 || !sealed || !ok {
		const code, detail = "invalid_last_event_id", "must be the id of an event of this plan's stream"
		return refuse(http.StatusUnprocessableEntity, code, detail, Fault{Header: "Last-Event-ID", Code: code, Detail: detail})
	}
	f.told = told
	return nil
}

// run sends events until the client, the server or the key is gone.
func (f *following) run() error {
	if err := f.begin(); err != nil {
		return err
	}
	set := f.server.Live
	heartbeat, recheck, resting := time.NewTimer(set.Heartbeat), time.NewTicker(set.Recheck), time.NewTimer(0)
	defer heartbeat.Stop()
	defer recheck.Stop()
	defer resting.Stop()
	ending, _ := f.call.ctx.Value(endingKey{}).(<-chan struct{})
	var news <-chan struct{} // nil while it rests
	valid := time.Now()
	for {
		sent := false
		var err error
		select {
		case <-f.call.ctx.Done():
			return f.call.ctx.Err()
		case <-ending:
			return errors.New("the server goes down")
		case <-resting.C:
			news = f.watch.News()
		case <-news:
			if sent, err = f.change(); sent {
				news = nil
				resting.Reset(set.Pause)
			}
		case <-heartbeat.C:
			sent, err = true, f.send(": still here\n\n")
		case <-recheck.C:
			if valid, err = f.recheck(valid); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if sent {
			heartbeat.Reset(set.Heartbeat)
		}
	}
}

// begin sends the head and the first event, and what changed since the client was last told.
func (f *following) begin() error {
	header := f.call.gin.Writer.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache, no-store, no-transform")
	header.Set("X-Accel-Buffering", "no") // of nginx, which would hold events back
	f.call.gin.Status(http.StatusOK)
	// Clients that lost the server at the same moment come back one after the other.
	retry := 1000 + rand.IntN(2000)
	if err := f.event("ready", fmt.Sprintf("retry: %d\n", retry), live.Change{Position: positionOf(f.told)}); err != nil {
		return err
	}
	_, err := f.change()
	return err
}

// positionOf is that of the last change a client knows of.
func positionOf(told live.Told) (last eventstore.Position) {
	for _, point := range told.Points {
		last = max(last, point.Position)
	}
	return last
}

// change tells what changed since the client was last told, if anything did.
func (f *following) change() (sent bool, err error) {
	change, told := f.watch.Since(f.told, f.epoch)
	f.told = told
	if len(change.Reports) == 0 {
		return false, nil
	}
	if change.Another { // for a moment other processes may still answer from the build before
		select {
		case <-time.After(readmodels.Settled):
		case <-f.call.ctx.Done():
			return false, f.call.ctx.Err()
		}
	}
	return true, f.event("changed", "", change)
}

func (f *following) event(name, more string, change live.Change) error {
	content := Changed{Reports: change.Reports, Position: change.Position.String()}
	if content.Reports == nil {
		content.Reports = []string{}
	}
	data, err := encode(content)
	if err != nil {
		return err
	}
	id := sealCursor(f.binding, f.told.String())
	return f.send(more + "event: " + name + "\nid: " + id + "\ndata: " + string(data) + "\n\n")
}

// send writes and waits until the system has taken it, for as long as a client may take to read.
func (f *following) send(text string) error {
	_ = f.control.SetWriteDeadline(time.Now().Add(f.server.Live.Patience))
	if _, err := f.call.gin.Writer.WriteString(text); err != nil {
		return err
	}
	return f.control.Flush()
}

// recheck returns when the key was last known to be valid. Where that cannot be found out, the stream goes on for a
// while.
func (f *following) recheck(valid time.Time) (time.Time, error) {
	c := f.call
	err := f.server.authenticate(c)
	if err == nil {
		err = f.server.watches(c)
	}
	if err == nil {
		return time.Now(), nil
	}
	if errors.Is(err, context.Canceled) || problemOf(err).Status < http.StatusInternalServerError || time.Since(valid) > unchecked {
		return valid, fmt.Errorf("check the key again: %w", err)
	}
	return valid, nil
}
