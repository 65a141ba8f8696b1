package kurrenttest

import (
	"strings"

	"rolewise/eventstore"
)

// foreign is the category of the streams whose names do not have the port's form. Each is kept whole as the id.
const foreign = "kurrentdb"

var (
	escape   = strings.NewReplacer("\x01", "\x01b", "\x00", "\x01a")
	unescape = strings.NewReplacer("\x01b", "\x01", "\x01a", "\x00")
)

// streamOf maps the name of a stream on the wire to the stream of the port, injectively.
func streamOf(name string) (eventstore.StreamID, error) {
	if stream, err := eventstore.ParseStreamID(name); err == nil && stream.Category != foreign {
		return stream, nil
	}
	stream := eventstore.StreamID{Category: foreign, Plan: "front", ID: escape.Replace(name)}
	return stream, stream.Validate()
}

// nameOf is the inverse of streamOf.
func nameOf(stream eventstore.StreamID) string {
	if stream.Category == foreign && stream.Plan == "front" {
		return unescape.Replace(stream.ID)
	}
	return stream.String()
}
