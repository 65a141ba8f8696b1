package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"

	"rolewise/eventstore"
)

// ownStreams is what the server looks for in stream names, so that it need not send what cannot be ours. The streams of
// others that pass it are sorted out here.
const ownStreams = `^[a-z]+-[a-z0-9-]{2,40}\.`

// searchWindow is how many events the server looks at between two checkpoints of a subscription.
const searchWindow = 512

// Follow implements eventstore.Store. It reads history page by page from $all, then holds one subscription, and goes on
// where it was over as many connections as it takes. Events of the system and of others, and the identity of the log,
// are passed over and move Through. A position beyond the end of the log is refused: it belongs to another log. When the log
// was restored since this store began, it ends with eventstore.ErrRestored.
func (s *Store) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		if err := s.usable(ctx); err != nil {
			yield(eventstore.Page{}, err)
			return
		}
		most := filter.PageSize
		if most <= 0 {
			most = s.options.page
		}
		p := &pump{store: s, feed: newFeed(after, filter, most), first: true}
		pumping, stop := context.WithCancel(metadata.NewOutgoingContext(ctx, s.address.headers))
		defer stop()
		go p.run(pumping)
		for {
			page, err := s.next(ctx, p.feed)
			if err != nil {
				yield(eventstore.Page{}, err)
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// next waits for a page.
func (s *Store) next(ctx context.Context, f *feed) (eventstore.Page, error) {
	for {
		if err := s.usable(ctx); err != nil {
			return eventstore.Page{}, err
		}
		page, due, err := f.take()
		if due || err != nil {
			return page, err
		}
		select {
		case <-f.arrived:
		case <-ctx.Done():
		case <-s.closed:
		}
	}
}

// pump brings the log into a feed, in a goroutine of its own.
type pump struct {
	store *Store
	feed  *feed
	first bool // no session has found the end of the log yet
	name  name // of the log when the first session began; zero while it has none
}

// run holds one session after the other until its context or the store ends, or something fails for good.
func (p *pump) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		before := p.feed.position()
		err := p.session(ctx)
		var invalid *eventstore.InvalidError
		switch {
		case ctx.Err() != nil, errors.Is(err, eventstore.ErrClosed):
			return
		case errors.As(err, &invalid), errors.Is(err, eventstore.ErrRestored):
			p.feed.end(err)
			return
		case classify(err) == final && !isUnreachable(err):
			p.feed.end(fmt.Errorf("follow the log after %s: %w", p.feed.position(), p.store.unavailable(err, false)))
			return
		}
		if p.feed.position() > before {
			attempt = 0
		}
		if pause(ctx, attempt) != nil {
			return
		}
	}
}

// isUnreachable tells failures to connect, which a follower waits out whatever they are.
func isUnreachable(err error) bool {
	var away *unreachable
	return errors.As(err, &away)
}

// session follows the log over one link, until that is lost or given up.
func (p *pump) session(ctx context.Context) error {
	l, err := p.store.connector.enter(ctx)
	if err != nil {
		return err
	}
	defer l.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.retired:
			cancel()
		case <-ctx.Done():
		}
	}()
	err = guard(func() error { return p.start(ctx, l.client) })
	if err == nil {
		err = p.subscribe(ctx, l)
	}
	if ctx.Err() == nil {
		l.judge(err)
	}
	return err
}

// start makes sure that the log is still the same, finds its end and reads up to it.
func (p *pump) start(ctx context.Context, client *esdb.Client) error {
	if err := p.recognise(ctx, client); err != nil {
		return err
	}
	end, err := within(ctx, p.store, func(ctx context.Context) (eventstore.Position, error) { return head(ctx, client) })
	if err != nil {
		return err
	}
	if from := p.feed.position(); from > end {
		if p.first {
			return &eventstore.InvalidError{What: "position " + from.String(),
				Why: fmt.Sprintf("lies beyond the end of the log at %s: it belongs to another log", end)}
		}
		return fmt.Errorf("the server is at %s and lags behind %s", end, from)
	}
	p.first = false
	p.feed.learn(end)
	if err := p.history(ctx, client); err != nil {
		return err
	}
	return p.feed.arrive(ctx, end, nil)
}

// recognise ends a follower whose log became another one. A log without a name gets none from a follower.
func (p *pump) recognise(ctx context.Context, client *esdb.Client) error {
	n, err := within(ctx, p.store, func(ctx context.Context) (name, error) { return p.name.read(ctx, client) })
	switch {
	case err != nil:
		return err
	case n.id == "":
		return nil
	case p.name.id == "" && p.store.identity.begin(n), p.name.same(n):
		p.name = n
		return nil
	}
	return eventstore.ErrRestored
}

// restored tells whether an event says that the log was restored after this follower began. Those of earlier restores
// are history.
func (p *pump) restored(e *esdb.RecordedEvent) bool {
	if e.StreamID != identityStream.String() || e.EventType != typeRestored {
		return false
	}
	var said struct{ Epoch int }
	err := json.Unmarshal(e.Data, &said)
	return err != nil || said.Epoch > p.name.epoch
}

// within bounds a request, so that a connection on which nothing comes any more is noticed.
func within[T any](ctx context.Context, s *Store, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, *s.address.config.DefaultDeadline)
	defer cancel()
	return request(ctx)
}

// history reads $all from where the feed is to the end. Reads begin with the event at the position, which the feed knows.
func (p *pump) history(ctx context.Context, client *esdb.Client) error {
	var from esdb.AllPosition = esdb.Start{}
	if at := p.feed.position(); at > 0 {
		from = esdb.Position{Commit: uint64(at), Prepare: uint64(at)}
	}
	in, err := client.ReadAll(ctx, esdb.ReadAllOptions{From: from}, everything)
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		e, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := p.event(ctx, e); err != nil {
			return err
		}
	}
}

// event hands one event to the feed, and tells whether it was wanted there.
func (p *pump) event(ctx context.Context, e *esdb.ResolvedEvent) (wanted bool, err error) {
	at := position(e)
	original := e.OriginalEvent()
	if original == nil {
		return false, p.feed.arrive(ctx, at, nil)
	}
	if p.restored(original) {
		return false, eventstore.ErrRestored
	}
	stream, passes := p.feed.passes(original.StreamID, original.EventType)
	if !passes {
		return false, p.feed.arrive(ctx, at, nil)
	}
	r := recorded(stream, original)
	r.Position = at
	return true, p.feed.arrive(ctx, at, &r)
}

// position is where an event stands in $all.
func position(e *esdb.ResolvedEvent) eventstore.Position {
	if e.Commit != nil && *e.Commit != math.MaxUint64 {
		return eventstore.Position(*e.Commit)
	}
	if original := e.OriginalEvent(); original != nil && original.Position.Commit != math.MaxUint64 {
		return eventstore.Position(original.Position.Commit)
	}
	return 0
}

// subscribe follows live. When nothing has come for a while the end of the log is read all the same: its last events may
// be of the system, which the subscription leaves out, and a subscription may have died in silence.
func (p *pump) subscribe(ctx context.Context, l *link) error {
	messages, err := p.open(ctx, l)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(p.store.options.idle)
	defer ticker.Stop()
	quiet, missed := true, false
	overdue := time.NewTimer(0)
	defer overdue.Stop()
	<-overdue.C
	waiting := false
	for {
		told, more := p.store.told.state()
		if !waiting && told > p.feed.position() {
			overdue.Reset(grace)
			waiting = true
		}
		select {
		case <-more:
		case <-overdue.C:
			if waiting = false; told > p.feed.position() {
				if err := p.look(ctx, l); err != nil {
					return err
				}
			}
		case m := <-messages:
			quiet = false
			if err := p.message(ctx, m); err != nil {
				return err
			}
		case <-ticker.C:
			if !quiet {
				quiet, missed = true, false
				continue
			}
			if missed {
				return errSilent
			}
			before := p.feed.position()
			if err := p.look(ctx, l); err != nil {
				return err
			}
			missed = p.feed.position() > before
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// grace is how long the subscription may take to bring what Info has told of, before the log is read for it.
const grace = 20 * time.Millisecond

// look reads what has come to the log since the subscription last brought something.
func (p *pump) look(ctx context.Context, l *link) error {
	_, err := within(ctx, p.store, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, guard(func() error { return p.history(ctx, l.client) })
	})
	return err
}

// told is the end of the log that callers of Info know. They may wait for a follower to get there, and where the last
// events are those of the system, the subscription alone would not bring it there.
type told struct {
	mu   sync.Mutex
	head eventstore.Position
	more chan struct{} // closed when the head grows
}

func newTold() *told { return &told{more: make(chan struct{})} }

func (t *told) tell(head eventstore.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if head > t.head {
		t.head = head
		close(t.more)
		t.more = make(chan struct{})
	}
}

func (t *told) state() (eventstore.Position, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head, t.more
}

var errSilent = errors.New("the subscription is silent although there are events")

// open subscribes after the position of the feed, and receives in a goroutine of its own. The last message is a drop.
func (p *pump) open(ctx context.Context, l *link) (<-chan *esdb.SubscriptionEvent, error) {
	var from esdb.AllPosition = esdb.Start{}
	if at := p.feed.position(); at > 0 {
		from = esdb.Position{Commit: uint64(at), Prepare: uint64(at)}
	}
	var subscription *esdb.Subscription
	err := guard(func() (err error) {
		subscription, err = l.client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{
			From: from, MaxSearchWindow: searchWindow,
			Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: ownStreams},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if !l.enter() {
		_ = subscription.Close()
		return nil, errAbandoned
	}
	messages := make(chan *esdb.SubscriptionEvent, 256)
	go func() {
		defer l.leave()
		defer func() { _ = subscription.Close() }()
		for {
			var m *esdb.SubscriptionEvent
			if err := guard(func() error { m = subscription.Recv(); return nil }); err != nil {
				m = &esdb.SubscriptionEvent{SubscriptionDropped: &esdb.SubscriptionDropped{Error: err}}
			}
			select {
			case messages <- m:
			case <-ctx.Done():
				return
			}
			if m.SubscriptionDropped != nil {
				return
			}
		}
	}()
	return messages, nil
}

// message hands what a subscription brought to the feed. Checkpoints count by their commit position, unless it is none.
func (p *pump) message(ctx context.Context, m *esdb.SubscriptionEvent) error {
	switch {
	case m.SubscriptionDropped != nil:
		return fmt.Errorf("the subscription was dropped: %w", m.SubscriptionDropped.Error)
	case m.EventAppeared != nil:
		_, err := p.event(ctx, m.EventAppeared)
		return err
	case m.CheckPointReached != nil && m.CheckPointReached.Commit != math.MaxUint64:
		return p.feed.arrive(ctx, eventstore.Position(m.CheckPointReached.Commit), nil)
	}
	return nil
}
