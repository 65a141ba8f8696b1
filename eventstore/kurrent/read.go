package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"

	"rolewise/eventstore"
)

// everything is the count of reads that go on to the end.
const everything = math.MaxInt64

// recorded takes an event of the client over. Its bytes are its own.
func recorded(stream eventstore.StreamID, e *esdb.RecordedEvent) eventstore.Recorded {
	return eventstore.Recorded{
		Event:    eventstore.Event{ID: e.EventID, Type: e.EventType, Data: e.Data, Metadata: e.UserMetadata},
		Stream:   stream,
		Revision: eventstore.Revision(e.EventNumber),
		Position: eventstore.Position(e.Position.Commit),
	}
}

// slice reads up to n events of a stream. "Stream not found" comes with the first of them.
func slice(ctx context.Context, client *esdb.Client, stream string, from eventstore.Revision, n uint64) ([]eventstore.Recorded, error) {
	in, err := client.ReadStream(ctx, stream, esdb.ReadStreamOptions{From: esdb.Revision(uint64(from))}, n)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var events []eventstore.Recorded
	for {
		e, err := in.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return nil, err
		case e.OriginalEvent().Position.Commit == math.MaxUint64:
			return nil, errNoPosition
		}
		events = append(events, recorded(eventstore.StreamID{}, e.OriginalEvent()))
	}
}

// Read implements eventstore.Store. It goes on by itself after a lost connection. A stream that was deleted on the
// server, or that lacks its beginning, is an error: it has lost events that were acknowledged.
func (s *Store) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		err := stream.Validate()
		if err == nil {
			err = s.usable(ctx)
		}
		if err == nil {
			err = s.readAll(ctx, stream, max(from, 0), yield)
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(eventstore.Recorded{}, err)
		}
	}
}

// errStop says that the caller wants no more.
var errStop = errors.New("enough")

// readAll reads to the end of the stream, over as many connections as it takes.
func (s *Store) readAll(ctx context.Context, stream eventstore.StreamID, next eventstore.Revision, yield func(eventstore.Recorded, error) bool) error {
	lastProgress := time.Now()
	for attempt := 0; ; attempt++ {
		before := next
		err := s.readOn(ctx, stream, func(e eventstore.Recorded) error {
			if e.Revision != next {
				return fmt.Errorf("stream %s has no events from %d to %d: they were removed on the server; restore a backup, and set no $maxCount, $maxAge or $tb on streams of Rolewise", stream, next, e.Revision-1)
			}
			next++
			if !yield(e, nil) {
				return errStop
			}
			return nil
		}, next)
		if next > before {
			attempt, lastProgress = 0, time.Now()
		}
		var call *callError
		if !errors.As(err, &call) {
			return err
		}
		err = call.err
		switch f := classify(err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, eventstore.ErrClosed):
			return err
		case f == notFound:
			return s.absent(ctx, stream)
		case f == deleted:
			return s.gone(stream, err)
		case f == final, time.Since(lastProgress) >= s.options.patience:
			return fmt.Errorf("read stream %s: %w", stream, s.unavailable(err, false))
		}
		if pause(ctx, attempt) != nil {
			return ctx.Err()
		}
	}
}

// callError is an error of the client, not of the reader's own.
type callError struct{ err error }

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// batch is a piece of a read on its way to the caller.
type batch struct {
	events []eventstore.Recorded
	err    error // how it ended, io.EOF at the end; nil: there is more
}

// Limits of what is handed over together.
const (
	batchSize  = 128     // events
	batchBytes = 1 << 20 // of data and metadata
)

// readOn reads over one connection, in a goroutine of its own, and gives each event to each.
func (s *Store) readOn(ctx context.Context, stream eventstore.StreamID, each func(eventstore.Recorded) error, from eventstore.Revision) error {
	within, cancel := context.WithTimeout(ctx, s.options.patience)
	l, err := s.connector.enter(within)
	cancel()
	if err != nil {
		return &callError{err}
	}
	ctx, cancel = context.WithCancel(metadata.NewOutgoingContext(ctx, s.address.headers))
	defer cancel()
	batches := make(chan batch, 1)
	go func() {
		defer l.leave()
		var b batch
		b.err = guard(func() error { return receive(ctx, l, stream, from, &b.events, batches) })
		switch {
		case errors.Is(b.err, io.EOF):
			l.judge(nil)
		case ctx.Err() == nil:
			l.judge(b.err)
		}
		select {
		case batches <- b:
		case <-ctx.Done():
		case <-l.abandoned:
		}
	}()
	silence := time.NewTimer(*s.address.config.DefaultDeadline)
	defer silence.Stop()
	for {
		select {
		case <-silence.C:
			l.retire()
			return &callError{errSilence}
		case b := <-batches:
			for _, e := range b.events {
				if err := s.usable(ctx); err != nil {
					return &callError{err}
				}
				if err := each(e); err != nil {
					return err
				}
			}
			switch {
			case errors.Is(b.err, io.EOF):
				return nil
			case b.err != nil:
				return &callError{b.err}
			}
			silence.Reset(*s.address.config.DefaultDeadline)
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return eventstore.ErrClosed
		case <-l.abandoned:
			return &callError{errAbandoned}
		}
	}
}

// receive reads a stream to its end and returns io.EOF, with the rest in *rest.
func receive(ctx context.Context, l *link, stream eventstore.StreamID, from eventstore.Revision, rest *[]eventstore.Recorded, batches chan<- batch) error {
	in, err := l.client.ReadStream(ctx, stream.String(), esdb.ReadStreamOptions{From: esdb.Revision(uint64(from))}, everything)
	if err != nil {
		return err
	}
	defer in.Close()
	for bytes := 0; ; {
		e, err := in.Recv()
		switch {
		case err != nil:
			return err
		case e.OriginalEvent().Position.Commit == math.MaxUint64:
			return errNoPosition
		}
		r := recorded(stream, e.OriginalEvent())
		*rest = append(*rest, r)
		if bytes += len(r.Data) + len(r.Metadata); len(*rest) < batchSize && bytes < batchBytes {
			continue
		}
		bytes = 0
		select {
		case batches <- batch{events: *rest}:
			*rest = make([]eventstore.Recorded, 0, batchSize)
		case <-ctx.Done():
			return ctx.Err()
		case <-l.abandoned:
			return errAbandoned
		}
	}
}

// absent tells a stream that never was, which is fine, from one that was deleted: the server answers both alike, but the
// metadata of the latter say that all its events are truncated.
func (s *Store) absent(ctx context.Context, stream eventstore.StreamID) error {
	cut, err := patiently(ctx, s, func(ctx context.Context, client *esdb.Client) (uint64, error) {
		in, err := client.ReadStream(ctx, "$$"+stream.String(), esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
		if err != nil {
			return 0, err
		}
		defer in.Close()
		e, err := in.Recv()
		if err != nil {
			return 0, err
		}
		var meta struct {
			Before uint64 `json:"$tb"`
		}
		err = json.Unmarshal(e.OriginalEvent().Data, &meta)
		if err != nil {
			meta.Before = 0
		}
		return meta.Before, nil
	})
	switch {
	case err == nil && cut > 0:
		return s.gone(stream, nil)
	case err == nil, classify(err) == notFound, classify(err) == final: // metadata that may not be read say nothing
		return nil
	case ctx.Err() != nil, errors.Is(err, eventstore.ErrClosed):
		return err
	}
	return fmt.Errorf("read stream %s: %w", stream, s.unavailable(err, false))
}

// gone says that a stream was deleted on the server.
func (s *Store) gone(stream eventstore.StreamID, cause error) error {
	return &problem{
		text:  fmt.Sprintf("stream %s was deleted on KurrentDB at %s: restore a backup, and never delete streams of Rolewise", stream, s.address.name),
		cause: cause,
	}
}
