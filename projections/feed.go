package projections

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"rolewise/eventstore"
)

// Feed delivers the log to Watermill, page by page: the next page is handed out only after the one before was
// acknowledged, since the router runs each message in a goroutine of its own and order would be lost. After a page was
// refused the feed waits, and reads on from where its reader stands by then.
type Feed struct {
	store  eventstore.Store
	after  func() eventstore.Position
	filter eventstore.Filter
	note   func(error)
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	again context.CancelFunc // ends the present reading of the log, to begin another
}

// NewFeed returns a feed of the events that pass a filter; after tells where the reader stands, note is told why the
// log could not be read. The feed tries again for ever.
func NewFeed(store eventstore.Store, after func() eventstore.Position, filter eventstore.Filter, note func(error)) *Feed {
	return &Feed{store: store, after: after, filter: filter, note: note, done: make(chan struct{})}
}

type pageKey struct{}

// WithPage returns the context of a message that carries a page.
func WithPage(ctx context.Context, page eventstore.Page) context.Context {
	return context.WithValue(ctx, pageKey{}, page)
}

// PageOf returns the page that a message of a feed carries.
func PageOf(m *message.Message) eventstore.Page {
	page, _ := m.Context().Value(pageKey{}).(eventstore.Page)
	return page
}

// Subscribe implements message.Subscriber; it is called once, and the topic is a name only.
func (f *Feed) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	ctx, f.cancel = context.WithCancel(ctx)
	out := make(chan *message.Message)
	go func() {
		defer close(f.done)
		defer close(out)
		for wait := backoff(0); ctx.Err() == nil; wait.sleep(ctx) {
			f.read(ctx, out, &wait)
		}
	}()
	return out, nil
}

// read delivers the log from where the reader stands, until a page is refused, reading fails, or Restart.
func (f *Feed) read(ctx context.Context, out chan<- *message.Message, wait *backoff) {
	reading, again := context.WithCancel(ctx)
	defer again()
	f.mu.Lock()
	f.again = again
	f.mu.Unlock()
	for page, err := range f.store.Follow(reading, f.after(), f.filter) {
		if err != nil && reading.Err() == nil {
			f.note(err)
		}
		if err != nil || !deliver(reading, out, page) {
			return
		}
		wait.reset()
	}
}

// Restart makes the feed look again where its reader stands.
func (f *Feed) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.again != nil {
		f.again()
	}
}

// deliver hands out a page and tells whether it was acknowledged.
func deliver(ctx context.Context, out chan<- *message.Message, page eventstore.Page) bool {
	m := message.NewMessage(watermill.NewULID(), nil)
	m.SetContext(WithPage(ctx, page))
	select {
	case out <- m:
	case <-ctx.Done():
		return false
	}
	select {
	case <-m.Acked():
		return true
	case <-m.Nacked():
		return false
	case <-ctx.Done():
		return false
	}
}

// Close implements message.Subscriber: it ends the feed and waits for it.
func (f *Feed) Close() error {
	if f.cancel != nil {
		f.cancel()
		<-f.done
	}
	return nil
}

// backoff is a wait that doubles from 10 ms up to 5 s.
type backoff int

func (b *backoff) reset() { *b = 0 }

func (b *backoff) sleep(ctx context.Context) {
	pause(ctx, min(10*time.Millisecond<<min(*b, 10), 5*time.Second))
	*b++
}
