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
	// prepare makes of a page what is carried beside it; nil: nothing. It works on the next page while the one before is
	// in hand.
	prepare func(eventstore.Page) any
	cancel  context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	again context.CancelFunc // ends the present reading of the log, to begin another
}

// NewFeed returns a feed of the events that pass a filter; after tells where the reader stands, note is told why the
// log could not be read. The feed tries again for ever.
func NewFeed(store eventstore.Store, after func() eventstore.Position, filter eventstore.Filter, note func(error)) *Feed {
	return &Feed{store: store, after: after, filter: filter, note: note, done: make(chan struct{})}
}

type (
	pageKey     struct{}
	preparedKey struct{}
)

// WithPage returns the context of a message that carries a page.
func WithPage(ctx context.Context, page eventstore.Page) context.Context {
	return context.WithValue(ctx, pageKey{}, page)
}

// ready is a page that can be handed out.
type ready struct {
	page     eventstore.Page
	prepared any
	err      error
}

// PageOf returns the page that a message of a feed carries.
func PageOf(m *message.Message) eventstore.Page {
	page, _ := m.Context().Value(pageKey{}).(eventstore.Page)
	return page
}

// preparedOf returns what was made of the page.
func preparedOf(m *message.Message) any {
	return m.Context().Value(preparedKey{})
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
	pages, took := make(chan ready), make(chan struct{})
	var reader sync.WaitGroup
	defer reader.Wait()
	defer again() // before the wait
	after := f.after()
	reader.Go(func() {
		defer close(pages)
		f.readAhead(reading, after, pages, took)
	})
	for next := range pages {
		if next.err != nil && reading.Err() == nil {
			f.note(next.err)
		}
		if next.err != nil || !deliver(reading, out, next) {
			return
		}
		wait.reset()
		if next.page.Live {
			select {
			case took <- struct{}{}:
			case <-reading.Done():
				return
			}
		}
	}
}

// readAhead has the next page ready while the one before is in hand. At the end of the log it waits until that is done,
// so that what comes meanwhile is in one page.
func (f *Feed) readAhead(ctx context.Context, after eventstore.Position, pages chan<- ready, took <-chan struct{}) {
	for page, err := range f.store.Follow(ctx, after, f.filter) {
		next := ready{page: page, err: err}
		if err == nil && f.prepare != nil {
			next.prepared = f.prepare(page)
		}
		select {
		case pages <- next:
		case <-ctx.Done():
			return
		}
		if err == nil && page.Live {
			select {
			case <-took:
			case <-ctx.Done():
				return
			}
		}
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
func deliver(ctx context.Context, out chan<- *message.Message, next ready) bool {
	m := message.NewMessage(watermill.NewULID(), nil)
	m.SetContext(context.WithValue(WithPage(ctx, next.page), preparedKey{}, next.prepared))
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
