package projections

import (
	"context"
	"errors"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// flight is a commit on its way, while the next page is folded. There is one at most, since a Tx answers from what it
// sent last.
type flight struct {
	folded
	next   readmodels.Checkpoint // where the read model stands when it has arrived
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done
}

// folded is what folding a page has come to, besides the batch.
type folded struct {
	held   *held // what is parked when it is committed
	events int
	took   time.Duration
}

// arrived tells whether there is a flight that has nothing more to wait for.
func (f *flight) arrived() bool {
	if f == nil {
		return false
	}
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// send begins a commit. It outlasts the context of its page, but not that of whoever waits for it.
func (p *Projector) send(ctx context.Context, batch readmodels.Batch, next readmodels.Checkpoint, made folded) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{folded: made, next: next, cancel: cancel, done: make(chan struct{})}
	after := p.at.Position
	go func() {
		defer close(f.done)
		defer cancel()
		f.err = p.write(ctx, batch, after, next)
	}()
	return f
}

// land waits for the commit on its way. After an error nothing that is not committed is kept in memory.
func (p *Projector) land(ctx context.Context) error {
	f := p.flight
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		f.cancel()
		<-f.done
	}
	p.flight = nil
	if f.err != nil {
		p.tx.Forget()
		var step *readmodels.OutOfStepError
		p.unsure = p.unsure || errors.As(f.err, &step)
		return f.err
	}
	p.at = f.next
	p.passed(f.folded)
	return nil
}

// settle is land for those whose own business it is not: the next page is told of an error.
func (p *Projector) settle(ctx context.Context) {
	if err := p.land(ctx); err != nil {
		p.failed = err
	}
}

// Failed returns, once, why a commit on its way has failed that nobody was told of. Pages must then be read again from
// Position on.
func (p *Projector) Failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.failed
	p.failed = nil
	return err
}

// Land waits for the commit that is on its way, for as long as the context lasts.
func (p *Projector) Land(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.land(ctx)
}

// passed takes note of a page that is committed.
func (p *Projector) passed(f folded) {
	p.observer.Applied(p.projection.Scope, f.events, f.took)
	p.held.join(f.held)
	p.refused = nil
	for _, failure := range f.held.news {
		p.observer.Parked(p.projection.Scope)
		p.tell(failure)
	}
}

// ahead is where the read model stands when what is on its way has arrived.
func (p *Projector) ahead() readmodels.Checkpoint {
	if p.flight != nil {
		return p.flight.next
	}
	return p.at
}

// holding returns what is parked then, to be added to.
func (p *Projector) holding() *held {
	if p.flight != nil {
		return p.flight.held.fork()
	}
	return p.held.fork()
}

// Ahead is how far the log was folded: beyond Position by what is on its way.
func (p *Projector) Ahead() eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ahead().Position
}
