package eventstore

import (
	"errors"
	"fmt"
)

// ConflictError says that a stream was not at the expected revision, and that the append was not a repeat either.
type ConflictError struct {
	Stream     StreamID
	Want, Have Revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not %d", e.Stream, e.Have, e.Want)
}

// TooLargeError says that an append exceeds MaxAppend.
type TooLargeError struct{ Size int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("append of %d bytes exceeds the limit of %d", e.Size, MaxAppend)
}

// InvalidError says that a name, a position or an event cannot be stored.
type InvalidError struct{ What, Why string }

func (e *InvalidError) Error() string { return e.What + " " + e.Why }

// UnavailableError says that the store takes no appends at present: disk full, failed disk, no connection.
// Reads may still work. Unknown tells that the append may have been committed all the same.
type UnavailableError struct {
	Unknown bool
	Err     error
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("event store unavailable: %v", e.Err) }
func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrClosed is returned by every call on a closed store.
var ErrClosed = errors.New("event store is closed")

// ErrRestored says that the log is not the one any more that this store began with: it was restored from a backup while
// it was open. What was read from it may be gone, so the process has to be started again.
var ErrRestored = errors.New("the log was restored from a backup: start the process again")
