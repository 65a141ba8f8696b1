package projections_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/projections"
)

// reader stands somewhere in the log.
type reader struct {
	at    atomic.Uint64
	noted atomic.Int32 // failures of the log that it was told of
}

func (r *reader) position() eventstore.Position    { return eventstore.Position(r.at.Load()) }
func (r *reader) moveTo(to eventstore.Position)    { r.at.Store(uint64(to)) }
func (r *reader) took(m *message.Message) *reader  { r.moveTo(projections.PageOf(m).Through); return r }
func (r *reader) ack(m *message.Message, t tester) { r.took(m); done(t, m.Ack()) }

type tester interface {
	Helper()
	Fatal(args ...any)
}

func done(t tester, ok bool) {
	t.Helper()
	if !ok {
		t.Fatal("the message was answered otherwise before")
	}
}

// appendPlain appends events that no projection looks at.
func appendPlain(t *testing.T, log eventstore.Store, n int) {
	t.Helper()
	for range n {
		stream := eventstore.StreamID{Category: "test", Plan: "acme", ID: uuid.NewString()}
		if _, err := log.Append(t.Context(), stream, eventstore.NoStream, plainEvent("Tested", `{}`)); err != nil {
			t.Fatal(err)
		}
	}
}

func plainEvent(name, data string) eventstore.Event {
	meta := eventstore.Metadata{Plan: "acme", Time: began, Actor: "test", Command: uuid.NewString(), Correlation: "test", Schema: 1}
	return eventstore.Event{ID: uuid.New(), Type: name, Data: []byte(data), Metadata: meta.Encode()}
}

// feed subscribes to a log, three events long, in pages of one event. Time is the bubble's.
func feed(t *testing.T, log eventstore.Store, r *reader) (*projections.Feed, <-chan *message.Message) {
	t.Helper()
	f := projections.NewFeed(log, r.position, eventstore.Filter{PageSize: 1}, func(error) { r.noted.Add(1) })
	messages, err := f.Subscribe(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return f, messages
}

// idle tells that nothing is handed out before something else happens.
func idle(t *testing.T, messages <-chan *message.Message) {
	t.Helper()
	synctest.Wait()
	select {
	case m, open := <-messages:
		t.Fatalf("handed out %+v (open: %t)", projections.PageOf(m), open)
	default:
	}
}

// page takes the next page and checks where it lies.
func page(t *testing.T, messages <-chan *message.Message, after, through eventstore.Position) *message.Message {
	t.Helper()
	m := <-messages
	if got := projections.PageOf(m); got.After != after || got.Through != through || len(got.Events) != int(through-after) {
		t.Fatalf("page from %s to %s with %d events, want %s to %s", got.After, got.Through, len(got.Events), after, through)
	}
	return m
}

func TestFeed(t *testing.T) {
	inBubble := func(name string, run func(t *testing.T, log eventstore.Store)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := openLog(t)
				appendPlain(t, log, 3)
				run(t, log)
			})
		})
	}
	inBubble("a page is handed out only after the one before was acknowledged", func(t *testing.T, log eventstore.Store) {
		var r reader
		f, messages := feed(t, log, &r)
		defer f.Close()
		for i := range eventstore.Position(3) {
			m := page(t, messages, i, i+1)
			idle(t, messages)
			r.ack(m, t)
		}
		idle(t, messages)
		appendPlain(t, log, 1) // live
		r.ack(page(t, messages, 3, 4), t)
	})
	inBubble("a refused page comes again, from where the reader stands, after a wait that grows", func(t *testing.T, log eventstore.Store) {
		var r reader
		f, messages := feed(t, log, &r)
		defer f.Close()
		r.ack(page(t, messages, 0, 1), t)
		for _, wait := range []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
			m := page(t, messages, 1, 2)
			start := time.Now()
			done(t, m.Nack())
			idle(t, messages)
			synctest.Wait()
			time.Sleep(wait - 1)
			idle(t, messages)
			time.Sleep(1)
			synctest.Wait()
			if waited := time.Since(start); waited != wait {
				t.Errorf("waited %s, want %s", waited, wait)
			}
		}
		m := page(t, messages, 1, 2)
		r.moveTo(2) // it was committed after all
		done(t, m.Nack())
		r.ack(page(t, messages, 2, 3), t)
		appendPlain(t, log, 1)
		m = page(t, messages, 3, 4)
		r.moveTo(0) // the read model was lost
		done(t, m.Nack())
		start := time.Now()
		r.ack(page(t, messages, 0, 1), t)
		if waited := time.Since(start); waited != 10*time.Millisecond {
			t.Errorf("after progress the wait was %s, want 10ms again", waited)
		}
	})
	inBubble("the wait does not grow over five seconds", func(t *testing.T, log eventstore.Store) {
		var r reader
		f, messages := feed(t, log, &r)
		defer f.Close()
		var waited time.Duration
		for range 100 {
			m := page(t, messages, 0, 1)
			start := time.Now()
			done(t, m.Nack())
			next := <-messages
			waited = time.Since(start)
			done(t, next.Nack())
		}
		if waited != 5*time.Second {
			t.Errorf("waited %s at last, want 5s", waited)
		}
	})
	inBubble("a log that fails is read on", func(t *testing.T, log eventstore.Store) {
		var r reader
		broken := &breaking{Store: log}
		broken.failures.Store(3)
		f, messages := feed(t, broken, &r)
		defer f.Close()
		for _, i := range []eventstore.Position{0, 2} {
			m := page(t, messages, i, i+1)
			idle(t, messages) // the next page has been read by now
			if left := broken.failures.Load(); left != 0 {
				t.Errorf("%d failures were not met before page %s", left, i)
			}
			if i == 0 {
				broken.failures.Store(2) // for the third page
				r.ack(m, t)
				m = page(t, messages, 1, 2)
			}
			r.ack(m, t)
		}
		if noted := r.noted.Load(); noted != 5 {
			t.Errorf("told of %d failures, want five", noted)
		}
	})
	inBubble("Close ends the feed, whatever it is at", func(t *testing.T, log eventstore.Store) {
		for name, until := range map[string]func(*reader, <-chan *message.Message){
			"nobody takes the page": func(*reader, <-chan *message.Message) {},
			"a page is in hand":     func(_ *reader, messages <-chan *message.Message) { <-messages },
			"after a refusal":       func(_ *reader, messages <-chan *message.Message) { (<-messages).Nack() },
			"at the end of the log": func(r *reader, messages <-chan *message.Message) {
				for range 3 {
					r.ack(<-messages, t)
				}
			},
		} {
			var r reader
			f, messages := feed(t, log, &r)
			until(&r, messages)
			synctest.Wait()
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if m, open := <-messages; open {
				t.Errorf("%s: a page after Close: %+v", name, projections.PageOf(m))
			}
		}
	})
	inBubble("the end of the context ends the feed", func(t *testing.T, log eventstore.Store) {
		var r reader
		ctx, cancel := context.WithCancel(t.Context())
		f := projections.NewFeed(log, r.position, eventstore.Filter{}, func(error) {})
		messages, err := f.Subscribe(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		m := <-messages
		cancel()
		if _, open := <-messages; open {
			t.Error("a page after the end")
		}
		if m.Context().Err() == nil {
			t.Error("the context of the page in hand did not end")
		}
	})
}

// breaking is a log whose follows break off.
type breaking struct {
	eventstore.Store
	failures atomic.Int64
}

func (s *breaking) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range s.Store.Follow(ctx, after, filter) {
			if s.failures.Load() > 0 {
				s.failures.Add(-1)
				yield(eventstore.Page{}, errors.New("disk on fire"))
				return
			}
			if !yield(page, err) {
				return
			}
		}
	}
}
