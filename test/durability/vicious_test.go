package durability

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// vicious is a store that looks right as long as nothing goes wrong, and is wrong in three ways, by the writer that
// appends: it acknowledges before it commits, it commits the events of an append one by one, and it does not recognise
// a repeat. A kill shows each of them, as a loss, a partial append, a doubled event.
type vicious struct {
	appender
	later chan func()
	last  atomic.Uint64
}

// backlog is how many appends wait for their commit after they were acknowledged.
const backlog = 16

func newVicious(store appender) *vicious {
	v := &vicious{appender: store, later: make(chan func(), backlog)}
	go func() {
		for f := range v.later {
			f()
		}
	}()
	return v
}

func (v *vicious) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	p, ok := placeOf(events[0].Data)
	if !ok {
		return 0, errors.New("an event of no load")
	}
	switch p.writer % 4 {
	case 0: // early
		v.later <- func() {
			at, conflict := expected, &eventstore.ConflictError{}
			for {
				_, err := v.appender.Append(context.Background(), stream, at, events...)
				if !errors.As(err, &conflict) {
					return
				}
				at = conflict.Have
			}
		}
		return eventstore.Position(v.last.Load()), nil
	case 1: // one by one
		var position eventstore.Position
		for i, e := range events {
			var err error
			if position, err = v.appender.Append(ctx, stream, expected+eventstore.Revision(i), e); err != nil {
				return 0, err
			}
		}
		return position, nil
	case 2: // forgetful
		other := append([]eventstore.Event(nil), events...)
		for i := range other {
			other[i].ID = uuid.New()
		}
		return v.appender.Append(ctx, stream, expected, other...)
	}
	position, err := v.appender.Append(ctx, stream, expected, events...)
	v.last.Store(uint64(position))
	return position, err
}
