// Package reactors follows the log to act: where an event calls for something to be done, a reactor does it, once, in
// whatever process, however many of them there are and whenever they die.
//
// That rests on three things. An effect has ids that follow from its cause, and is appended at an exact revision, so that
// doing it again does nothing: it is what makes everything else only a matter of waste. A process tells the others that
// it is at it by an event in the stream of the cause, so that they leave it alone for a while. And a reactor notes in a
// stream of its own how far it has come. All of it is in the log: there is nothing that could be lost, or be ahead of the
// log after a restore. Nothing is ever built again from the start.
package reactors

import (
	"context"
	"errors"
	"time"

	"rolewise/eventstore"
)

// Reactor is a rule of what to do about events.
type Reactor struct {
	Name   string // of its stream: lower-case letters and hyphens, never changed
	Stream string // prefix of the streams in which its events are

	Causes  []string // types of events that call for an effect
	Resumed []string // types of events by which a process says that it is at it now: the others leave it alone
	Due     []string // types of events after which nothing is to be waited for

	// Patience is for how long a cause is left to the process that made it, or that resumed it.
	Patience time.Duration

	// Act brings the effect about, or finds that it has been brought about. ErrElsewhere: another process is at it. A
	// *RefusedError: it can never be done. Any other error: not yet; it is tried again, later and later, for ever.
	Act func(ctx context.Context, c Cause) error
}

// Cause is an event that calls for an effect.
type Cause struct {
	Stream   eventstore.StreamID
	Position eventstore.Position // of the event
	Seen     eventstore.Revision // of the last event of the stream that the reactor has seen
}

// ErrElsewhere says that another process is at it.
var ErrElsewhere = errors.New("another process is at it")

// RefusedError says that an effect can never be brought about. The reason is stored in clear, for good.
type RefusedError struct {
	Reason string
	Err    error // may tell more; it is logged
}

func (e *RefusedError) Error() string { return e.Reason }
func (e *RefusedError) Unwrap() error { return e.Err }

// Status is how a reactor stands.
type Status struct {
	Reactor  string
	Position eventstore.Position // everything up to here was seen
	Open     int                 // causes of which the effect is not known to be there
	Refused  int                 // effects that can never be brought about, by all processes, ever
	Fault    error               // what the log, or the last effect that failed, came to; nil: all is well
}
