package durability

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rolewise/eventstore"
)

// appender is the part of a store on which a crew works.
type appender interface {
	Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error)
}

// crew is the writers of a load at work on a store, all at once, each with one append under way.
type crew struct {
	load   load
	store  appender
	ledger *ledger

	// unavailable decides whether a writer repeats an append that the store could not take; nil: it ends.
	unavailable func(ctx context.Context, writer int, err *eventstore.UnavailableError) bool
	// acknowledged is called after each acknowledgement was noted; nil: nothing is.
	acknowledged func(writer int)
	// settle makes each writer end as soon as none of its appends has an unknown outcome.
	settle bool

	mu    sync.Mutex
	heads map[eventstore.StreamID]eventstore.Revision // as far as heard of
}

// run works until the context ends, the store is closed, or every writer has ended. It returns errors that no store
// should give.
func (c *crew) run(ctx context.Context, from []next) error {
	c.heads = map[eventstore.StreamID]eventstore.Revision{}
	errs := make([]error, len(from))
	var group sync.WaitGroup
	for writer, at := range from {
		group.Go(func() { errs[writer] = c.write(ctx, writer, at) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// write makes one append after the other. What was refused for its place is tried at the place that the refusal names;
// what has an unknown outcome is repeated as it was.
func (c *crew) write(ctx context.Context, writer int, at next) error {
	for ctx.Err() == nil && (at.Entry.Begun || !c.settle) {
		b := c.load.batch(writer, at.Number)
		if !at.Entry.Begun {
			at.Entry = entry{Begun: true, Expected: c.head(b.stream)}
			if err := c.ledger.begin(writer, at.Number, at.Entry.Expected); err != nil {
				return err
			}
		}
		position, err := c.store.Append(ctx, b.stream, at.Entry.Expected, b.events...)
		var conflict *eventstore.ConflictError
		var unavailable *eventstore.UnavailableError
		switch {
		case err == nil:
			c.grown(b.stream, at.Entry.Expected+eventstore.Revision(len(b.events)))
			if err := c.ledger.acknowledge(writer, at.Number, at.Entry.Expected, position); err != nil {
				return err
			}
			if c.acknowledged != nil {
				c.acknowledged(writer)
			}
			at = next{Number: at.Number + 1}
		case errors.As(err, &conflict):
			c.set(b.stream, conflict.Have)
			if at.Entry.Begun = false; c.settle { // it is to be placed anew, and to be settled there
				at.Entry = entry{Begun: true, Expected: conflict.Have}
				if err := c.ledger.begin(writer, at.Number, conflict.Have); err != nil {
					return err
				}
			}
		case errors.As(err, &unavailable):
			if c.unavailable == nil || !c.unavailable(ctx, writer, unavailable) {
				return nil
			}
		case errors.Is(err, eventstore.ErrClosed), ctx.Err() != nil:
			return nil
		default:
			return fmt.Errorf("writer %d, append %d to %s: %w", writer, at.Number, b.stream, err)
		}
	}
	return nil
}

func (c *crew) head(stream eventstore.StreamID) eventstore.Revision {
	c.mu.Lock()
	defer c.mu.Unlock()
	if revision, ok := c.heads[stream]; ok {
		return revision
	}
	return eventstore.NoStream
}

func (c *crew) set(stream eventstore.StreamID, revision eventstore.Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads[stream] = revision
}

func (c *crew) grown(stream eventstore.StreamID, revision eventstore.Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.heads[stream]; !ok || revision > known {
		c.heads[stream] = revision
	}
}
