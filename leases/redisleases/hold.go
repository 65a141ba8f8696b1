package redisleases

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rolewise/leases"
)

// lease is the context of a hold: it ends when the lease does.
//
// Its Err looks at the clock. After the whole process was stopped, timers fire a little later than the hold goes on, and
// in that little while a page could be written under a lease that is over.
type lease struct {
	context.Context
	cancel context.CancelCauseFunc
	ended  func(cause error) // called once

	mutex sync.Mutex
	until time.Time // by the monotonic clock, from before the call was sent that took or renewed the lease
	over  bool
	timer *time.Timer
}

// newLease returns the context of a lease that is good until then.
func newLease(parent context.Context, until time.Time, ended func(cause error)) *lease {
	l := &lease{until: until, ended: ended}
	l.Context, l.cancel = context.WithCancelCause(parent)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.timer = time.AfterFunc(time.Until(until), l.look)
	return l
}

// Err implements context.Context.
func (l *lease) Err() error {
	if l.lapsed() {
		l.end(fmt.Errorf("not renewed in time: %w", leases.ErrLost))
	}
	return l.Context.Err()
}

// lapsed tells whether the time of the lease is over.
func (l *lease) lapsed() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return !time.Now().Before(l.until)
}

// extend makes the lease good for longer, if it has not ended.
func (l *lease) extend(until time.Time) {
	if l.Err() != nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.until = until
}

// look ends the lease if its time is over, and looks again when it will be otherwise.
func (l *lease) look() {
	if l.Err() != nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.over {
		l.timer.Reset(time.Until(l.until))
	}
}

// end ends the lease. Only the first cause counts.
func (l *lease) end(cause error) {
	l.mutex.Lock()
	first := !l.over
	l.over = true
	l.timer.Stop()
	l.mutex.Unlock()
	if first {
		if parent := context.Cause(l.Context); parent != nil {
			cause = parent
		}
		l.ended(cause)
		l.cancel(cause)
	}
}

// hold is a partition for which a hold runs, or has just returned.
type hold struct {
	grant
	*lease
}
