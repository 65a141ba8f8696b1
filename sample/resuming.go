package sample

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"rolewise/eventstore"
)

// ForeignEventError says that a generation which was cut off cannot be continued, since something else has written to
// its plan in the meantime, or since it was begun by a program that generated something else.
type ForeignEventError struct{ Stream eventstore.StreamID }

func (e *ForeignEventError) Error() string {
	return fmt.Sprintf("the sample is incomplete and cannot be completed: stream %s holds other events than the generator's; start with a new data folder", e.Stream)
}

// resuming is a store that lets a generation which was cut off run again from its beginning: an append that is there
// already is compared and answered, and reads end where the generation has got to. Once all events from before have
// been met, it does nothing any more.
type resuming struct {
	eventstore.Store
	left int                                         // events from before that were not met yet
	upTo map[eventstore.StreamID]eventstore.Revision // last revision met or appended
}

func (r *resuming) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	if r.left == 0 {
		return r.Store.Append(ctx, stream, expected, events...)
	}
	met := 0
	var position eventstore.Position
	for recorded, err := range r.Store.Read(ctx, stream, expected+1) {
		if err != nil {
			return 0, err
		}
		if recorded.Type != events[met].Type || !bytes.Equal(recorded.Data, events[met].Data) {
			return 0, &ForeignEventError{Stream: stream}
		}
		position = recorded.Position
		if met++; met == len(events) {
			break
		}
	}
	if met == 0 {
		var err error
		if position, err = r.Store.Append(ctx, stream, expected, events...); err != nil {
			return 0, err
		}
	} else if met < len(events) { // an append is all or nothing
		return 0, &ForeignEventError{Stream: stream}
	}
	r.upTo[stream] = expected + eventstore.Revision(len(events))
	if r.left -= met; r.left <= 0 {
		r.left, r.upTo = 0, nil
	}
	return position, nil
}

func (r *resuming) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if r.left == 0 {
		return r.Store.Read(ctx, stream, from)
	}
	last, known := r.upTo[stream]
	return func(yield func(eventstore.Recorded, error) bool) {
		if !known || from > last {
			return
		}
		for recorded, err := range r.Store.Read(ctx, stream, from) {
			if err == nil && recorded.Revision > last {
				return
			}
			if !yield(recorded, err) {
				return
			}
		}
	}
}
