package durability

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// streams is the part of a store that histories are made of.
type streams interface {
	appender
	Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error]
}

// errNoAnswer is the outcome of a call whose store ended before it had answered. The next call finds another.
var errNoAnswer = errors.New("the store ended without an answer")

// client is one of several that make a history. It repeats what has no answer until it has one.
type client struct {
	number  int
	random  *rand.Rand
	store   streams
	names   []eventstore.StreamID
	history *record

	mu    sync.Mutex                                  // two attempts may be answered at once
	heads map[eventstore.StreamID]eventstore.Revision // as it last heard
}

// clients makes a history: as many clients on as few streams as make them meet. Each has its own choices.
func clients(ctx context.Context, store streams, seed uint64, history *record, count int, names []eventstore.StreamID) error {
	errs := make([]error, count)
	var group sync.WaitGroup
	for number := range count {
		c := &client{number: number, random: rand.New(rand.NewPCG(seed, uint64(number))), store: store, names: names,
			heads: map[eventstore.StreamID]eventstore.Revision{}, history: history}
		for _, name := range names {
			c.heads[name] = eventstore.NoStream
		}
		group.Go(func() {
			for errs[number] == nil && history.claim() {
				errs[number] = c.operate(ctx)
			}
		})
	}
	group.Wait()
	// What is there in the end is a part of the history.
	last := &client{number: count, random: rand.New(rand.NewPCG(seed, uint64(count))), store: store, history: history}
	for _, name := range names {
		errs = append(errs, last.read(ctx, call{Stream: name}))
	}
	return errors.Join(errs...)
}

// operate makes one operation, some of them under the name of an append made before.
func (c *client) operate(ctx context.Context) error {
	stream := c.names[c.random.IntN(len(c.names))]
	head := c.heads[stream]
	switch choice := c.random.IntN(100); {
	case choice < 20:
		return c.read(ctx, call{Stream: stream})
	case choice < 35:
		return c.read(ctx, call{Stream: stream, At: eventstore.Revision(c.random.IntN(int(head) + 3))})
	case choice < 47:
		if again, ok := c.earlier(); ok {
			return c.append(ctx, again)
		}
	case choice < 53:
		head = max(eventstore.NoStream, head-eventstore.Revision(c.random.IntN(4)))
	case choice < 58:
		head += eventstore.Revision(c.random.IntN(4))
	}
	in := call{Stream: stream, At: head}
	for range 1 + c.random.IntN(3)*c.random.IntN(2) {
		in.IDs = append(in.IDs, c.id())
	}
	return c.append(ctx, in)
}

func (c *client) id() (id uuid.UUID) {
	for i := range id {
		id[i] = byte(c.random.Uint32())
	}
	return id
}

// earlier returns an append that somebody made, now and then with another last event.
func (c *client) earlier() (call, bool) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	made := c.history.made
	if len(made) == 0 {
		return call{}, false
	}
	again := made[c.random.IntN(len(made))]
	if c.random.IntN(4) == 0 {
		again.IDs = append([]uuid.UUID(nil), again.IDs...)
		again.IDs[len(again.IDs)-1] = c.id()
	}
	return again, true
}

func (c *client) read(ctx context.Context, in call) error {
	for {
		began := c.history.now()
		var out answer
		err := error(nil)
		for e, failure := range c.store.Read(ctx, in.Stream, in.At) {
			if err = failure; err != nil {
				break
			}
			out.Events = append(out.Events, stood{e.ID, e.Revision, e.Position})
		}
		if errors.Is(err, errNoAnswer) {
			continue // it changed nothing: it may as well not have been
		}
		if err != nil {
			return fmt.Errorf("read %v: %w", in, err)
		}
		c.history.note(c.number, began, in, out)
		if c.heads != nil && len(out.Events) > 0 {
			c.heads[in.Stream] = out.Events[len(out.Events)-1].Revision
		}
		return nil
	}
}

// append makes an append, some twice at once. Attempts with an answer are operations of their own. One without an
// answer is repeated with the same ids, and what that comes to is taken for an answer to both: the operation began with
// the first of them.
func (c *client) append(ctx context.Context, in call) error {
	c.history.mu.Lock()
	c.history.made = append(c.history.made, in)
	c.history.mu.Unlock()
	for began := c.history.now(); ; {
		tries := []try{{began, c.delay(5), c.delay(5)}}
		if c.random.IntN(10) == 0 {
			tries = append(tries, try{c.history.now(), c.delay(1), c.delay(5)})
		}
		errs := make(chan error, len(tries))
		for _, t := range tries {
			go func() { errs <- c.attempt(ctx, t, in) }()
		}
		answered := true
		for range tries {
			switch err := <-errs; {
			case errors.Is(err, errNoAnswer):
				c.history.unanswered()
				answered = false
			case err != nil:
				return fmt.Errorf("append %v: %w", in, err)
			}
		}
		if answered {
			return nil
		}
	}
}

// try is one attempt at an append: when it began, and its latency on the way to the store and back.
type try struct {
	began      int64
	wait, late time.Duration
}

// delay is latency on the way to the store or back, for one in so many.
func (c *client) delay(oneIn int) time.Duration {
	if c.random.IntN(oneIn) > 0 {
		return 0
	}
	return time.Duration(c.random.IntN(2000)) * time.Microsecond
}

func (c *client) attempt(ctx context.Context, t try, in call) error {
	if t.wait > 0 {
		pause(t.wait)
	}
	position, err := c.store.Append(ctx, in.Stream, in.At, eventsOf(in)...)
	if t.late > 0 {
		pause(t.late)
	}
	out := answer{Position: position}
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		if conflict.Stream != in.Stream || conflict.Want != in.At {
			return fmt.Errorf("is told of another conflict: %w", err)
		}
		out, err = answer{Conflict: true, Have: conflict.Have}, nil
	}
	if err != nil {
		return err
	}
	c.history.note(c.number, t.began, in, out)
	c.mu.Lock()
	defer c.mu.Unlock()
	if out.Conflict {
		c.heads[in.Stream] = out.Have
	} else {
		c.heads[in.Stream] = max(c.heads[in.Stream], in.At+eventstore.Revision(len(in.IDs)))
	}
	return nil
}

// eventsOf makes the events of an append out of their ids.
func eventsOf(in call) (events []eventstore.Event) {
	for _, id := range in.IDs {
		events = append(events, eventstore.Event{ID: id, Type: kinds[int(id[0])%len(kinds)], Data: id[:], Metadata: metadata(in.Stream.Plan, id.String())})
	}
	return events
}
