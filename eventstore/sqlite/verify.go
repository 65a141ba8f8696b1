package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// Verified is what Verify found to be true of a log.
type Verified struct {
	Store  string // its ID
	Epoch  int
	Events int64
	Plans  int
	Last   eventstore.Position
	Hash   chain.Hash // of the store's chain at Last
	Head   Head       // what stands outside the database, which Last reaches; zero: there is none, or it is damaged
	Behind int64      // events beyond the head: committed and never acknowledged, or added since by another hand
}

// Verify reads the log in a file from its first event to its last and proves that nothing in it was edited, removed,
// inserted or moved, that it reaches its head, and that its indexes find every event (SPEC AUD-4). The store may be
// in use. A log that is not what it should be gets a *DamageError, which names the first event that is wrong.
func Verify(ctx context.Context, path string, progress func(done, total int)) (v Verified, err error) {
	if path, err = resolve(path); err != nil {
		return v, explain(path, err)
	}
	if v, err = verify(ctx, path, progress); err != nil && ctx.Err() == nil {
		err = explain(path, err)
	}
	return v, err
}

func verify(ctx context.Context, path string, progress func(done, total int)) (v Verified, err error) {
	// The head first, the indexes next, the log last: what the one names the next one has.
	head, headless := ReadHead(path)
	var damage *DamageError
	if headless != nil && !errors.As(headless, &damage) {
		return v, headless
	}
	v.Head = head
	indexes, err := snapshot(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, indexes.close()) }()
	log, err := snapshot(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	walk, check, err := v.begin(log, indexes, headless == nil)
	if err != nil {
		return v, err
	}
	walk.progress = progress
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return check.run(ctx) })
	group.Go(func() error { return walk.run(ctx) })
	if err := group.Wait(); err != nil {
		return v, err
	}
	v.Events, v.Plans, v.Last, v.Hash = walk.events, len(walk.plans), walk.last, walk.store
	v.Behind = v.Events - v.Head.Count
	if err := walk.agrees(check); err != nil {
		return v, err
	}
	if err := walk.used(log); err != nil {
		return v, err
	}
	if headless != nil {
		return v, fmt.Errorf("both chains of its %d events hold, up to position %s, but nothing proves that this is its end: %w", v.Events, v.Last, headless)
	}
	return v, nil
}

// begin proves that the log reaches its head, and prepares the reading of both.
func (v *Verified) begin(log, indexes connection, headed bool) (*walk, *indexCheck, error) {
	info, err := identity(log)
	if err != nil {
		return nil, nil, err
	}
	v.Store, v.Epoch = info.ID, info.Epoch
	last, _, err := one(log, "SELECT max(position) FROM events")
	if err != nil {
		return nil, nil, err
	}
	if headed {
		if err := prove(log, info, v.Head, eventstore.Position(last)); err != nil {
			return nil, nil, err
		}
	}
	if err := checkSchema(log); err != nil {
		return nil, nil, err
	}
	through, err := indexedThrough(indexes)
	if err != nil {
		return nil, nil, err
	}
	if through > last {
		return nil, nil, errIndexes
	}
	streams, _, err := one(indexes, "SELECT max(id) FROM streams")
	if err != nil {
		return nil, nil, err
	}
	seed := maphash.MakeSeed()
	return newWalk(log, seed, through, streams, v.Head.Count), &indexCheck{db: indexes, through: through, seed: seed}, nil
}

// snapshot opens a connection that sees the database as it is now, for as long as it lasts.
func snapshot(ctx context.Context, path string) (*conn, error) {
	c, err := connect(ctx, path, readerCache, inspect)
	if err != nil {
		return nil, err
	}
	version, _, err := one(c, "PRAGMA user_version")
	if err == nil && version != int64(len(migrations)) {
		err = errors.New("it was written by an older release: open it once with this one")
	}
	if err == nil {
		err = c.exec("BEGIN")
	}
	if err == nil {
		_, _, err = one(c, "SELECT count(*) FROM meta")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}
