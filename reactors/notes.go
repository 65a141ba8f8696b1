package reactors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/reactor"
	"rolewise/eventstore"
)

// notes is the stream in which the processes of a reactor note how far they have come, and what could not be done.
type notes struct {
	store  eventstore.Store
	name   string
	stream eventstore.StreamID

	state    reactor.State
	revision eventstore.Revision
}

// noteSpace is the UUID namespace of the ids of notes.
var noteSpace = uuid.MustParse("3d0a4f43-7d0b-5a0c-9f0e-8f8f7a2f6f51")

func newNotes(store eventstore.Store, name string) *notes {
	stream := eventstore.StreamID{Category: reactor.Category, Plan: string(domain.CatalogPlan), ID: name}
	return &notes{store: store, name: name, stream: stream, revision: eventstore.NoStream}
}

// read takes in what any process has noted since.
func (n *notes) read(ctx context.Context) error {
	for recorded, err := range n.store.Read(ctx, n.stream, n.revision+1) {
		if err != nil {
			return fmt.Errorf("read %s: %w", n.stream, err)
		}
		meta, err := eventstore.DecodeMetadata(recorded.Metadata)
		if err != nil {
			return fmt.Errorf("%s revision %d: %w", n.stream, recorded.Revision, err)
		}
		value, err := reactor.Events.Decode(recorded.Type, meta.Schema, recorded.Data)
		if err != nil {
			return fmt.Errorf("%s revision %d: %w", n.stream, recorded.Revision, err)
		}
		event, ok := value.(reactor.Event)
		if !ok {
			return fmt.Errorf("%s revision %d: a %s does not belong there", n.stream, recorded.Revision, recorded.Type)
		}
		n.state, n.revision = reactor.Evolve(n.state, event), recorded.Revision
	}
	return nil
}

// refused tells whether the effect of an event is known never to be possible.
func (n *notes) refused(at eventstore.Position) bool {
	_, known := n.state.Refused[reactor.Position(at)]
	return known
}

// refuse notes that the effect of an event can never be brought about.
func (n *notes) refuse(ctx context.Context, c Cause, reason string) error {
	event := reactor.ReactionRefused{
		Reactor: reactor.Name(n.name), Position: reactor.Position(c.Position), Stream: reactor.Stream(c.Stream.String()), Reason: reason,
	}
	return n.add(ctx, event, "refused "+c.Position.String(), func() bool { return n.refused(c.Position) })
}

// advance notes that everything up to a position is settled.
func (n *notes) advance(ctx context.Context, to eventstore.Position) error {
	event := reactor.ReactorAdvanced{Reactor: reactor.Name(n.name), Position: reactor.Position(to)}
	return n.add(ctx, event, "advanced "+to.String(), func() bool { return n.state.Position >= reactor.Position(to) })
}

// add appends a note unless another process has made it already.
func (n *notes) add(ctx context.Context, event reactor.Event, id string, made func() bool) error {
	name, schema, data, err := reactor.Events.Encode(event)
	if err != nil {
		return err
	}
	command := uuid.NewSHA1(noteSpace, []byte(n.stream.String()+" "+id))
	meta := eventstore.Metadata{
		Plan: n.stream.Plan, Time: time.Now().UTC().Truncate(time.Millisecond), Actor: "system:reactor", Command: command.String(),
		Correlation: command.String(), Schema: schema,
	}
	for {
		if made() {
			return nil
		}
		record := eventstore.Event{ID: command, Type: name, Data: data, Metadata: meta.Encode()}
		_, err := n.store.Append(ctx, n.stream, n.revision, record)
		var conflict *eventstore.ConflictError
		if err != nil && !errors.As(err, &conflict) {
			return fmt.Errorf("append to %s: %w", n.stream, err)
		}
		if err := n.read(ctx); err != nil {
			return err
		}
	}
}
