package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

// identityStream holds the name of the log, which KurrentDB has none of that a client can read: its first event, by
// whoever came first, names the log, and each further one begins an epoch. Follow passes it over like a system stream.
var identityStream = eventstore.StreamID{Category: "log", Plan: "rolewise", ID: "identity"}

// Types of the events in the identity stream.
const (
	typeNamed    = "LogNamed"
	typeRestored = "LogRestored"
)

// identity is what has been read of the identity stream.
type identity struct {
	turn  chan struct{} // a lock that is waited for with a context
	id    string
	epoch int
	next  eventstore.Revision
}

func newIdentity() *identity { return &identity{turn: make(chan struct{}, 1)} }

// Info implements eventstore.Store. Head counts the events of the system too. The first Info ever names the log.
func (s *Store) Info(ctx context.Context) (eventstore.Info, error) {
	if err := s.usable(ctx); err != nil {
		return eventstore.Info{}, err
	}
	info, err := s.identify(ctx)
	if err != nil {
		return eventstore.Info{}, fmt.Errorf("read the identity of the log: %w", err)
	}
	info.Head, err = patiently(ctx, s, head)
	if err != nil {
		return eventstore.Info{}, fmt.Errorf("read the end of the log: %w", s.failure(ctx, err))
	}
	s.told.tell(info.Head)
	return info, nil
}

// NewEpoch says that the log was restored from a backup, so that consumers which had read further notice and start
// again. An operator calls it once after a restore, before anything else writes.
func (s *Store) NewEpoch(ctx context.Context) (eventstore.Info, error) {
	if err := s.usable(ctx); err != nil {
		return eventstore.Info{}, err
	}
	for {
		info, err := s.identify(ctx)
		if err != nil {
			return eventstore.Info{}, fmt.Errorf("read the identity of the log: %w", err)
		}
		err = s.declare(ctx, eventstore.Revision(info.Epoch-1), typeRestored, map[string]any{"epoch": info.Epoch + 1})
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) { // another operator was faster: it is known now which epoch follows
			continue
		}
		if err != nil {
			return eventstore.Info{}, fmt.Errorf("begin a new epoch of the log: %w", err)
		}
		return s.Info(ctx)
	}
}

// identify reads what is new in the identity stream, and names a log that has no name.
func (s *Store) identify(ctx context.Context) (eventstore.Info, error) {
	i := s.identity
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return eventstore.Info{}, ctx.Err()
	}
	for {
		events, err := patiently(ctx, s, func(ctx context.Context, client *esdb.Client) ([]eventstore.Recorded, error) {
			return slice(ctx, client, identityStream.String(), i.next, everything)
		})
		if err != nil && classify(err) != notFound {
			return eventstore.Info{}, s.failure(ctx, err)
		}
		for _, e := range events {
			if err := i.add(e); err != nil {
				return eventstore.Info{}, err
			}
		}
		if i.id != "" {
			return eventstore.Info{ID: i.id, Epoch: i.epoch}, nil
		}
		err = s.declare(ctx, eventstore.NoStream, typeNamed, map[string]any{"id": uuid.NewString()})
		var conflict *eventstore.ConflictError
		if err != nil && !errors.As(err, &conflict) {
			return eventstore.Info{}, fmt.Errorf("name the log: %w", err)
		}
	}
}

// failure is the error of a request that changes nothing.
func (s *Store) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.unavailable(err, false)
}

func (i *identity) add(e eventstore.Recorded) error {
	if e.Revision == 0 {
		var named struct{ ID string }
		if err := json.Unmarshal(e.Data, &named); err != nil || named.ID == "" {
			return &problem{text: "the first event of stream " + identityStream.String() + " does not name the log: it was not written by Rolewise", cause: err}
		}
		i.id = named.ID
	}
	i.epoch++
	i.next = e.Revision + 1
	return nil
}

// declare appends to the identity stream.
func (s *Store) declare(ctx context.Context, expected eventstore.Revision, kind string, content map[string]any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	id := uuid.New()
	meta := eventstore.Metadata{
		Plan: identityStream.Plan, Time: time.Now().UTC(), Actor: "system:eventstore",
		Command: id.String(), Correlation: id.String(), Schema: 1,
	}
	e := eventstore.Event{ID: id, Type: kind, Data: data, Metadata: meta.Encode()}
	_, err = s.append(ctx, identityStream, expected, propose([]eventstore.Event{e}, len(data)+len(e.Metadata)))
	return err
}

// head returns the position of the last event of the log, whosever it is; 0 if there is none.
func head(ctx context.Context, client *esdb.Client) (eventstore.Position, error) {
	in, err := client.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	e, err := in.Recv()
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return position(e), nil
}
