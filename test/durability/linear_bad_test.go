package durability

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// spoilt puts a fault around a store, one of these:
const (
	badForgets   = "it acknowledges without appending"
	badStale     = "it answers a read with what it once read"
	badLenient   = "it takes a wrong expectation"
	badStubborn  = "it does not know a repeat"
	badMistaken  = "it answers a repeat with another position"
	badPiecemeal = "it appends one event after the other"
	badMisleads  = "its conflict names another revision"
)

// bads are all of them.
var bads = []string{badForgets, badStale, badLenient, badStubborn, badMistaken, badPiecemeal, badMisleads}

// spoil is a store with a fault that shows now and then, or never if there is none.
type spoil struct {
	streams
	bad string

	mu    sync.Mutex
	calls int
	last  eventstore.Position
	read  map[eventstore.StreamID][]eventstore.Recorded
	first map[uuid.UUID]bool
}

func spoilt(store streams, bad string) streams {
	if bad == "" {
		return store
	}
	s := &spoil{streams: store, bad: bad, read: map[eventstore.StreamID][]eventstore.Recorded{}, first: map[uuid.UUID]bool{}}
	return s
}

// turn tells whether it is time for the fault, and whether the first of some ids was acknowledged before.
func (s *spoil) turn(oneIn int, id uuid.UUID) (due, repeat bool, last eventstore.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.calls%oneIn == 0, s.first[id], s.last
}

func (s *spoil) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	position, err := s.append(ctx, stream, expected, events)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		conflict.Want = expected // whatever it tried
	}
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.first[events[0].ID], s.last = true, max(s.last, position)
	}
	return position, err
}

func (s *spoil) append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events []eventstore.Event) (eventstore.Position, error) {
	due, repeat, last := s.turn(10, events[0].ID)
	switch {
	case s.bad == badForgets && due:
		return last + eventstore.Position(len(events)), nil
	case s.bad == badStubborn && repeat:
		events = slices.Clone(events)
		events[0].ID = otherID(events[0].ID) // which the store has never seen
	case s.bad == badPiecemeal && due:
		for i := range len(events) - 1 {
			if _, err := s.streams.Append(ctx, stream, expected+eventstore.Revision(i), events[i]); err != nil {
				return 0, err
			}
		}
		return s.streams.Append(ctx, stream, expected+eventstore.Revision(len(events)-1), events[len(events)-1])
	}
	position, err := s.streams.Append(ctx, stream, expected, events...)
	var conflict *eventstore.ConflictError
	switch refused := errors.As(err, &conflict); {
	case s.bad == badLenient && due && refused:
		if position, err := s.streams.Append(ctx, stream, conflict.Have, events...); err == nil {
			return position, nil
		}
	case s.bad == badMisleads && due && refused:
		conflict.Have++
	case s.bad == badMistaken && repeat && err == nil:
		return position + 1, nil
	}
	return position, err
}

func (s *spoil) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	if due, _, _ := s.turn(5, uuid.Nil); s.bad != badStale || from != 0 {
		return s.streams.Read(ctx, stream, from)
	} else if due {
		return func(yield func(eventstore.Recorded, error) bool) {
			s.mu.Lock()
			old := s.read[stream]
			s.mu.Unlock()
			for _, e := range old {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		var all []eventstore.Recorded
		for e, err := range s.streams.Read(ctx, stream, from) {
			all = append(all, e)
			if !yield(e, err) {
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.read[stream] = all
	}
}

// otherID returns an id that depends on another alone.
func otherID(id uuid.UUID) uuid.UUID { return uuid.NewSHA1(space, id[:]) }
