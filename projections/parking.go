package projections

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// held is what of the log a read model has not applied: streams that are parked from a revision on, and events that
// were given up. The documents in the read model say the same.
type held struct {
	parked    map[eventstore.StreamID]eventstore.Revision
	discarded map[eventstore.StreamID][]readmodels.ParkedStream
	under     *held        // of which this is a fork
	news      []*RuleError // why streams were parked in a fork
}

type standing int

const (
	flowing standing = iota
	parked
	discarded
)

func newHeld() held {
	return held{parked: map[eventstore.StreamID]eventstore.Revision{}, discarded: map[eventstore.StreamID][]readmodels.ParkedStream{}}
}

// readHeld reads what is parked and discarded in a scope.
func readHeld(ctx context.Context, r readmodels.Reader, scope readmodels.Scope) (held, error) {
	h := newHeld()
	waiting, err := readmodels.Parked(ctx, r, scope)
	if err != nil {
		return h, fmt.Errorf("read what is parked of %s: %w", scope, err)
	}
	for _, one := range waiting {
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			return h, fmt.Errorf("read what is parked of %s: %w", scope, err)
		}
		h.parked[stream] = one.First.Revision
	}
	given, err := readmodels.Discarded(ctx, r, scope)
	if err != nil {
		return h, fmt.Errorf("read what was discarded of %s: %w", scope, err)
	}
	for _, one := range given {
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			return h, fmt.Errorf("read what was discarded of %s: %w", scope, err)
		}
		h.discarded[stream] = one.Runs
	}
	return h, nil
}

// fork returns what changes with a page that may yet fail.
func (h *held) fork() *held {
	return &held{parked: map[eventstore.StreamID]eventstore.Revision{}, under: h}
}

// join takes over what a fork has parked.
func (h *held) join(fork *held) { maps.Copy(h.parked, fork.parked) }

// of tells what is to be done with an event.
func (h *held) of(e *event) standing {
	if h.under != nil {
		if found := h.under.of(e); found != flowing {
			return found
		}
	}
	if from, found := h.parked[e.Stream]; found && e.Revision >= from {
		return parked
	}
	for _, run := range h.discarded[e.Stream] {
		if e.Revision >= run.First.Revision && e.Revision <= run.Last.Revision {
			return discarded
		}
	}
	return flowing
}

// park begins to hold back a stream.
func (p *Projector) park(ctx context.Context, failure *RuleError, held *held) error {
	name := failure.Stream.String()
	document, err := readmodels.ParkedStreams.Edit(ctx, p.tx, failure.Stream.Plan, name)
	if err != nil {
		return fmt.Errorf("park %s: %w", name, err)
	}
	first := readmodels.ParkedEvent{Position: failure.Position, Revision: failure.Revision, Type: failure.Type, Time: utc(failure.Time)}
	*document = readmodels.ParkedStream{Stream: name, First: first, Error: failure.Err.Error(), Last: first, Count: 1}
	p.tx.Add(readmodels.Catalog, readmodels.ParkedIndex, name)
	held.parked[failure.Stream] = failure.Revision
	held.news = append(held.news, failure)
	return nil
}

// parkNext adds an event to those of its stream that wait.
func (p *Projector) parkNext(ctx context.Context, e *event) error {
	document, err := readmodels.ParkedStreams.Edit(ctx, p.tx, e.Stream.Plan, e.Stream.String())
	if err != nil {
		return fmt.Errorf("park %s: %w", e.Stream, err)
	}
	document.Last = readmodels.ParkedEvent{Position: e.Position, Revision: e.Revision, Type: e.Type, Time: utc(e.at)}
	document.Count++
	return nil
}

// utc gives a moment one text.
func utc(at time.Time) time.Time { return at.Round(0).UTC() }

// Held returns how many streams are parked, and of how many something was discarded, without asking the store.
func (p *Projector) Held() (parked, discarded int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held.parked), len(p.held.discarded)
}

// NotHeldError says that nothing of a stream is parked or discarded.
type NotHeldError struct {
	Scope  readmodels.Scope
	Stream eventstore.StreamID
}

func (e *NotHeldError) Error() string {
	return fmt.Sprintf("nothing of %s waits in %s", e.Stream, e.Scope)
}

// Discard gives up what is parked of a stream; later events of the stream are applied again. A marker tells what was
// given up: it is listed by readmodels.Discarded, and lasts as long as the read model. A projector that stops at failures
// gives up the one event that it has stopped at. *NotHeldError if there is nothing to give up.
//
// Like Replay it changes what lies below the checkpoint, which other projectors cannot notice. Whoever works on the same
// read model must hold an older fence, which is refused from then on.
func (p *Projector) Discard(ctx context.Context, stream eventstore.StreamID) (readmodels.ParkedStream, error) {
	p.operating.Lock()
	defer p.operating.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(ctx) // where the read model stands is looked at anew
	refused := p.refused
	if err := p.stand(ctx); err != nil {
		return readmodels.ParkedStream{}, err
	}
	run, err := p.discard(ctx, stream, refused)
	p.unsure = true // after an error nobody knows, and else it has to be read
	return run, err
}

func (p *Projector) discard(ctx context.Context, stream eventstore.StreamID, refused *RuleError) (run readmodels.ParkedStream, err error) {
	name := stream.String()
	waiting, err := readmodels.ParkedStreams.Peek(ctx, p.tx, stream.Plan, name)
	switch {
	case err != nil:
		return run, fmt.Errorf("discard %s: %w", name, err)
	case waiting != nil:
		run = *waiting
		readmodels.ParkedStreams.Delete(p.tx, stream.Plan, name)
		p.tx.Remove(readmodels.Catalog, readmodels.ParkedIndex, name)
	case refused != nil && refused.Stream == stream:
		one := readmodels.ParkedEvent{Position: refused.Position, Revision: refused.Revision, Type: refused.Type, Time: utc(refused.Time)}
		run = readmodels.ParkedStream{Stream: name, First: one, Error: refused.Err.Error(), Last: one, Count: 1}
	default:
		return run, &NotHeldError{p.projection.Scope, stream}
	}
	marker, err := readmodels.DiscardedStreams.Edit(ctx, p.tx, stream.Plan, name)
	if err != nil {
		return run, fmt.Errorf("discard %s: %w", name, err)
	}
	marker.Stream, marker.Runs = name, append(slices.Clip(marker.Runs), run)
	p.tx.Add(readmodels.Catalog, readmodels.DiscardedIndex, name)
	batch, err := p.tx.Batch()
	if err != nil {
		return run, err
	}
	at := p.at
	at.StoreID, at.Epoch = p.source.ID, p.source.Epoch // the first commit, where a rebuild stops at the first page
	return run, p.commit(ctx, batch, at)
}
