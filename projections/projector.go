package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Projector applies pages to one projection's read model. Safe for concurrent use; one page is applied at a time.
type Projector struct {
	mu         sync.Mutex
	projection *Projection
	log        Source
	source     eventstore.Info // which log is read; stands in the checkpoint
	store      readmodels.Store
	fence      uint64 // of the lease under which it works; 0: none
	tx         *readmodels.Tx
	at         readmodels.Checkpoint
}

// Source is the log that is read, as far as its identity goes; an eventstore.Store is one.
type Source interface {
	Info(ctx context.Context) (eventstore.Info, error)
}

// NewProjector returns a projector that goes on where the read model stands. A read model of an earlier epoch of the log
// is emptied first; one of another log is refused.
func NewProjector(ctx context.Context, p *Projection, log Source, store readmodels.Store) (*Projector, error) {
	made := &Projector{projection: p, log: log, store: store, tx: readmodels.NewTx(store, p.Scope)}
	if err := made.stand(ctx); err != nil {
		return nil, err
	}
	return made, nil
}

// stand finds out where the read model stands. One of an earlier epoch is emptied, by this process or by another that
// begins at the same time, which may have committed already: so it is looked again.
func (p *Projector) stand(ctx context.Context) error {
	scope := p.projection.Scope
	for {
		at, err := p.store.Checkpoint(ctx, scope)
		if err != nil {
			return fmt.Errorf("read checkpoint of %s: %w", scope, err)
		}
		source, err := p.log.Info(ctx) // after the checkpoint, which another process may be moving
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		another := at.StoreID != "" && at.StoreID != source.ID
		if another || at.Epoch == source.Epoch && at.Position > source.Head || at.Epoch > source.Epoch {
			return fmt.Errorf("read model %s was built from another or a longer log (store %s, epoch %d, at %s; this one is %s, epoch %d, at %s): use other read models, or open the log they belong to",
				scope, at.StoreID, at.Epoch, at.Position, source.ID, source.Epoch, source.Head)
		}
		if at.StoreID == "" || at.Epoch == source.Epoch {
			p.at, p.source = at, source
			return nil
		}
		// The log was restored from a backup, and may not have all of what was read.
		if err := p.store.Drop(ctx, scope, at); err != nil {
			return fmt.Errorf("begin %s anew after the log was restored: %w", scope, err)
		}
	}
}

// Position is how far the read model has been brought.
func (p *Projector) Position() eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.Position
}

// Lost tells whether the read model has fallen behind where it was brought, as after a restart of Redis without its
// data. The projector then goes on from where the read model stands.
func (p *Projector) Lost(ctx context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, err := p.store.Checkpoint(ctx, p.projection.Scope)
	if err != nil || at.Position >= p.at.Position {
		return false, err
	}
	if err := p.stand(ctx); err != nil {
		return false, err
	}
	p.tx.Forget()
	return true, nil
}

// Apply brings the read model to the end of a page, once: what of the page was committed already is passed over. After
// an error nothing of the page is kept in memory, and the page can be applied again.
func (p *Projector) Apply(ctx context.Context, page eventstore.Page) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if page.Through <= p.at.Position {
			return nil
		}
		if page.After > p.at.Position {
			return fmt.Errorf("page after %s does not follow %s of %s", page.After, p.at.Position, p.projection.Scope)
		}
		err := p.fold(ctx, page)
		var step *readmodels.OutOfStepError
		if !errors.As(err, &step) {
			return err
		}
		if err := p.stand(ctx); err != nil {
			return err
		}
	}
}

func (p *Projector) fold(ctx context.Context, page eventstore.Page) (err error) {
	defer func() {
		if err != nil {
			p.tx.Forget()
		}
	}()
	next := p.at
	next.Position, next.StoreID, next.Epoch = page.Through, p.source.ID, p.source.Epoch
	for _, recorded := range page.Events {
		if recorded.Position <= p.at.Position {
			continue
		}
		at, err := p.projection.apply(ctx, p.tx, recorded)
		if err != nil {
			return err
		}
		if at.After(next.Time) {
			next.Time = at
		}
	}
	batch, err := p.tx.Batch()
	if err != nil {
		return err
	}
	batch.After, batch.Checkpoint, batch.Fence = p.at.Position, next, p.fence
	if err := p.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("commit %s at %s: %w", p.projection.Scope, page.Through, err)
	}
	p.at = next
	return nil
}
