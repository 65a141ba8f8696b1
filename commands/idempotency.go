package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"rolewise/domain"
	"rolewise/domain/command"
	"rolewise/eventstore"
)

// errClaimed says that another request under the same key claimed it in the meantime.
var errClaimed = errors.New("idempotency key was claimed by another request")

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// once carries the command out, or gives the answer that an earlier request under the same key got (SPEC API-1).
func (w *work) once(c Command) (Answer, error) {
	if w.req.Key == "" {
		answer, err := c.run(w)
		if err != nil || !w.accepted {
			return answer, err
		}
		return w.conclude(c, answer)
	}
	if len(w.req.Key) > maxKey {
		return Answer{}, domain.Invalidf("", "invalid_idempotency_key", "Idempotency-Key must have at most %d bytes", maxKey)
	}
	at, err := load(w.ctx, w.Handler, keyed, w.req.Plan, w.id.String())
	if err != nil {
		return Answer{}, err
	}
	if answered := at.state.Answered; answered != nil {
		if err := w.sameBody(answered.BodyHash); err != nil {
			return Answer{}, err
		}
		return recall(answered.Answer, c)
	}
	if at.state.Claim != nil {
		if err := w.sameBody(at.state.Claim.BodyHash); err != nil {
			return Answer{}, err
		}
		w.claim, w.found, w.accepted = at.state.Claim, true, at.state.Accepted
	}
	answer, err := c.run(w)
	switch {
	case err != nil:
		return Answer{}, w.refused(err)
	case w.req.DryRun || (len(answer.Events) > 0 && !w.several):
		return answer, nil // the stream itself tells
	case w.accepted:
		return w.conclude(c, answer)
	}
	return answer, w.remember(answer)
}

// refused looks at the key once more before a request is refused that found it unclaimed: what refuses it may be the
// effect of another request under the same key, whose answer is then this one's too.
func (w *work) refused(err error) error {
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		return err
	}
	if w.claim != nil {
		return w.release(refusal)
	}
	at, failed := load(w.ctx, w.Handler, keyed, w.req.Plan, w.id.String())
	switch {
	case failed != nil:
		return failed
	case at.state.Claim != nil || at.state.Answered != nil:
		return errClaimed
	}
	return err
}

func (w *work) sameBody(hash command.BodyHash) error {
	if string(hash) == w.hash {
		return nil
	}
	return domain.Invalidf("", "idempotency_key_reused", "the Idempotency-Key was used for another command or body")
}

// claimFor writes the claim of a key before the first event of its command.
func (w *work) claimFor(stream eventstore.StreamID) error {
	if w.req.Key == "" || w.claim != nil {
		return nil
	}
	claim := command.CommandClaimed{
		Name: command.Name(w.name), BodyHash: command.BodyHash(w.hash),
		Stream: command.Stream(stream.String()), NewID: command.NewID(w.created),
	}
	if err := w.note(claim); err != nil {
		return err
	}
	w.claim = &claim
	return nil
}

// release gives an own claim back after a refusal: the caller may correct the body and use the key again. A failure of
// the store leaves the claim, since something may have been written; so does a command of several streams, of which the
// first may be written. The claim of another request, that may still be at work, stays too.
func (w *work) release(refusal *domain.Error) error {
	if w.found || w.several || refusal.Code == "concurrent_change" {
		return refusal
	}
	if err := w.note(command.CommandReleased{}); err != nil && !errors.Is(err, errClaimed) {
		return err
	}
	return refusal
}

// bulkCommand is a command for many holders. Its items stand in the order of the body: members, then teams.
type bulkCommand interface {
	holders() ([]domain.MemberID, []domain.TeamID)
}

// remember keeps an answer that no single stream can tell. The ids of items are left out: a repeat brings them along
// in its body, and 10,000 of them would make the event too large.
func (w *work) remember(answer Answer) error {
	answer.APIKey = ""
	answer.Items = slices.Clone(answer.Items)
	for i := range answer.Items {
		answer.Items[i].Member, answer.Items[i].Team = "", ""
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("remember answer: %w", err)
	}
	return w.note(command.CommandAnswered{BodyHash: command.BodyHash(w.hash), Answer: b})
}

// recall is the inverse of remember.
func recall(remembered json.RawMessage, c Command) (Answer, error) {
	var answer Answer
	if err := json.Unmarshal(remembered, &answer); err != nil {
		return Answer{}, fmt.Errorf("recall answer: %w", err)
	}
	bulk, ok := c.(bulkCommand)
	if !ok {
		return answer, nil
	}
	memberIDs, teamIDs := bulk.holders()
	if len(answer.Items) != len(memberIDs)+len(teamIDs) {
		return Answer{}, fmt.Errorf("recall answer: it has %d items, the body %d", len(answer.Items), len(memberIDs)+len(teamIDs))
	}
	for i := range answer.Items {
		if i < len(memberIDs) {
			answer.Items[i].Member = string(memberIDs[i])
		} else {
			answer.Items[i].Team = string(teamIDs[i-len(memberIDs)])
		}
	}
	return answer, nil
}

// own is the command's own stream.
func (w *work) own() eventstore.StreamID {
	return eventstore.StreamID{Category: command.Category, Plan: string(w.req.Plan), ID: w.id.String()}
}

// note appends to the command's own stream, or returns errClaimed if another request under the key was there first. Each
// such event has an id of its own: with one that follows from the key the store would take the claims of two requests
// for one, and let both of them pass.
func (w *work) note(event command.Event) error {
	at, err := load(w.ctx, w.Handler, keyed, w.req.Plan, w.id.String())
	if err != nil {
		return err
	}
	mine := at.state.Claim == nil && w.claim == nil || at.state.Claim != nil && w.claim != nil && *at.state.Claim == *w.claim
	if !mine || at.state.Answered != nil {
		return errClaimed
	}
	return w.noteAt(at.revision, event)
}

// noteAt is note for a caller that knows what the stream holds up to a revision.
func (w *work) noteAt(revision eventstore.Revision, event command.Event) error {
	record, err := w.record(command.Events, w.own(), 0, event)
	if err != nil {
		return err
	}
	record.ID = uuid.Must(uuid.NewV7())
	_, err = w.store.Append(w.ctx, w.own(), revision, record)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return errClaimed
	}
	return err
}

// earlier looks in a stream for the events of an earlier request under the same key, and gives the answer it got.
func earlier[S, C, E any](w *work, a aggregate[S, C, E], stream eventstore.StreamID) (Answer, bool, error) {
	if stream.Validate() != nil {
		return Answer{}, false, nil // no stream can have that name
	}
	state := a.decider.Initial()
	var answer Answer
	var done bool
	for recorded, err := range w.store.Read(w.ctx, stream, 0) {
		if err != nil {
			return Answer{}, false, fmt.Errorf("read %s: %w", stream, err)
		}
		event, meta, err := decode[E](a.events, recorded)
		if err != nil {
			return Answer{}, false, err
		}
		mine := meta.Command == w.id.String()
		if done && !mine {
			break
		}
		state = a.decider.Evolve(state, event)
		if mine {
			done = true
			answer.Events = append(answer.Events, recorded.Type)
			answer.Revision, answer.Position = int64(recorded.Revision), recorded.Position.String()
		}
	}
	if done {
		answer.Stream = stream.String()
		answer.Warnings = warn(a, state, nil)
	}
	return answer, done, nil
}
