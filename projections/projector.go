package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Projector applies pages to one projection's read model. Safe for concurrent use; one page is applied at a time.
type Projector struct {
	operating sync.Mutex // one operator at a time; taken before mu
	mu        sync.Mutex

	projection *Projection
	log        Source
	source     eventstore.Info // which log is read; stands in the checkpoint
	store      readmodels.Store
	fence      uint64            // of the lease under which it works; 0: none
	takes      func(string) bool // whose events are folded; nil: every plan's
	tell       func(*RuleError)
	observer   Observer
	stops      bool // at the first event that cannot be applied, rather than parking it

	reads   *watched
	tx      *readmodels.Tx
	at      readmodels.Checkpoint
	held    held // what of the log is not applied
	refused *RuleError
	unsure  bool    // whether at and held are those of the read model
	flight  *flight // a commit that is on its way; nil: none
	failed  error   // of one that failed, for the next page to be told
}

// Source is the log that is read, as far as its identity goes; an eventstore.Store is one.
type Source interface {
	Info(ctx context.Context) (eventstore.Info, error)
}

// Option sets how a projector works.
type Option func(*Projector)

// StopAtFailure lets Apply fail at the first event that cannot be applied, with *RuleError, where it would be parked
// otherwise: a read model that is only being built is not worth more than the fix.
func StopAtFailure() Option { return func(p *Projector) { p.stops = true } }

// Park lets Apply park from now on what cannot be applied.
func (p *Projector) Park() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stops = false
}

// WithFence makes every commit one under a lease.
func WithFence(fence uint64) Option { return func(p *Projector) { p.fence = fence } }

// WhenParked is told of each event that parks its stream, once that is committed. It must not call the projector.
func WhenParked(tell func(*RuleError)) Option { return func(p *Projector) { p.tell = tell } }

// OfPlans tells whose events the pages hold, where the read model is one partition of several.
func OfPlans(takes func(plan string) bool) Option { return func(p *Projector) { p.takes = takes } }

// NewProjector returns a projector that goes on where the read model stands. A read model of an earlier epoch of the log
// is emptied first; one of another log is refused.
func NewProjector(ctx context.Context, p *Projection, log Source, store readmodels.Store, options ...Option) (*Projector, error) {
	reads := &watched{Reader: store}
	made := &Projector{
		projection: p, log: log, store: store, reads: reads, tx: readmodels.NewTx(reads, p.Scope), tell: func(*RuleError) {},
		observer: nobody{},
	}
	for _, set := range options {
		set(made)
	}
	if err := made.stand(ctx); err != nil {
		return nil, err
	}
	return made, nil
}

// stand finds out where the read model stands and what is parked there. One of an earlier epoch is emptied, by this
// process or by another that begins at the same time, which may have committed already: so it is looked again.
func (p *Projector) stand(ctx context.Context) error {
	scope := p.projection.Scope
	p.unsure = true
	for {
		at, unread := p.store.Checkpoint(ctx, scope)
		if unread != nil && !isDamaged(unread) {
			return fmt.Errorf("read checkpoint of %s: %w", scope, unread)
		}
		source, err := p.log.Info(ctx) // after the checkpoint, which another process may be moving
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		if unread != nil {
			p.source = source
			if err := p.empty(ctx); err != nil {
				return err
			}
			continue
		}
		another := at.StoreID != "" && at.StoreID != source.ID
		if another || at.Epoch == source.Epoch && at.Position > source.Head || at.Epoch > source.Epoch {
			return anotherLog(scope, at, source)
		}
		if at.StoreID == "" || at.Epoch == source.Epoch {
			held, err := readHeld(ctx, p.store, scope)
			if err != nil {
				return err
			}
			p.tx.Forget()
			p.at, p.source, p.held, p.refused, p.unsure = at, source, held, nil, false
			return nil
		}
		// The log was restored from a backup, and may not have all of what was read.
		if err := p.store.Drop(ctx, scope, at); err != nil {
			return fmt.Errorf("begin %s anew after the log was restored: %w", scope, err)
		}
		p.observer.BegunAnew(scope)
	}
}

func anotherLog(scope readmodels.Scope, at readmodels.Checkpoint, log eventstore.Info) error {
	return fmt.Errorf("read model %s was built from another or a longer log (store %s, epoch %d, at %s; this one is %s, epoch %d, at %s): use other read models, or open the log they belong to",
		scope, at.StoreID, at.Epoch, at.Position, log.ID, log.Epoch, log.Head)
}

// empty begins a read model anew over which somebody else has written.
func (p *Projector) empty(ctx context.Context) error {
	p.tx.Forget()
	p.at, p.unsure = readmodels.Checkpoint{}, true
	err := p.store.Drop(ctx, p.projection.Scope, readmodels.Checkpoint{StoreID: p.source.ID, Epoch: p.source.Epoch})
	if err != nil {
		return fmt.Errorf("begin %s anew after it was damaged: %w", p.projection.Scope, err)
	}
	p.observer.BegunAnew(p.projection.Scope)
	return nil
}

func isDamaged(err error) bool {
	var damage *readmodels.DamagedError
	return errors.As(err, &damage)
}

// Position is how far the read model has been brought.
func (p *Projector) Position() eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flight.arrived() {
		p.settle(context.Background()) // has nothing to wait for
	}
	return p.at.Position
}

// Lost tells whether the read model has fallen behind where it was brought, as after a restart of Redis without its
// data. The projector then goes on from where the read model stands.
func (p *Projector) Lost(ctx context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(ctx)
	at, err := p.store.Checkpoint(ctx, p.projection.Scope)
	if isDamaged(err) {
		return true, p.stand(ctx)
	}
	if err != nil || at.Position >= p.at.Position {
		return false, err
	}
	if err := p.stand(ctx); err != nil {
		return false, err
	}
	p.observer.BegunAnew(p.projection.Scope)
	return true, nil
}

// Apply brings the read model to the end of a page, once: what of the page was committed already is passed over. After
// an error nothing that is not committed is kept in memory, and the page can be applied again.
//
// An event that cannot be applied is parked, with all that follows in its stream (SPEC OPS-5). Its rule may have changed
// documents before it failed, and may have failed only because of what was in memory. So what precedes it is folded
// anew and committed first; then it gets a second try from what is stored, and only that counts.
func (p *Projector) Apply(ctx context.Context, page eventstore.Page) error {
	return p.apply(ctx, decode(page, p.projection.wants), false)
}

// apply is Apply for a page that is decoded. Ahead it returns when the page is folded and its commit on its way, so that
// the next one can be folded meanwhile; should the commit fail, the next call does.
func (p *Projector) apply(ctx context.Context, page *page, ahead bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ahead {
		if err := p.land(ctx); err != nil {
			return p.mend(ctx, err)
		}
	}
	if err := p.failed; err != nil {
		p.failed = nil
		return p.mend(ctx, err)
	}
	through := page.Through
	var given *RuleError // up: known to fail
	for {
		if err := p.sure(ctx); err != nil {
			return err
		}
		at := p.ahead().Position
		if page.Through <= at {
			return nil
		}
		if page.After > at {
			return fmt.Errorf("page after %s does not follow %s of %s", page.After, at, p.projection.Scope)
		}
		err := p.fold(ctx, page.until(through), given, ahead && through == page.Through && given == nil)
		var step *readmodels.OutOfStepError
		var failure *RuleError
		switch {
		case err == nil:
			through, given = page.Through, nil
		case errors.As(err, &step):
			p.unsure = true
			through, given = page.Through, nil
		case isDamaged(err):
			return p.mend(ctx, err)
		case !errors.As(err, &failure):
			return err
		default:
			before, found := p.before(page, failure.Position)
			switch {
			case p.stops && !(found && errors.Is(err, errUnstorable)): // which of several it was has yet to be found
				p.refused = failure
				return err
			case found:
				through = before
			default:
				through, given = page.Through, failure
			}
		}
	}
}

// mend begins a read model anew if an error says that it is damaged.
func (p *Projector) mend(ctx context.Context, err error) error {
	if isDamaged(err) {
		return errors.Join(err, p.empty(ctx))
	}
	return err
}

// errUnstorable says that the documents that a page leaves do not encode.
var errUnstorable = errors.New("what it leads to cannot be stored")

// sure looks again where the read model stands, if that is not known.
func (p *Projector) sure(ctx context.Context) error {
	if !p.unsure {
		return nil
	}
	return p.stand(ctx)
}

// before returns the position of the last event of a page before a position that is still to be folded.
func (p *Projector) before(page *page, position eventstore.Position) (last eventstore.Position, found bool) {
	for _, e := range page.events {
		if e.Position > p.at.Position && e.Position < position {
			last, found = e.Position, true
		}
	}
	return last, found
}

// fold applies a page and commits it. The event that is given up is parked without a try; *RuleError for any other
// whose rule fails.
func (p *Projector) fold(ctx context.Context, page *page, given *RuleError, ahead bool) (err error) {
	done, start := false, time.Now()
	defer func() {
		if !done {
			if before := p.land(ctx); before != nil { // what was folded rests on it
				err = before
			}
			p.tx.Forget()
		}
	}()
	at, next, held := p.ahead().Position, p.ahead(), p.holding()
	next.Position, next.StoreID, next.Epoch = page.Through, p.source.ID, p.source.Epoch
	var newest *event
	in := &Fold{ctx: ctx, tx: p.tx}
	for _, e := range page.events {
		if e.Position <= at {
			continue
		}
		if err := p.take(in, e, held, given); err != nil {
			return err
		}
		if e.at.After(next.Time) {
			next.Time = e.at
		}
		newest = e
	}
	batch, err := p.tx.Batch()
	if err != nil {
		if newest != nil && (given == nil || given.Position != newest.Position) {
			err = failed(newest, &plainError{errUnstorable.Error(), errors.Join(errUnstorable, err)})
		}
		return err
	}
	made := folded{held, len(page.events), time.Since(start)}
	if err := p.land(ctx); err != nil {
		return err
	}
	if ahead {
		p.flight = p.send(ctx, batch, next, made)
		done = true
		return nil
	}
	if err := p.commit(ctx, batch, next); err != nil {
		return err
	}
	done = true
	p.passed(made)
	return nil
}

// commit moves the read model to a checkpoint, if it still stands where it is thought to.
func (p *Projector) commit(ctx context.Context, batch readmodels.Batch, next readmodels.Checkpoint) error {
	if err := p.write(ctx, batch, p.at.Position, next); err != nil {
		return err
	}
	p.at = next
	return nil
}

// write is commit without its note of where the read model stands then.
func (p *Projector) write(ctx context.Context, batch readmodels.Batch, after eventstore.Position, next readmodels.Checkpoint) error {
	batch.After, batch.Checkpoint, batch.Fence = after, next, p.fence
	if err := p.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("commit %s at %s: %w", p.projection.Scope, next.Position, err)
	}
	return nil
}

// take folds one event, or keeps it from being folded.
func (p *Projector) take(in *Fold, e *event, held *held, given *RuleError) error {
	apply := p.projection.rules[e.Type]
	if apply == nil {
		return nil
	}
	p.tx.At(e.Position)
	switch held.of(e) {
	case discarded:
		return nil
	case parked:
		return p.parkNext(in.ctx, e)
	}
	var failure *RuleError
	switch {
	case given != nil && given.Position == e.Position:
		failure = given
		failure.Time = e.at
	case e.err != nil:
		if failure = failed(e, e.err); p.stops {
			return failure
		}
	default:
		p.reads.failure = nil
		err := in.run(apply, e)
		if p.reads.failure != nil {
			err = p.reads.failure // whatever the rule made of it
		}
		if err != nil && !errors.As(err, &failure) {
			err = fmt.Errorf("apply %s at position %s: %w", e.Type, e.Position, err)
		}
		return err
	}
	return p.park(in.ctx, failure, held)
}
