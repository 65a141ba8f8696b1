package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"rolewise/eventstore"
)

// Append implements eventstore.Store. While the server is away it is repeated with the same ids, for as long as
// Patience and the context permit; then its error tells whether the events may have been committed.
func (s *Store) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if s.options.readOnly {
		return 0, errReadOnly
	}
	size, err := eventstore.Check(stream, expected, events)
	if err != nil {
		return 0, err
	}
	if stream == identityStream {
		return 0, &eventstore.InvalidError{What: "stream " + stream.String(), Why: "is reserved for the identity of the log"}
	}
	return s.append(ctx, stream, expected, propose(events, size))
}

// propose copies the events, whose bytes belong to the caller again when its context ends, for the client.
func propose(events []eventstore.Event, size int) []esdb.EventData {
	buffer := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		from := len(buffer)
		buffer = append(buffer, b...)
		return buffer[from:len(buffer):len(buffer)]
	}
	proposed := make([]esdb.EventData, len(events))
	for i, e := range events {
		content := esdb.ContentTypeBinary
		if json.Valid(e.Data) {
			content = esdb.ContentTypeJson
		}
		proposed[i] = esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: content, Data: keep(e.Data), Metadata: keep(e.Metadata)}
	}
	return proposed
}

// append sends the events until their fate is known.
func (s *Store) append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events []esdb.EventData) (eventstore.Position, error) {
	within, cancel := context.WithTimeout(ctx, s.options.patience)
	defer cancel()
	unknown := false // an attempt may have been committed
	var last error
	for attempt := 0; ; attempt++ {
		position, err := s.attempt(within, stream, expected, events)
		if err == nil {
			return position, nil
		}
		var away *unreachable
		unknown = unknown || !errors.As(err, &away) && !refused(err)
		switch {
		case ctx.Err() != nil:
			return 0, ended(ctx.Err(), unknown)
		case within.Err() == nil || last == nil:
			last = err
		}
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) {
			return 0, conflict
		}
		if f := classify(err); within.Err() == nil && (f == final || f == deleted || errors.Is(err, eventstore.ErrClosed) || errors.Is(err, errRevived)) {
			return 0, s.appendFailure(stream, err, unknown)
		}
		if pause(within, attempt) != nil {
			if ctx.Err() != nil {
				return 0, ended(ctx.Err(), unknown)
			}
			return 0, s.unavailable(last, unknown)
		}
	}
}

var errRevived = errors.New("was deleted on the server and begins anew: restore a backup, and never delete streams of Rolewise")

func (s *Store) appendFailure(stream eventstore.StreamID, err error, unknown bool) error {
	switch {
	case errors.Is(err, errRevived):
		return fmt.Errorf("stream %s %w", stream, errRevived)
	case classify(err) == deleted:
		return s.gone(stream, err)
	}
	return s.unavailable(err, unknown)
}

// refused tells that the server has decided against an append, so that it is certainly not committed by this attempt.
func refused(err error) bool {
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) || errors.Is(err, eventstore.ErrClosed) || errors.Is(err, errMoved) {
		return true
	}
	f := classify(err)
	return f == final || f == deleted || f == wrongRevision
}

// attempt sends the events once. What the server takes for a conflict may be an earlier attempt that was committed.
func (s *Store) attempt(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events []esdb.EventData) (eventstore.Position, error) {
	var at esdb.ExpectedRevision = esdb.NoStream{}
	if expected >= 0 {
		at = esdb.Revision(uint64(expected))
	}
	result, err := call(ctx, s, func(ctx context.Context, client *esdb.Client) (*esdb.WriteResult, error) {
		return client.AppendToStream(ctx, stream.String(), esdb.AppendToStreamOptions{ExpectedRevision: at}, events...)
	})
	switch {
	case err != nil && classify(err) == wrongRevision:
		return s.settle(ctx, stream, expected, events)
	case err != nil:
		return 0, err
	case result.NextExpectedVersion != uint64(int64(expected)+int64(len(events))):
		return 0, errRevived
	case result.CommitPosition == 0 || result.CommitPosition == math.MaxUint64: // an idempotent answer may leave it out
		return s.settle(ctx, stream, expected, events)
	}
	return eventstore.Position(result.CommitPosition), nil
}

// settle finds out whether an append that came too late is a repeat: then its events stand where they should, and the
// answer is that of the first time.
func (s *Store) settle(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events []esdb.EventData) (eventstore.Position, error) {
	there, err := call(ctx, s, func(ctx context.Context, client *esdb.Client) ([]eventstore.Recorded, error) {
		return slice(ctx, client, stream.String(), expected+1, uint64(len(events)))
	})
	if err != nil && classify(err) != notFound {
		return 0, err
	}
	if len(there) == len(events) && matches(there, events) {
		return there[len(there)-1].Position, nil
	}
	have, err := s.last(ctx, stream)
	if err != nil {
		return 0, err
	}
	if have == expected { // it has got there meanwhile
		return 0, errMoved
	}
	return 0, &eventstore.ConflictError{Stream: stream, Want: expected, Have: have}
}

var errMoved = errors.New("the stream moved while the append was being settled")

func matches(there []eventstore.Recorded, events []esdb.EventData) bool {
	for i := range there {
		if there[i].ID != events[i].EventID {
			return false
		}
	}
	return true
}

// last returns the last revision of a stream.
func (s *Store) last(ctx context.Context, stream eventstore.StreamID) (eventstore.Revision, error) {
	have, err := call(ctx, s, func(ctx context.Context, client *esdb.Client) (eventstore.Revision, error) {
		in, err := client.ReadStream(ctx, stream.String(), esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil {
			return 0, err
		}
		defer in.Close()
		e, err := in.Recv()
		if err != nil {
			return 0, err
		}
		return eventstore.Revision(e.OriginalEvent().EventNumber), nil
	})
	if err != nil && classify(err) == notFound {
		return eventstore.NoStream, nil
	}
	return have, err
}
