package sqlite

import (
	"context"
	"fmt"
	"iter"
	"math"

	"rolewise/eventstore"
)

// logReader is the reading side of a log: what Store, ReadOnly and Replica have in common.
type logReader struct {
	path    string
	info    eventstore.Info // its Head is that of the opening
	page    int
	tail    *tail
	backlog *backlog
	pool    *pool
	names   *names
	heads   *cache[eventstore.StreamID, streamHead] // what the writer knows of streams; nil: there is no writer here
	apart   bool                                    // positions have gaps, since they are those of another log
	closed  chan struct{}
}

func newLogReader(o options) logReader {
	return logReader{page: o.page, apart: o.source != nil, backlog: newBacklog(), names: newNames(), closed: make(chan struct{})}
}

// Read implements eventstore.Store.
func (s *logReader) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := stream.Validate(); err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		for {
			events, more, err := s.readPage(ctx, stream, from)
			if err != nil {
				yield(eventstore.Recorded{}, fmt.Errorf("read stream %s: %w", stream, err))
				return
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
				from = e.Revision + 1
			}
			if !more {
				return
			}
		}
	}
}

// Info implements eventstore.Store.
func (s *logReader) Info(ctx context.Context) (eventstore.Info, error) {
	if err := s.usable(ctx); err != nil {
		return eventstore.Info{}, err
	}
	info := s.info
	info.Head, _ = s.tail.state()
	return info, nil
}

// usable returns the context's error, or ErrClosed.
func (s *logReader) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return eventstore.ErrClosed
	default:
		return nil
	}
}

// Before returns up to n events that stand before a position, the last one first.
func (s *logReader) Before(ctx context.Context, p eventstore.Position, n int) ([]eventstore.Recorded, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	head, _ := s.tail.state()
	rows := newRows(ctx, max(1, n))
	err := s.pool.with(ctx, func(c connection) error {
		err := c.query("SELECT "+columns+" FROM events e WHERE e.position < ? AND e.position <= ? ORDER BY e.position DESC",
			rows.add, int64(min(p, math.MaxInt64)), int64(head))
		if err != nil {
			return err
		}
		return rows.named(c, s.names)
	})
	if err != nil {
		return nil, fmt.Errorf("read the log before %s: %w", p, err)
	}
	return rows.events, nil
}

// Verify is Verify for a log that is open, beside its appends.
func (s *logReader) Verify(ctx context.Context, progress func(done, total int)) (Verified, error) {
	if err := s.usable(ctx); err != nil {
		return Verified{}, err
	}
	return Verify(ctx, s.path, progress)
}

// Backup is Backup for a log that is open, beside its appends.
func (s *logReader) Backup(ctx context.Context, to string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return Backup(ctx, s.path, to)
}

// Head returns how far the log goes, as it stands outside the database.
func (s *logReader) Head(ctx context.Context) (Head, error) {
	if err := s.usable(ctx); err != nil {
		return Head{}, err
	}
	return ReadHead(s.path)
}
