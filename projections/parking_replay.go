package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// History is the log as far as it can be read again; an eventstore.Store is one.
type History interface {
	Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error]
}

// Replay applies what waits of streams, in the place of the log where it belongs, and returns the streams of them that
// still do not go through. For a stream of which nothing is parked, what was discarded is taken back. *NotHeldError if
// nothing of a stream waits.
//
// Applied now, an event would not do what it does in its place: measurements count in the order recorded, a visit
// freezes what there was, causes name positions. So the plans of the streams are folded anew from the log, with the
// catalog, in memory and beside the live read model, and what differs is committed at once at the checkpoint where the
// read model then stands. Pages go on being applied but for the last moment. A stream of the catalog concerns all plans
// of the partition, and so folds all of them.
//
// The new state lies at or below a checkpoint that does not move, which other projectors cannot notice. Whoever works on
// the same read model must hold an older fence, which is refused from then on.
func (p *Projector) Replay(ctx context.Context, log History, streams ...eventstore.StreamID) ([]readmodels.ParkedStream, error) {
	p.operating.Lock()
	defer p.operating.Unlock()
	plans := map[string]bool{readmodels.Catalog: true}
	for _, stream := range streams {
		plans[stream.Plan] = true
		if stream.Plan == readmodels.Catalog {
			plans = nil
			break
		}
	}
	r := &replay{projector: p, log: log, streams: streams, plans: plans}
	err := r.run(ctx)
	if errors.Is(err, errWider) {
		r.plans = nil
		err = r.run(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("replay into %s: %w", p.projection.Scope, err)
	}
	return r.still, nil
}

// errWider says that a replay changes documents of other plans.
var errWider = errors.New("other plans are concerned")

// replay is one attempt to fold plans anew: once as the read model has them, to know what is theirs, and once as they
// are to be.
type replay struct {
	projector *Projector
	log       History
	streams   []eventstore.StreamID
	plans     map[string]bool // nil: all of the partition
	was, will *refold
	still     []readmodels.ParkedStream
}

func (r *replay) run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	for {
		// Two rounds beside the live projector, the second short, and the rest while it waits.
		for range 2 {
			if err := r.bring(ctx, r.projector.Position()); err != nil {
				return err
			}
		}
		err := r.finish(ctx)
		var step *readmodels.OutOfStepError
		if !errors.As(err, &step) {
			return err
		}
	}
}

// begin makes both folds, which pass over what the read model passed over; the second but for the streams replayed.
func (r *replay) begin(ctx context.Context) error {
	p := r.projector
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(ctx) // where the read model stands is looked at anew
	if err := p.stand(ctx); err != nil {
		return err
	}
	waiting, err := readmodels.Parked(ctx, p.store, p.projection.Scope)
	if err != nil {
		return err
	}
	given, err := readmodels.Discarded(ctx, p.store, p.projection.Scope)
	if err != nil {
		return err
	}
	again, taken := map[string]bool{}, map[string]bool{} // what was discarded of a stream that is parked stays so
	for _, stream := range r.streams {
		name := stream.String()
		switch {
		case slices.ContainsFunc(waiting, func(one readmodels.ParkedStream) bool { return one.Stream == name }):
			again[name] = true
		case slices.ContainsFunc(given, func(one readmodels.DiscardedStream) bool { return one.Stream == name }):
			taken[name] = true
		default:
			return &NotHeldError{p.projection.Scope, stream}
		}
	}
	if r.was, err = r.fold(ctx, waiting, given, nil, nil); err != nil {
		return err
	}
	r.will, err = r.fold(ctx, waiting, given, again, taken)
	return err
}

// fold makes a fold of the plans that passes over what is parked and discarded, but for some streams.
func (r *replay) fold(ctx context.Context, waiting []readmodels.ParkedStream, given []readmodels.DiscardedStream, again, taken map[string]bool) (*refold, error) {
	scope := r.projector.projection.Scope
	store := &noted{Store: memory.New(), keys: map[readmodels.Key]bool{}, entries: map[readmodels.Entry]bool{}}
	tx := readmodels.NewTx(store, scope)
	for _, one := range waiting {
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			return nil, err
		}
		if again[one.Stream] || !r.concerns(stream.Plan) {
			continue
		}
		document, err := readmodels.ParkedStreams.Edit(ctx, tx, stream.Plan, one.Stream)
		if err != nil {
			return nil, err
		}
		*document = one
		document.Last, document.Count = one.First, 0 // counted again as they come
		tx.Add(readmodels.Catalog, readmodels.ParkedIndex, one.Stream)
	}
	for _, one := range given {
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			return nil, err
		}
		if taken[one.Stream] || !r.concerns(stream.Plan) {
			continue
		}
		document, err := readmodels.DiscardedStreams.Edit(ctx, tx, stream.Plan, one.Stream)
		if err != nil {
			return nil, err
		}
		*document = one
		tx.Add(readmodels.Catalog, readmodels.DiscardedIndex, one.Stream)
	}
	batch, err := tx.Batch()
	if err != nil {
		return nil, err
	}
	if err := store.Commit(ctx, batch); err != nil {
		return nil, err
	}
	projector, err := NewProjector(ctx, r.projector.projection, r.projector.log, store)
	return &refold{projector, store}, err
}

// concerns tells whether a plan's events are folded.
func (r *replay) concerns(plan string) bool { return r.plans == nil || r.plans[plan] }

// owns tells whether all that the read model has of a plan comes from the events folded. That of the catalog may also
// come from other plans.
func (r *replay) owns(plan string) bool {
	return r.plans == nil || r.plans[plan] && plan != readmodels.Catalog
}

// refold is a fold into memory, with the names of all that was ever written to it.
type refold struct {
	*Projector
	into *noted
}

type noted struct {
	*memory.Store
	keys    map[readmodels.Key]bool
	entries map[readmodels.Entry]bool
}

func (s *noted) Commit(ctx context.Context, b readmodels.Batch) error {
	for key := range b.Put {
		s.keys[key] = true
	}
	for _, entry := range slices.Concat(b.Add, b.Remove) {
		s.entries[entry] = true
	}
	return s.Store.Commit(ctx, b)
}

// bring folds the log up to a position.
func (r *replay) bring(ctx context.Context, to eventstore.Position) error {
	page := eventstore.Page{After: r.was.Position()}
	if to <= page.After {
		return nil
	}
	apply := func(through eventstore.Position) error {
		page.Through = through
		if err := r.was.Apply(ctx, page); err != nil {
			return err
		}
		if err := r.will.Apply(ctx, page); err != nil {
			return err
		}
		page = eventstore.Page{After: through}
		return nil
	}
	for recorded, err := range r.events(ctx, page.After, to) {
		if err != nil {
			return fmt.Errorf("read the log again: %w", err)
		}
		page.Events = append(page.Events, recorded)
		if len(page.Events) == catchUp && recorded.Position < to {
			if err := apply(recorded.Position); err != nil {
				return err
			}
		}
	}
	return apply(to)
}

// events yields the events of the plans between two positions, in order.
func (r *replay) events(ctx context.Context, after, through eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	if r.plans == nil {
		return func(yield func(eventstore.Recorded, error) bool) {
			for recorded, err := range between(ctx, r.log, eventstore.Filter{}, after, through) {
				if err == nil && r.projector.takes != nil && !r.projector.takes(recorded.Stream.Plan) {
					continue
				}
				if !yield(recorded, err) {
					return
				}
			}
		}
	}
	var sources []iter.Seq2[eventstore.Recorded, error]
	for plan := range r.plans {
		sources = append(sources, between(ctx, r.log, eventstore.Filter{Plan: plan}, after, through))
	}
	return merged(sources)
}

// between yields the events of a log after a position and up to another, which the log has reached.
func between(ctx context.Context, log History, filter eventstore.Filter, after, through eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for page, err := range log.Follow(ctx, after, filter) {
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, recorded := range page.Events {
				if recorded.Position > through || !yield(recorded, nil) {
					return
				}
			}
			if page.Through >= through {
				return
			}
		}
		yield(eventstore.Recorded{}, errors.New("the log ended"))
	}
}

// merged yields the events of several sources by position, until one fails.
func merged(sources []iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	type source struct {
		next func() (eventstore.Recorded, error, bool)
		head eventstore.Recorded
	}
	return func(yield func(eventstore.Recorded, error) bool) {
		var open []*source
		for _, one := range sources {
			next, stop := iter.Pull2(one)
			defer stop()
			open = append(open, &source{next: next})
		}
		advance := func(s *source) error {
			head, err, more := s.next()
			if s.head = head; !more {
				open = slices.DeleteFunc(open, func(one *source) bool { return one == s })
			}
			return err
		}
		for _, s := range slices.Clone(open) {
			if err := advance(s); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
		}
		for len(open) > 0 {
			least := slices.MinFunc(open, func(a, b *source) int { return cmp.Compare(a.head.Position, b.head.Position) })
			if !yield(least.head, nil) {
				return
			}
			if err := advance(least); err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
		}
	}
}

// finish folds the rest while the projector waits, and commits what differs where the read model stands.
func (r *replay) finish(ctx context.Context) error {
	p := r.projector
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settle(ctx); p.failed != nil {
		return p.failed
	}
	if err := p.sure(ctx); err != nil {
		return err
	}
	if p.at.Position < r.was.Position() {
		return fmt.Errorf("it was begun anew meanwhile, and stands at %s: what still waits can be replayed again", p.at.Position)
	}
	if err := r.bring(ctx, p.at.Position); err != nil {
		return err
	}
	batch, err := r.difference(ctx)
	if err != nil {
		return err
	}
	p.unsure = true // what the projector has in memory is of before
	repaired := p.at
	repaired.Repairs++
	if err := p.commit(ctx, batch, repaired); err != nil {
		return err
	}
	waiting, err := readmodels.Parked(ctx, r.will.into, p.projection.Scope)
	for _, one := range waiting {
		if slices.ContainsFunc(r.streams, func(s eventstore.StreamID) bool { return s.String() == one.Stream }) {
			r.still = append(r.still, one)
		}
	}
	return err
}
