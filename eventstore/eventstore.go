// Package eventstore is the port to the event log, the only truth in the system.
//
// It moves bytes: what an event means is known to the domain catalogs above it. Implementations live in
// subpackages (sqlite, kurrent), decorators too (shred), and all of them run the contract in storetest.
package eventstore

import (
	"context"
	"iter"
	"strconv"

	"github.com/google/uuid"
)

// MaxAppend is the most that one Append may carry, in bytes of data, metadata and type names together.
const MaxAppend = 1 << 20

// Position is a place in the global order of events. It only grows, in commit order; 0 is before the first event.
type Position uint64

// String returns the decimal form that clients see. It is opaque to them.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// ParsePosition reads the decimal form. Signs, spaces and leading zeros are refused, so that one position has one text.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, &InvalidError{What: "position", Why: "must be a decimal number as an earlier answer gave it"}
	}
	return Position(n), nil
}

// Revision counts the events of one stream from 0.
type Revision int64

// NoStream is the revision of a stream without events; as the expectation of an Append it demands that there are none.
const NoStream Revision = -1

// Event is what a caller appends. ID is chosen by the caller and makes a repeated append recognisable.
type Event struct {
	ID       uuid.UUID
	Type     string
	Data     []byte
	Metadata []byte // JSON of Metadata
}

// Recorded is an event as the store keeps it.
type Recorded struct {
	Event
	Stream   StreamID
	Revision Revision
	Position Position
}

// Filter chooses events of a Follow. The zero value takes every event. Conditions are combined with "and".
type Filter struct {
	Types    []string // event types; empty: all
	Prefixes []string // prefixes of stream names, such as "role-" or "role-acme."; empty: all
	Plan     string   // one plan; empty: all. Served by the plan index, so that its cost grows with the plan, not the log
	PageSize int      // most events of a page; 0: the store's default
}

// Page is the unit of delivery, commit, acknowledgement and lag.
//
// A page covers the log from After (exclusive) to Through (inclusive): each event there that passes the filter is in
// Events, in order. After equals the Through of the page before, so pages neither overlap nor leave a gap.
type Page struct {
	Events  []Recorded
	After   Position
	Through Position // may lie beyond the last event: filtered events move it too
	Head    Position // end of the log when the page was made
	Live    bool     // Through has reached Head: nothing more was known when the page was made
}

// Info names a store, so that a checkpoint of another or an older log is recognised.
type Info struct {
	ID    string   // given once, at creation
	Epoch int      // grows with each restore from a backup
	Head  Position // last committed position
}

// Store is an append-only log of streams. Implementations are safe for concurrent use.
type Store interface {
	// Append adds events to a stream, all or none, if its last revision is expected, and returns the position of
	// the last of them. Positions grow in commit order: whoever has seen P has seen everything below P.
	// A repeat of an append (same ids at the same place) returns the first result. Else: *ConflictError.
	// When the context ends or the store fails in between, the outcome is unknown: repeat with the same ids.
	Append(ctx context.Context, stream StreamID, expected Revision, events ...Event) (Position, error)

	// Read yields the events of a stream from a revision on, up to its end. A stream without events yields none.
	Read(ctx context.Context, stream StreamID, from Revision) iter.Seq2[Recorded, error]

	// Follow yields pages of the log after a position: history first, then live for as long as the context lasts.
	// A page with Live set, possibly empty, is yielded as soon as the end is reached; later ones when something was
	// committed. Ends with the context's error.
	Follow(ctx context.Context, after Position, filter Filter) iter.Seq2[Page, error]

	// Info tells which store this is and how far it goes.
	Info(ctx context.Context) (Info, error)

	// Close ends all reads and appends and releases the store.
	Close() error
}
