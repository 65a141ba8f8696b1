package projections

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"rolewise/eventstore"
)

// restFor is for how long a partition that has nothing to do leaves its checkpoint where it is: with many partitions the
// checkpoints alone would else cost more than the events.
const restFor = 200 * time.Millisecond

// longest is how long a worker that fails pauses at most: so much longer is it away than the store it writes to.
const longest = 250 * time.Millisecond

// worthwhile is how many events a partition gathers for one commit while it catches up: a page of the log has few for each
// of many partitions.
const worthwhile = 256

// worker is one projection in one partition, fed by a scan.
type worker struct {
	name      string
	projector *Projector
	partition int
	rate      atomic.Int64              // most events a second that its scan reads until it has caught up; 0: any
	refused   atomic.Pointer[RuleError] // at which it stopped for good
	failedAt  atomic.Uint64             // where it stood when it failed last

	mu      sync.Mutex
	passed  eventstore.Page // what has come since what was folded last
	waiting []*event        // of it, what is for this partition
	since   time.Time       // of its first page
	retired bool            // its partition was given up
	failed  int             // times since it was last at the end of the log
}

// wait is for how long a worker that failed is left alone: 10 ms, then twice as long each time, up to longest.
func (w *worker) wait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := min(10*time.Millisecond<<min(w.failed, 10), longest)
	w.failed++
	return wait
}

// healed is called when the worker has caught up again.
func (w *worker) healed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = 0
}

// apply folds what a page has for the partition, when enough has come or the log ends. Pages that do not follow are those
// of a feed that is about to be begun anew, and are left.
func (w *worker) apply(ctx context.Context, page *page, now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.projector.Failed(); err != nil {
		w.clear()
		return err
	}
	at := w.position()
	if w.retired || page.After > at || page.Through <= at {
		return nil
	}
	if w.passed.Through == 0 {
		w.since, w.passed.After = now, at
	}
	w.passed.Through = page.Through
	for _, e := range page.events {
		if e.Position > at {
			w.waiting = append(w.waiting, e)
		}
	}
	switch {
	case len(w.waiting) >= worthwhile || page.Live && len(w.waiting) > 0:
		return w.flush(ctx, page.Live)
	case page.Live:
		if err := w.projector.Land(ctx); err != nil {
			return err
		}
	}
	return w.settle(ctx, now)
}

// flush folds what is waiting. At the end of the log it returns once that is committed. Should what it follows have failed
// to arrive, the projector refuses it.
func (w *worker) flush(ctx context.Context, live bool) error {
	next := &page{Page: w.passed, events: w.waiting}
	next.Live = live
	w.clear()
	return w.projector.apply(ctx, next, !live)
}

// clear drops what is waiting: it is read again from where the projector stands, unless that has it.
func (w *worker) clear() { w.passed, w.waiting = eventstore.Page{}, nil }

// settle folds what has been waiting, and moves the checkpoint over what was not for this partition, if that has rested
// long enough.
func (w *worker) settle(ctx context.Context, now time.Time) error {
	if w.passed.Through == 0 || w.retired || now.Sub(w.since) < restFor {
		return nil
	}
	return w.flush(ctx, true)
}

// rest is settle, by the clock. It tells whether there was anything to do: who had nothing to do may stand still all the
// same.
func (w *worker) rest(ctx context.Context, now time.Time) (moved bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waited := w.passed.Through != 0
	err = w.settle(ctx, now)
	return waited && w.passed.Through == 0, err
}

// position is how far the worker has come, in memory.
func (w *worker) position() eventstore.Position {
	return max(w.projector.Ahead(), w.passed.Through)
}

// from is where a feed for the worker begins.
func (w *worker) from() eventstore.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.position()
}

// retire waits for the page in hand and moves a checkpoint that rests; nothing is applied after it.
func (w *worker) retire(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restFor)
	defer cancel()
	_ = w.projector.Land(ctx)
	_ = w.settle(ctx, w.since.Add(restFor)) // else whoever comes next reads a little again
	w.retired = true
}

func (w *worker) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.retired
}

// lost tells whether the read model has lost its data; the worker then begins where it stands.
func (w *worker) lost(ctx context.Context) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lost, err := w.projector.Lost(ctx)
	if lost {
		w.clear()
	}
	return lost, err
}

// stopped tells whether the worker stops at an error until somebody has done something about it.
func (w *worker) stopped(err error) bool {
	var failure *RuleError
	if !errors.As(err, &failure) { // only what does not park comes so far
		return false
	}
	w.refused.Store(failure)
	return true
}
