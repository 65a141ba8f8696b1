package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/assignment"
	"rolewise/domain/command"
	"rolewise/eventstore"
)

// accept writes down what a bulk command is to do before it does any of it, so that it is done to the end even if this
// process is not there any more (SPEC ASG-5). A command of one item needs no such thing: its one append is all of it.
func (w *work) accept(c bulk) error {
	switch {
	case len(c.Members)+len(c.Teams) == 1:
		return w.claimFor(w.own())
	case w.claim != nil: // by an earlier request under the same key
		return nil
	}
	if c.Mode == "" {
		c.Mode = Partial
	}
	accepted := command.CommandAccepted{
		Command: command.ID(w.id.String()), Name: command.Name(w.name), BodyHash: command.BodyHash(w.hash), Role: c.Role,
		Members: plausible(c.Members), Teams: plausible(c.Teams), Message: c.Message, Notify: c.notify(), Mode: command.Mode(c.Mode),
	}
	if err := w.note(accepted); err != nil {
		return err
	}
	claim := accepted.Claim()
	w.claim, w.accepted = &claim, true
	return nil
}

// plausible returns ids of which those that are none are replaced: they may be of any length, or somebody's name. They
// are refused for the same reason. One that is empty stays so.
func plausible[ID ~string](ids []ID) []ID {
	kept := make([]ID, len(ids))
	for i, id := range ids {
		if kept[i] = id; id != "" && domain.CheckID("", id) != nil {
			kept[i] = "-"
		}
	}
	return kept
}

// conclude remembers the answer of an accepted command. Where another process has finished it meanwhile, that answer
// holds.
func (w *work) conclude(c Command, answer Answer) (Answer, error) {
	for {
		err := w.remember(answer)
		if !errors.Is(err, errClaimed) {
			return answer, err
		}
		at, err := load(w.ctx, w.Handler, keyed, w.req.Plan, w.id.String())
		switch {
		case err != nil:
			return Answer{}, err
		case at.state.Answered != nil:
			return recall(at.state.Answered.Answer, c)
		}
	}
}

// ErrElsewhere says that the stream of a command has moved on: another process is finishing it, or has.
var ErrElsewhere = errors.New("the command is in the hands of another process")

// UnfinishableError says that an accepted command can never be carried out, whoever tries.
type UnfinishableError struct{ Err error }

func (e *UnfinishableError) Error() string { return "finish command: " + e.Err.Error() }
func (e *UnfinishableError) Unwrap() error { return e.Err }

// Finish carries an accepted bulk command out to the end and remembers its answer, so that a repeat under its key gets
// it (SPEC ASG-5). What is done already is found by the ids of events, which follow from the command, and not done
// again. One that is answered, or was never accepted, is left alone.
//
// The caller says how far it has seen the command's stream. Where the stream has gone on, ErrElsewhere is returned, so
// that of several processes one begins. Two at work at the same time would waste time and harm nothing. A refused item
// stands in the answer; else errors are *UnfinishableError, domain.ErrUnknownEvent for a command that a newer release
// accepted, and failures of the store, after which the caller tries again.
func (h *Handler) Finish(ctx context.Context, stream eventstore.StreamID, seen eventstore.Revision) error {
	w, accepted, err := h.resume(ctx, stream, seen)
	if err != nil || w == nil {
		return err
	}
	c := AssignRole{
		Role: accepted.Role, Members: accepted.Members, Teams: accepted.Teams, Message: accepted.Message, Notify: &accepted.Notify, Mode: Mode(accepted.Mode),
	}
	var build func(assignment.Holder) assignment.Command
	switch w.name {
	case c.About().Name:
		published, err := w.rolePublished(c.Role)
		if err != nil {
			return err
		}
		build = c.to(published)
	case UnassignRole{}.About().Name:
		build = UnassignRole(c).to
	default:
		return &UnfinishableError{fmt.Errorf("there is no bulk command %q", w.name)}
	}
	if err := w.noteAt(seen, command.CommandResumed{}); errors.Is(err, errClaimed) {
		return ErrElsewhere
	} else if err != nil {
		return err
	}
	answer, err := w.bulk(bulk(c), build)
	if err != nil {
		return err
	}
	_, err = w.conclude(c, answer)
	return err
}

// resume returns the work of an accepted command as its first process left it, nil if nothing is left to do.
func (h *Handler) resume(ctx context.Context, stream eventstore.StreamID, seen eventstore.Revision) (*work, command.CommandAccepted, error) {
	var accepted command.CommandAccepted
	var meta eventstore.Metadata
	state, revision := command.State{}, eventstore.NoStream
	for recorded, err := range h.store.Read(ctx, stream, 0) {
		if err != nil {
			return nil, accepted, fmt.Errorf("read %s: %w", stream, err)
		}
		event, m, err := decode[command.Event](command.Events, recorded)
		switch {
		case errors.Is(err, domain.ErrUnknownEvent):
			return nil, accepted, err
		case err != nil:
			return nil, accepted, &UnfinishableError{err}
		}
		if e, ok := event.(command.CommandAccepted); ok {
			accepted, meta = e, m
		}
		state, revision = command.Evolve(state, event), recorded.Revision
	}
	switch {
	case state.Answered != nil || !state.Accepted:
		return nil, accepted, nil
	case revision != seen:
		return nil, accepted, ErrElsewhere
	}
	id, err := uuid.Parse(stream.ID)
	if err != nil {
		return nil, accepted, &UnfinishableError{fmt.Errorf("its stream is not named by a command: %w", err)}
	}
	req := Request{Plan: domain.PlanID(stream.Plan), Principal: access.Principal{ID: meta.Actor}, Correlation: meta.Correlation}
	w := h.begin(ctx, req, string(accepted.Name), string(accepted.BodyHash))
	w.id, w.claim, w.found, w.accepted = id, state.Claim, true, true
	return w, accepted, nil
}
