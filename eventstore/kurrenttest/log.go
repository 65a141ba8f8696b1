package kurrenttest

import (
	"context"
	"iter"
	"slices"

	"rolewise/eventstore"
)

// batch is a piece of $all. Live tells that nothing more was known when it was made.
type batch struct {
	events []event
	live   bool
}

// follow yields the events of $all behind a commit position, and goes on with new ones for as long as the context lasts.
func (b *backend) follow(ctx context.Context, after uint64, filter eventstore.Filter) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		from := reached(after)
		if from > 0 {
			from-- // its system event may still be wanted
		}
		initial := b.system.first()
		for page, err := range b.store.Follow(ctx, from, filter) {
			if err != nil {
				yield(batch{}, err)
				return
			}
			out := batch{events: make([]event, 0, len(initial)+len(page.Events)*5/4), live: page.Live}
			for _, e := range initial {
				if e.commit > after {
					out.events = append(out.events, e)
				}
			}
			initial = nil
			for i := range page.Events {
				e := b.declared.event(&page.Events[i])
				if e.commit > after {
					out.events = append(out.events, e)
				}
				if s, ok := b.system.behind(page.Events[i].Position, e.created); ok && s.commit > after {
					out.events = append(out.events, s)
				}
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

// forward yields the events of $all from a commit position on (inclusive), up to the end.
func (b *backend) forward(ctx context.Context, from uint64) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		for page, err := range b.follow(ctx, max(from, 1)-1, eventstore.Filter{}) {
			if err != nil {
				yield(event{}, err)
				return
			}
			for _, e := range page.events {
				if !yield(e, nil) {
					return
				}
			}
			if page.live {
				return
			}
		}
	}
}

// backward yields the events of $all before a commit position (exclusive), newest first.
func (b *backend) backward(ctx context.Context, before uint64) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		info, err := b.store.Info(ctx)
		if err != nil {
			yield(event{}, err)
			return
		}
		from := info.Head + 1
		if before < commitOf(from) {
			from = reached(before) + 1
		}
		for r, err := range b.descend(ctx, from) {
			if err != nil {
				yield(event{}, err)
				return
			}
			e := b.declared.event(&r)
			if s, ok := b.system.behind(r.Position, e.created); ok && s.commit < before && !yield(s, nil) {
				return
			}
			if e.commit < before && !yield(e, nil) {
				return
			}
		}
		for _, e := range slices.Backward(b.system.first()) {
			if e.commit < before && !yield(e, nil) {
				return
			}
		}
	}
}

// reverse is offered by stores that can read backwards themselves: up to n events before a position, newest first.
type reverse interface {
	Before(ctx context.Context, p eventstore.Position, n int) ([]eventstore.Recorded, error)
}

const descent = 512

// descend yields the events of the store before a position, newest first.
func (b *backend) descend(ctx context.Context, before eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		width := eventstore.Position(descent)
		for before > 1 {
			var events []eventstore.Recorded
			var err error
			next := before - 1
			if r, ok := b.store.(reverse); ok {
				if events, err = r.Before(ctx, before, descent); len(events) > 0 {
					next = events[len(events)-1].Position
				} else {
					next = 0
				}
			} else {
				low := before - 1 - min(width, before-1)
				if events, err = b.between(ctx, low, before); len(events) == 0 {
					width *= 2
				}
				slices.Reverse(events)
				next = low + 1
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			before = next
		}
	}
}

// between reads the events of the store behind one position and before another.
func (b *backend) between(ctx context.Context, after, before eventstore.Position) ([]eventstore.Recorded, error) {
	var events []eventstore.Recorded
	for page, err := range b.store.Follow(ctx, after, eventstore.Filter{}) {
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if e.Position >= before {
				return events, nil
			}
			events = append(events, e)
		}
		if page.Live || page.Through+1 >= before {
			break
		}
	}
	return events, nil
}
