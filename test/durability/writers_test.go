package durability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// storeName is the file of a store in its folder.
const storeName = "events.db"

// work is what the program "writers" does: it opens a store and lets a crew write to it.
//
// It says "opening" before, "opened" once the crew begins. At the word "close" it closes the store, says "closed" when that is done, and
// ends. When the crew has ended by itself, since the store takes no appends any more, it says "stopped" and does the
// same.
type work struct {
	Path, Ledger string
	Load         load
	Next         []next
	Checkpoint   int  // pages after which the write-ahead log is moved; 0: the store's default
	Normal       bool // commits are not brought to the disk, as with SQLite's synchronous=NORMAL
	Vicious      bool // the store breaks its word in several ways
}

func (w work) options() (options []sqlite.Option) {
	if w.Checkpoint > 0 {
		options = append(options, sqlite.CheckpointAfter(w.Checkpoint))
	}
	if w.Normal {
		options = append(options, sqlite.UnsafeSynchronousNormal())
	}
	return options
}

func writers(ctx context.Context, spec []byte, words <-chan string) (err error) {
	var w work
	if err := json.Unmarshal(spec, &w); err != nil {
		return err
	}
	say("opening")
	store, err := sqlite.Open(ctx, w.Path, w.options()...)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	notes, err := openLedger(w.Ledger)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	c := &crew{load: w.Load, store: store, ledger: notes}
	if w.Vicious {
		c.store = newVicious(store)
	}
	say("opened")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- c.run(ctx, w.Next) }()
	select {
	case err = <-stopped:
		say("stopped")
		_ = store.Close() // of a store whose disk failed
	case <-words:
		err = store.Close() // while the crew is at work
		say("closed")
		cancel()
		err = errors.Join(err, <-stopped)
	case <-ctx.Done():
		err = errors.Join(store.Close(), <-stopped)
	}
	return errors.Join(err, notes.close())
}

// settle makes every append whose outcome is unknown once more, on a store that is all right.
func settle(ctx context.Context, store eventstore.Store, l load, b *book) error {
	if err := b.refresh(); err != nil {
		return err
	}
	notes, err := openLedger(b.path)
	if err != nil {
		return err
	}
	c := &crew{load: l, store: store, ledger: notes, settle: true}
	if err := errors.Join(c.run(ctx, b.next()), notes.close(), b.refresh()); err != nil {
		return err
	}
	if _, pending := b.count(); pending > 0 {
		return fmt.Errorf("%d appends are not settled", pending)
	}
	return nil
}
