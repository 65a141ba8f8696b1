package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"rolewise/eventstore"
)

// ReadOnly is a log open for reading, while another process may be writing it: an auditor's way in.
type ReadOnly struct {
	logReader
	once     sync.Once
	watching sync.WaitGroup
}

var _ eventstore.Store = (*ReadOnly)(nil)

// watchEvery is how soon a ReadOnly sees what another process has written; no commit there wakes it.
const watchEvery = 50 * time.Millisecond

// OpenReadOnly opens the log in a file without the right to append. Events are seen once they were acknowledged. When
// the log is replaced by a restore, it closes itself.
func OpenReadOnly(ctx context.Context, path string, opts ...Option) (*ReadOnly, error) {
	o := defaults()
	for _, option := range opts {
		option(&o)
	}
	r := &ReadOnly{logReader: newLogReader(o)}
	if err := r.open(ctx, path, o); err != nil {
		return nil, explain(path, err)
	}
	return r, nil
}

func (r *ReadOnly) open(ctx context.Context, path string, o options) (err error) {
	if r.path, err = resolve(path); err != nil {
		return err
	}
	head, err := ReadHead(r.path)
	if err != nil {
		return err
	}
	db, err := snapshot(ctx, r.path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close())
		}
	}()
	if r.info, err = identity(db); err != nil {
		return err
	}
	if _, r.apart, err = copiedThrough(db); err != nil {
		return err
	}
	last, _, err := one(db, "SELECT max(position) FROM events")
	if err != nil {
		return err
	}
	if err := prove(db, r.info, head, eventstore.Position(last)); err != nil {
		return err
	}
	if err := db.exec("COMMIT"); err != nil {
		return err
	}
	r.info.Head = head.Position
	r.tail = newTail(head.Position, o.recent)
	r.pool = newPool(r.path, o.readers, r.closed)
	w := &watcher{log: &r.logReader, db: db}
	if err := w.index(); err != nil {
		return err
	}
	r.watching.Go(func() {
		w.run(r.shut)
		_ = db.close()
	})
	return nil
}

// Append implements eventstore.Store: it is refused.
func (r *ReadOnly) Append(context.Context, eventstore.StreamID, eventstore.Revision, ...eventstore.Event) (eventstore.Position, error) {
	return 0, errReadOnly
}

var errReadOnly = &eventstore.InvalidError{What: "append", Why: "is not possible: the log was opened for reading only"}

// Close implements eventstore.Store.
func (r *ReadOnly) Close() error {
	r.shut()
	r.watching.Wait()
	return r.pool.close()
}

func (r *ReadOnly) shut() { r.once.Do(func() { close(r.closed) }) }
