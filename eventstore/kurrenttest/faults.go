package kurrenttest

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Calls are kinds of call that a fault can meet. They can be combined.
type Calls uint8

// The kinds of call.
const (
	Appends       Calls = 1 << iota
	Reads               // of a stream or $all, with a count
	Subscriptions       // to a stream or $all
	Gossips
	Features
)

// Fault is something that goes wrong with a call. Make one with the functions below.
type Fault struct {
	on          Calls
	refuse      func() error  // instead of the call
	afterCommit func() error  // instead of the answer to a committed append
	cutAfter    int           // a read or subscription ends after this many events; -1: never
	delay       time.Duration // before the call
	noCreated   bool
	odd         bool
}

// On makes a fault meet other kinds of call than it does by itself.
func (f Fault) On(calls Calls) Fault {
	f.on = calls
	return f
}

// NotLeader refuses appends as a follower does, naming a leader.
func NotLeader(host string, port int) Fault {
	return Fault{on: Appends, cutAfter: -1, refuse: func() error { return notLeader(host, port) }}
}

// Unavailable refuses any call as a server does that is starting or too busy.
func Unavailable() Fault {
	return Fault{on: Appends | Reads | Subscriptions, cutAfter: -1, refuse: notReady}
}

// Refused answers any call with a status of one's choice.
func Refused(code codes.Code, text string) Fault {
	return Fault{on: Appends | Reads | Subscriptions, cutAfter: -1, refuse: func() error { return fail(code, text) }}
}

// AbortedAfterCommit commits an append and answers that it timed out, as a cluster does whose leader is slow.
func AbortedAfterCommit() Fault {
	return Fault{on: Appends, cutAfter: -1, afterCommit: func() error { return timedOut("Commit timeout") }}
}

// UnavailableAfterCommit commits an append and answers as if it had not been tried.
func UnavailableAfterCommit() Fault {
	return Fault{on: Appends, cutAfter: -1, afterCommit: notReady}
}

// Cut ends reads and subscriptions after a number of events, as a server does whose subscriber is too slow.
func Cut(events int) Fault { return Fault{on: Reads | Subscriptions, cutAfter: events} }

// WithoutCreated leaves out the time at which events were created, which some clients do not survive.
func WithoutCreated() Fault { return Fault{on: Reads | Subscriptions, cutAfter: -1, noCreated: true} }

// OddCheckpoints sends the subscribers with a filter a checkpoint at the end of all time when they have caught up, as
// some versions of the server do.
func OddCheckpoints() Fault { return Fault{on: Subscriptions, cutAfter: -1, odd: true} }

// Delay lets calls wait, at most until their context ends.
func Delay(d time.Duration) Fault {
	return Fault{on: Appends | Reads | Subscriptions, cutAfter: -1, delay: d}
}

// injected is a fault and for how many calls it lasts.
type injected struct {
	Fault
	times int // below 0: until cleared
}

type faults struct {
	mu   sync.Mutex
	list []*injected
}

// Inject lets a fault meet the next calls of its kinds; with times below 0 all of them, until it is cleared.
// Several faults can meet one call.
func (s *Server) Inject(times int, f Fault) (clear func()) {
	one := &injected{Fault: f, times: times}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if times != 0 {
		s.faults.list = append(s.faults.list, one)
	}
	return func() {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.list = slices.DeleteFunc(s.faults.list, func(i *injected) bool { return i == one })
	}
}

// ClearFaults ends all that Inject began.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// callFaults is what goes wrong with one call.
type callFaults struct {
	met  []Fault
	sent int // events; only its own goroutine counts
}

// meet takes the faults that meet a call.
func (f *faults) meet(call Calls) *callFaults {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &callFaults{}
	f.list = slices.DeleteFunc(f.list, func(i *injected) bool {
		if i.on&call == 0 {
			return false
		}
		c.met = append(c.met, i.Fault)
		if i.times > 0 {
			i.times--
		}
		return i.times == 0
	})
	return c
}

// before waits, then says why the call is refused.
func (c *callFaults) before(ctx context.Context) error {
	for _, f := range c.met {
		if f.delay > 0 {
			select {
			case <-time.After(f.delay):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if f.refuse != nil {
			return f.refuse()
		}
	}
	return nil
}

func (c *callFaults) committed() error {
	for _, f := range c.met {
		if f.afterCommit != nil {
			return f.afterCommit()
		}
	}
	return nil
}

// beforeEvent ends the call where it was cut.
func (c *callFaults) beforeEvent(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	for _, f := range c.met {
		if f.cutAfter >= 0 && c.sent >= f.cutAfter {
			return tooSlow()
		}
	}
	c.sent++
	return nil
}

func tooSlow() error {
	return timedOut("Consumer too slow to handle event while live. Client resubscription required.")
}

func (c *callFaults) withoutCreated() bool {
	return slices.ContainsFunc(c.met, func(f Fault) bool { return f.noCreated })
}

func (c *callFaults) oddCheckpoints() bool {
	return slices.ContainsFunc(c.met, func(f Fault) bool { return f.odd })
}
