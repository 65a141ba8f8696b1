package reactors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
)

const (
	// atOnce is how many effects of one reactor are brought about at the same time.
	atOnce = 4
	// settleEvery is how far a reactor goes, in positions, before it notes that; at least the 256th part of the log. A
	// process that starts reads as much again, and the notes stay a small part of the log.
	settleEvery = 1 << 16
	// pace is how long a live log is let run before the next page of it is taken: a follower that is woken by each event
	// would cost more than the events that it looks for.
	pace = 100 * time.Millisecond
)

// Pauses before what failed is tried again.
var firstPause, longestPause = 100 * time.Millisecond, time.Minute

// Options are how a reactor runs in a process.
type Options struct {
	// Alone says that no other process has the log open. What was left unfinished before this one began then is nobody's,
	// and is not waited for.
	Alone bool
	Log   *slog.Logger
}

// Runner runs a reactor in one process.
type Runner struct {
	Reactor
	store eventstore.Store
	Options
	wake chan struct{} // with room for one: what is due may have changed

	mu      sync.Mutex
	through eventstore.Position // everything up to here was seen
	left    eventstore.Position // what was there when an only process began
	open    map[eventstore.Position]*opened
	busy    int // effects being brought about
	faults  map[eventstore.Position]error
	unread  error // why the log cannot be followed

	noting sync.Mutex // around notes
	notes  *notes
}

// opened is a cause without a known effect.
type opened struct {
	Cause
	due    time.Time
	busy   bool
	failed int // times in a row
}

// New returns a runner. Nothing is read before Run.
func New(store eventstore.Store, r Reactor, o Options) *Runner {
	return &Runner{
		Reactor: r, store: store, Options: o, wake: make(chan struct{}, 1), notes: newNotes(store, r.Name),
		open: map[eventstore.Position]*opened{}, faults: map[eventstore.Position]error{},
	}
}

// Run acts, once, until the context ends, and returns nil then, when no effect is in hand any more. It ends with an
// error when the log is not the one any more that it began with; any other trouble it waits out.
func (r *Runner) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.follow(ctx) })
	group.Go(func() error {
		r.work(ctx)
		return nil
	})
	err := group.Wait()
	if errors.Is(err, eventstore.ErrRestored) {
		return fmt.Errorf("reactor %s: %w", r.Name, err)
	}
	return nil
}

// follow takes in the log, from what was noted last.
func (r *Runner) follow(ctx context.Context) error {
	for failed := 0; ; failed++ {
		err := r.begin(ctx)
		if err == nil {
			failed = 0
			err = r.read(ctx)
		}
		if ctx.Err() != nil || errors.Is(err, eventstore.ErrRestored) {
			return err
		}
		r.mu.Lock()
		r.unread = err
		r.mu.Unlock()
		r.Log.Warn("reactor cannot follow the log", "reactor", r.Name, "error", err)
		if pause(ctx, again(failed)) != nil {
			return ctx.Err()
		}
	}
}

// begin reads the notes, once.
func (r *Runner) begin(ctx context.Context) error {
	r.noting.Lock()
	defer r.noting.Unlock()
	if err := r.notes.read(ctx); err != nil {
		return err
	}
	info, err := r.store.Info(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.through == 0 {
		r.through = eventstore.Position(r.notes.state.Position)
		if r.Alone {
			r.left = info.Head
		}
	}
	return nil
}

func (r *Runner) read(ctx context.Context) error {
	types := slices.Concat(r.Causes, r.Resumed, r.Due)
	for page, err := range r.store.Follow(ctx, r.position(), eventstore.Filter{Types: types, Prefixes: []string{r.Stream}}) {
		if err != nil {
			return err
		}
		r.take(page)
		if err := r.settle(ctx); err != nil {
			return err
		}
		if page.Live && pause(ctx, pace) != nil {
			break
		}
	}
	return ctx.Err()
}

func (r *Runner) position() eventstore.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.through
}

// take notes what a page calls for. A page that comes again, or differently cut, changes nothing.
func (r *Runner) take(page eventstore.Page) {
	r.noting.Lock()
	defer r.noting.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, e := range page.Events {
		if e.Position <= r.through {
			continue
		}
		isCause := slices.Contains(r.Causes, e.Type)
		if isCause && !r.notes.refused(e.Position) {
			r.open[e.Position] = &opened{Cause: Cause{Stream: e.Stream, Position: e.Position, Seen: e.Revision}}
		}
		for _, o := range r.open {
			if o.Stream != e.Stream {
				continue
			}
			o.Seen = e.Revision
			switch {
			case slices.Contains(r.Due, e.Type):
				o.due = now
			case isCause && o.Position != e.Position: // another one's
			case e.Position <= r.left:
				o.due = time.Time{}
			default:
				o.due = now.Add(r.Patience)
			}
		}
	}
	r.through, r.unread = max(r.through, page.Through), nil
	if r.through >= r.left { // now all is known of what was left
		r.left = 0
	}
	r.rouse()
}

// settle notes how far everything is done, now and then.
func (r *Runner) settle(ctx context.Context) error {
	r.mu.Lock()
	done := r.through
	for at := range r.open {
		done = min(done, at-1)
	}
	r.mu.Unlock()
	r.noting.Lock()
	defer r.noting.Unlock()
	if noted := eventstore.Position(r.notes.state.Position); done < noted+max(settleEvery, noted/256) {
		return nil
	}
	return r.notes.advance(ctx, done)
}

// work brings about what is due, until the context ends.
func (r *Runner) work(ctx context.Context) {
	var acting sync.WaitGroup
	defer acting.Wait()
	for {
		next, due := r.next(time.Now())
		if next != nil {
			acting.Go(func() { r.act(ctx, next) })
			continue
		}
		timer := time.NewTimer(due)
		select {
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// next returns a cause whose effect is due, taken in hand, or after what time there will be one.
func (r *Runner) next(now time.Time) (*opened, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy >= atOnce || r.left > 0 {
		return nil, time.Hour // whoever changes that wakes
	}
	var first *opened
	for _, o := range r.open {
		if !o.busy && (first == nil || o.due.Before(first.due)) {
			first = o
		}
	}
	switch {
	case first == nil:
		return nil, time.Hour
	case first.due.After(now):
		return nil, first.due.Sub(now)
	}
	first.busy = true
	r.busy++
	return first, 0
}

func (r *Runner) act(ctx context.Context, o *opened) {
	r.mu.Lock()
	cause := o.Cause
	r.mu.Unlock()
	err := r.try(ctx, cause)
	var refused *RefusedError
	if errors.As(err, &refused) {
		r.Log.Error("an effect can never be brought about", "reactor", r.Name, "stream", o.Stream, "reason", refused.Reason, "error", refused.Err)
		r.noting.Lock()
		err = r.notes.refuse(ctx, cause, refused.Reason)
		r.noting.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.busy = false
	r.busy--
	defer r.rouse()
	switch {
	case err == nil:
		delete(r.open, o.Position)
		delete(r.faults, o.Position)
	case errors.Is(err, ErrElsewhere):
		o.due = time.Now().Add(r.Patience)
	case ctx.Err() == nil:
		o.due = time.Now().Add(again(o.failed))
		o.failed++
		r.faults[o.Position] = fmt.Errorf("%s: %w", o.Stream, err)
		r.Log.Warn("an effect could not be brought about yet", "reactor", r.Name, "stream", o.Stream, "error", err)
	}
}

// try is Act; a panic in it is an error like any other, that others do not suffer from.
func (r *Runner) try(ctx context.Context, c Cause) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.Act(ctx, c)
}

// rouse makes the worker look again at what is due.
func (r *Runner) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Status tells how the reactor stands in this process.
func (r *Runner) Status() Status {
	r.noting.Lock()
	refused := len(r.notes.state.Refused)
	r.noting.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Reactor: r.Name, Position: r.through, Open: len(r.open), Refused: refused, Fault: r.unread}
	for _, err := range r.faults {
		if s.Fault == nil {
			s.Fault = err
		}
	}
	return s
}

// again is the pause after a number of failures in a row.
func again(failed int) time.Duration { return min(firstPause<<min(failed, 20), longestPause) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
