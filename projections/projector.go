package projections

import (
	"context"
	"errors"
	"fmt"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Projector applies pages to one projection's read model. It belongs to one goroutine.
type Projector struct {
	projection *Projection
	source     eventstore.Info // which log is read; stands in the checkpoint
	store      readmodels.Store
	tx         *readmodels.Tx
	at         readmodels.Checkpoint
}

// NewProjector returns a projector that goes on where the read model stands.
func NewProjector(ctx context.Context, p *Projection, source eventstore.Info, store readmodels.Store) (*Projector, error) {
	at, err := store.Checkpoint(ctx, p.Scope)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", p.Scope, err)
	}
	if at.StoreID != "" && (at.StoreID != source.ID || at.Position > source.Head) {
		return nil, fmt.Errorf("read model %s was built from another or a longer log (store %s at %s; this one is %s at %s): drop it, or open the log it belongs to",
			p.Scope, at.StoreID, at.Position, source.ID, source.Head)
	}
	return &Projector{projection: p, source: source, store: store, tx: readmodels.NewTx(store, p.Scope), at: at}, nil
}

// Position is how far the read model has been brought.
func (p *Projector) Position() eventstore.Position { return p.at.Position }

// Apply brings the read model to the end of a page, once: what of the page was committed already is passed over. After
// an error nothing of the page is kept in memory, and the page can be applied again.
func (p *Projector) Apply(ctx context.Context, page eventstore.Page) error {
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
		if p.at, err = p.store.Checkpoint(ctx, p.projection.Scope); err != nil {
			return fmt.Errorf("read checkpoint of %s: %w", p.projection.Scope, err)
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
	batch.After, batch.Checkpoint = p.at.Position, next
	if err := p.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("commit %s at %s: %w", p.projection.Scope, page.Through, err)
	}
	p.at = next
	return nil
}
