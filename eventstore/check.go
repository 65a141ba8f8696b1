package eventstore

import "github.com/google/uuid"

// MaxType is the most bytes that the name of an event type may have.
const MaxType = 256

// Check refuses, with an *InvalidError or a *TooLargeError, an append that no store takes, and returns the size of the
// rest as MaxAppend counts it. Every Append begins with it.
func Check(stream StreamID, expected Revision, events []Event) (size int, err error) {
	if err := stream.Validate(); err != nil {
		return 0, err
	}
	if expected < NoStream {
		return 0, &InvalidError{What: "expected revision", Why: "must be NoStream or at least 0"}
	}
	if len(events) == 0 {
		return 0, &InvalidError{What: "append", Why: "must have at least one event"}
	}
	var ids map[uuid.UUID]bool
	if len(events) > 1 {
		ids = make(map[uuid.UUID]bool, len(events))
	}
	for _, e := range events {
		switch {
		case e.ID == uuid.Nil:
			return 0, &InvalidError{What: "event id", Why: "must be given, so that a repeat is recognised"}
		case ids[e.ID]:
			return 0, &InvalidError{What: "event id", Why: "must not be used twice in one append"}
		case e.Type == "" || len(e.Type) > MaxType:
			return 0, &InvalidError{What: "event type", Why: "must have 1 to 256 bytes"}
		}
		if ids != nil {
			ids[e.ID] = true
		}
		size += len(e.Type) + len(e.Data) + len(e.Metadata)
	}
	if size > MaxAppend {
		return 0, &TooLargeError{Size: size}
	}
	return size, nil
}
