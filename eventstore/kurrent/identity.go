package kurrent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

// identityStream holds the name of the log, which KurrentDB has none of that a client can read: its first event, by
// whoever came first, names the log in epoch 1, and each further one begins the epoch that its data say. Follow passes it
// over like a system stream.
var identityStream = eventstore.StreamID{Category: "log", Plan: "rolewise", ID: "identity"}

// Types of the events in the identity stream.
const (
	typeNamed    = "LogNamed"
	typeRestored = "LogRestored"
)

// errReadOnly refuses what would write to a log that was opened with ReadOnly.
var errReadOnly = &eventstore.InvalidError{What: "writing", Why: "is not possible: the log was opened for reading only"}

// errUnnamed is an errand at the wrong database, more often than not.
var errUnnamed = errors.New("this KurrentDB holds no log of Rolewise yet: check the address")

// errShort is an identity stream that lacks what was read of it before.
var errShort = errors.New("the server lags behind, or the log was restored from a backup")

// errForeign is an event in the identity stream that nobody here wrote.
var errForeign = errors.New("does not say which log this is: it was not written by Rolewise")

// identity is what has been read of the identity stream.
type identity struct {
	turn chan struct{} // a lock that is waited for with a context
	name name

	mu    sync.Mutex
	begun name // what this store began with; the zero name: nothing yet
}

// name tells logs apart, and the times before and after a restore of one. The zero name is that of a log without any.
type name struct {
	id    string
	epoch int
	last  eventstore.Revision // of the event that says so
	event uuid.UUID           // that event
}

func (n name) same(other name) bool { return n.id == other.id && n.epoch == other.epoch }

func newIdentity() *identity { return &identity{turn: make(chan struct{}, 1)} }

// begin keeps the first name that is known, and tells whether this one is the same.
func (i *identity) begin(n name) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.begun.id == "" {
		i.begun = n
	}
	return n.same(i.begun)
}

// again makes a name the one that this store began with, since it gave it itself.
func (i *identity) again(n name) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.begun = n
}

// Info implements eventstore.Store. Head counts the events of the system too. The first Info ever names the log, unless
// it was opened with ReadOnly.
func (s *Store) Info(ctx context.Context) (eventstore.Info, error) {
	if err := s.usable(ctx); err != nil {
		return eventstore.Info{}, err
	}
	n, err := s.identify(ctx)
	if err != nil {
		return eventstore.Info{}, fmt.Errorf("read the identity of the log: %w", err)
	}
	s.identity.begin(n)
	info := eventstore.Info{ID: n.id, Epoch: n.epoch}
	info.Head, err = patiently(ctx, s, head)
	if err != nil {
		return eventstore.Info{}, fmt.Errorf("read the end of the log: %w", s.failure(ctx, err))
	}
	s.told.tell(info.Head)
	return info, nil
}

// NewEpoch says that the log was restored from a backup, so that consumers which had read further notice and start
// again. An operator calls it once after a restore, before anything else writes. The epoch is the time, in seconds since
// 1970, so that two restores of one backup differ.
func (s *Store) NewEpoch(ctx context.Context) (eventstore.Info, error) {
	if err := s.usable(ctx); err != nil {
		return eventstore.Info{}, err
	}
	if s.options.readOnly {
		return eventstore.Info{}, errReadOnly
	}
	for {
		n, err := s.identify(ctx)
		if err != nil {
			return eventstore.Info{}, fmt.Errorf("read the identity of the log: %w", err)
		}
		epoch := max(n.epoch+1, int(s.options.now().Unix()))
		err = s.declare(ctx, n.last, typeRestored, map[string]any{"epoch": epoch})
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) { // another operator was faster: it is known now which epoch follows
			continue
		}
		if err != nil {
			return eventstore.Info{}, fmt.Errorf("begin a new epoch of the log: %w", err)
		}
		s.identity.again(name{id: n.id, epoch: epoch})
		return s.Info(ctx)
	}
}

// identify reads what is new in the identity stream, and names a log that has no name.
func (s *Store) identify(ctx context.Context) (name, error) {
	i := s.identity
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return name{}, ctx.Err()
	}
	for {
		n, err := patiently(ctx, s, func(ctx context.Context, client *esdb.Client) (name, error) { return i.name.read(ctx, client) })
		switch {
		case errors.Is(err, eventstore.ErrRestored), errors.Is(err, errForeign):
			return name{}, err
		case err != nil:
			return name{}, s.failure(ctx, err)
		case n.id != "":
			i.name = n
			return n, nil
		case s.options.readOnly:
			return name{}, errUnnamed
		}
		err = s.declare(ctx, eventstore.NoStream, typeNamed, map[string]any{"id": uuid.NewString()})
		var conflict *eventstore.ConflictError
		if err != nil && !errors.As(err, &conflict) {
			return name{}, fmt.Errorf("name the log: %w", err)
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

// read returns the name as it is now. The event that n was read from is read again, since after a restore it may be
// another one.
func (n name) read(ctx context.Context, client *esdb.Client) (name, error) {
	events, err := slice(ctx, client, identityStream.String(), n.last, everything)
	if err != nil && classify(err) != notFound {
		return name{}, err
	}
	if n.id != "" {
		switch {
		case len(events) == 0:
			return name{}, errShort
		case events[0].ID != n.event:
			return name{}, eventstore.ErrRestored
		}
		events = events[1:]
	}
	for _, e := range events {
		if n, err = n.next(e); err != nil {
			return name{}, err
		}
	}
	return n, nil
}

// next is the name after one more event of the identity stream.
func (n name) next(e eventstore.Recorded) (name, error) {
	said := struct {
		ID    string
		Epoch int
	}{ID: n.id}
	err := json.Unmarshal(e.Data, &said)
	if e.Revision == 0 {
		said.Epoch = 1
	}
	if err != nil || said.ID == "" || said.Epoch <= n.epoch {
		return name{}, fmt.Errorf("event %d of stream %s %w", e.Revision, identityStream, errForeign)
	}
	return name{id: said.ID, epoch: said.Epoch, last: e.Revision, event: e.ID}, nil
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
