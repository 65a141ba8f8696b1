// Package replica keeps a local copy of a log that lives elsewhere, such as in KurrentDB: indexed by plan and chained by
// hash, so that audit, as-of, export and verification are the same on every store (DESIGN rule 17, SPEC AUD-4).
package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// Run copies a log, history first, then as it grows, until the context ends or the copy fails. A source that cannot
// be reached is waited for. What it returns is the context's error, eventstore.ErrRestored, or why the copy takes no more.
func Run(ctx context.Context, source eventstore.Store, to *sqlite.Replica, logger *slog.Logger) error {
	wait := backoff{}
	for {
		err := follow(ctx, source, to, &wait)
		var failed *copyError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed), errors.Is(err, eventstore.ErrRestored):
			return err
		}
		logger.Warn("the copy of the log waits for its source", "error", err, "through", to.Through())
		if err := wait.pause(ctx); err != nil {
			return err
		}
	}
}

func follow(ctx context.Context, source eventstore.Store, to *sqlite.Replica, wait *backoff) error {
	for page, err := range source.Follow(ctx, to.Through(), eventstore.Filter{PageSize: pageSize}) {
		if err != nil {
			return fmt.Errorf("follow the source: %w", err)
		}
		wait.next = 0
		if err := to.Copy(ctx, page); err != nil {
			return &copyError{err}
		}
	}
	return errors.New("the source ended")
}

const pageSize = 1024

// copyError is a failure of the copy, as against one of the source.
type copyError struct{ error }

func (e *copyError) Unwrap() error { return e.error }

// backoff waits longer from time to time, up to five seconds.
type backoff struct{ next time.Duration }

func (b *backoff) pause(ctx context.Context) error {
	b.next = min(max(2*b.next, 100*time.Millisecond), 5*time.Second)
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Compare reads a log and its copy side by side, up to where the copy is, and returns how many events are equal. The
// first difference is a *sqlite.DamageError. Progress counts positions. The copy's own chains are not looked at: that is
// what Verify is for.
func Compare(ctx context.Context, source, copied eventstore.Store, progress func(done, total int)) (events int, err error) {
	info, err := copied.Info(ctx)
	if err != nil {
		return 0, err
	}
	through := info.Head
	theirs, stopTheirs := iter.Pull2(until(ctx, source, through))
	defer stopTheirs()
	ours, stopOurs := iter.Pull2(until(ctx, copied, through))
	defer stopOurs()
	for {
		a, err, more := theirs()
		if err != nil {
			return events, fmt.Errorf("read the source: %w", err)
		}
		b, err, copiedMore := ours()
		switch {
		case err != nil:
			return events, fmt.Errorf("read the copy: %w", err)
		case !more && !copiedMore:
			return events, nil
		case !more || copiedMore && b.Position < a.Position:
			return events, &sqlite.DamageError{What: fmt.Sprintf("the copy has an event at position %s (%s) that its source does not have", b.Position, b.Stream)}
		case !copiedMore || a.Position < b.Position:
			return events, &sqlite.DamageError{What: fmt.Sprintf("the copy lacks the event at position %s (%s) of its source", a.Position, a.Stream)}
		case !equal(a, b):
			return events, &sqlite.DamageError{What: fmt.Sprintf("the event at position %s (revision %d of %s) differs between the copy and its source", a.Position, a.Revision, a.Stream)}
		}
		events++
		if progress != nil && events%pageSize == 0 {
			progress(int(a.Position), int(through))
		}
	}
}

// until yields the events of a log up to a position.
func until(ctx context.Context, log eventstore.Store, through eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if through == 0 {
			return
		}
		for page, err := range log.Follow(ctx, 0, eventstore.Filter{PageSize: pageSize}) {
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			for _, e := range page.Events {
				if e.Position > through || !yield(e, nil) {
					return
				}
			}
			if page.Through >= through || page.Live {
				return
			}
		}
	}
}

func equal(a, b eventstore.Recorded) bool {
	return a.ID == b.ID && a.Type == b.Type && a.Stream == b.Stream && a.Revision == b.Revision &&
		bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Metadata, b.Metadata)
}
