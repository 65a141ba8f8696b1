package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/command"
	"rolewise/eventstore"
)

// work is one command being carried out.
type work struct {
	*Handler
	ctx   context.Context
	req   Request
	name  string
	hash  string
	id    uuid.UUID // of the command: the same for each repeat under one key
	time  time.Time
	claim *command.CommandClaimed // of an Idempotency-Key, once written or found
	found bool                    // the claim is an earlier request's: its events may be there already
	// accepted: the claim says all that is to be done, so that another process may be doing it too
	accepted bool
	several  bool   // it writes to several streams, so that its answer must be kept whole
	created  string // the id made for what the command creates, if the caller gave none
}

func (h *Handler) begin(ctx context.Context, req Request, name, hash string) *work {
	w := &work{Handler: h, ctx: ctx, req: req, name: name, hash: hash, time: h.now().UTC().Truncate(time.Millisecond)}
	if req.Key == "" {
		w.id = uuid.Must(uuid.NewV7())
	} else { // parts are length-prefixed, so that no two triples give the same text
		w.id = uuid.NewSHA1(commandSpace, fmt.Appendf(nil, "%d:%s%d:%s%s", len(req.Plan), req.Plan, len(req.Principal.ID), req.Principal.ID, req.Key))
	}
	return w
}

// commandSpace is the UUID namespace of command ids.
var commandSpace = uuid.MustParse("6f0c5d3e-9c0b-5b57-8c3a-5f0a7d1c2b41")

// attempts is how often a command is decided anew after another changed its stream in between.
const attempts = 50

// decide loads a stream, lets the aggregate decide about the command that build makes, and appends what happens. When
// another append came in between, all of it is done again on the new state.
func decide[S, C, E any](w *work, a aggregate[S, C, E], id string, build func(S) (C, error)) (Answer, error) {
	stream := eventstore.StreamID{Category: a.category, Plan: string(w.req.Plan), ID: id}
	for attempt := range attempts {
		at, err := load(w.ctx, w.Handler, a, w.req.Plan, id)
		if err != nil {
			return Answer{}, err
		}
		if w.found || w.accepted || (attempt > 0 && w.claim != nil) {
			if answer, done, err := earlier(w, a, stream); done || err != nil {
				return answer, err
			}
		}
		if w.req.IfMatch != nil && *w.req.IfMatch != at.revision {
			return Answer{}, stale(at.revision)
		}
		c, err := build(at.state)
		if err != nil {
			return Answer{}, err
		}
		events, err := a.decider.Decide(at.state, c)
		if err != nil {
			return Answer{}, err
		}
		if len(events) == 0 || w.req.DryRun {
			return w.answer(a.types(events), stream, at.revision, at.position, warn(a, at.state, events))
		}
		position, err := appendEvents(w, a, stream, at, events)
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) || errors.Is(err, errOtherContent) {
			if err := w.pause(attempt); err != nil {
				return Answer{}, err
			}
			continue
		}
		if err != nil {
			return Answer{}, err
		}
		return w.answer(a.types(events), stream, at.revision+eventstore.Revision(len(events)), position, warn(a, at.state, events))
	}
	return Answer{}, domain.Conflictf("concurrent_change", "others changed %s at the same time, again and again; try once more", a.category)
}

// appendEvents writes events after the loaded state and keeps the state they lead to.
func appendEvents[S, C, E any](w *work, a aggregate[S, C, E], stream eventstore.StreamID, at loaded[S], events []E) (eventstore.Position, error) {
	if err := w.claimFor(stream); err != nil {
		return 0, err
	}
	records := make([]eventstore.Event, len(events))
	next := at
	for i, event := range events {
		record, err := w.record(a.events, stream, i, event)
		if err != nil {
			return 0, err
		}
		records[i] = record
		next.state = a.decider.Evolve(next.state, event)
	}
	position, err := w.store.Append(w.ctx, stream, at.revision, records...)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", stream, err)
	}
	if w.claim != nil && !w.accepted { // what was accepted is the same for all who carry it out
		if err := w.verify(stream, at.revision, records); err != nil {
			return 0, err
		}
	}
	next.revision += eventstore.Revision(len(events))
	next.position = position
	keep(w.states, stream, next)
	return position, nil
}

// errOtherContent says that another request under the same key appended first, something else under the same ids.
var errOtherContent = errors.New("another request under the idempotency key came first")

// verify compares what a stream has after a revision with what was appended there. The store knows a repeat by its ids
// alone, while two requests under one key may differ in what they decided: in a secret that each made up, or in facts
// that changed between them. What the store has is then the only truth.
func (w *work) verify(stream eventstore.StreamID, after eventstore.Revision, records []eventstore.Event) error {
	i := 0
	for recorded, err := range w.store.Read(w.ctx, stream, after+1) {
		switch {
		case err != nil:
			return fmt.Errorf("read %s: %w", stream, err)
		case recorded.Type != records[i].Type || !bytes.Equal(recorded.Data, records[i].Data):
			return errOtherContent
		}
		if i++; i == len(records) {
			return nil
		}
	}
	return errOtherContent
}

// record encodes an event. Its id follows from the command, the stream and the place among the command's events, so
// that an append whose outcome was unknown can be repeated.
func (w *work) record(catalog *domain.Catalog, stream eventstore.StreamID, i int, event any) (eventstore.Event, error) {
	name, schema, data, err := catalog.Encode(event)
	if err != nil {
		return eventstore.Event{}, err
	}
	meta := eventstore.Metadata{
		Plan: stream.Plan, Time: w.time, Actor: w.req.Principal.ID, Command: w.id.String(), BodyHash: w.hash,
		Correlation: w.req.Correlation, Schema: schema,
	}
	return eventstore.Event{
		ID:   uuid.NewSHA1(w.id, []byte(stream.String()+"#"+strconv.Itoa(i))),
		Type: name, Data: data, Metadata: meta.Encode(),
	}, nil
}

func (a aggregate[S, C, E]) types(events []E) []string {
	names := make([]string, len(events))
	for i, event := range events {
		t, _ := a.events.Lookup(event)
		names[i] = t.Name
	}
	return names
}

func warn[S, C, E any](a aggregate[S, C, E], state S, events []E) []string {
	if a.warnings == nil {
		return nil
	}
	for _, event := range events {
		state = a.decider.Evolve(state, event)
	}
	return a.warnings(state)
}

// answer fills in the position at which a stream stands; for one without events, that of the log.
func (w *work) answer(events []string, stream eventstore.StreamID, revision eventstore.Revision, position eventstore.Position, warnings []string) (Answer, error) {
	if position == 0 {
		info, err := w.store.Info(w.ctx)
		if err != nil {
			return Answer{}, err
		}
		position = info.Head
	}
	return Answer{Stream: stream.String(), Revision: int64(revision), Position: position.String(), Events: events, Warnings: warnings}, nil
}

func stale(have eventstore.Revision) error {
	return &domain.Error{
		Kind: domain.Stale, Code: "revision_mismatch",
		Message: "the object is at revision " + strconv.FormatInt(int64(have), 10) + " by now; read it again",
	}
}

// pause lets the others finish: a random wait that grows with the attempts, up to 16 ms.
func (w *work) pause(attempt int) error {
	timer := time.NewTimer(time.Duration(1+rand.IntN(1<<min(attempt, 5))) * 500 * time.Microsecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// newID returns the caller's id of what the command creates, else that of the earlier request under the same key, else
// a fresh one.
func (w *work) newID(given string) string {
	switch {
	case given != "":
		return given
	case w.claim != nil && w.claim.NewID != "":
		return string(w.claim.NewID)
	}
	id := uuid.Must(uuid.NewV7()).String()
	w.created = id
	return id
}

// side returns the work for a second stream that a command has to write to on the way, without the preconditions and
// the key, which are about the first. It has an id of its own: one command may write there more than once, and a repeat
// finds by the stream's state what is left to do.
func (w *work) side() *work {
	side := *w
	side.req.Key, side.req.IfMatch, side.claim, side.found = "", nil, nil, false
	side.id = uuid.Must(uuid.NewV7())
	return &side
}
