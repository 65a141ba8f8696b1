package kurrenttest

import (
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

const (
	jsonContent   = "application/json"
	binaryContent = "application/octet-stream"
)

// event is an event as the wire knows it.
type event struct {
	id             uuid.UUID
	kind           string
	stream         string
	revision       uint64
	commit         uint64
	data, metadata []byte
	json           bool
	created        time.Time
}

// ticks counts 100 ns since the Unix epoch.
func ticks(t time.Time) int64 { return t.Unix()*10_000_000 + int64(t.Nanosecond()/100) }

// wire puts an event into a message.
func (e *event) wire(asText, created bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	content := binaryContent
	if e.json {
		content = jsonContent
	}
	r := &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               wireID(e.id, asText),
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.stream)},
		StreamRevision:   e.revision,
		PreparePosition:  e.commit,
		CommitPosition:   e.commit,
		Metadata:         map[string]string{"type": e.kind, "content-type": content},
		CustomMetadata:   e.metadata,
		Data:             e.data,
	}
	if created {
		r.Metadata["created"] = strconv.FormatInt(ticks(e.created), 10)
	}
	return r
}

func wireID(id uuid.UUID, asText bool) *shared.UUID {
	if asText {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

func readID(id *shared.UUID) (uuid.UUID, error) {
	if s := id.GetStructured(); s != nil {
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[:8], uint64(s.MostSignificantBits))
		binary.BigEndian.PutUint64(u[8:], uint64(s.LeastSignificantBits))
		return u, nil
	}
	u, err := uuid.Parse(id.GetString_())
	if err != nil {
		return uuid.Nil, invalid("'" + id.GetString_() + "' is not a valid event id")
	}
	return u, nil
}

// looksLikeJSON is the content type of an event of which none was declared.
func looksLikeJSON(data []byte) bool { return json.Valid(data) }

// ownTime returns the time that Rolewise writes into the metadata of its events.
func ownTime(metadata []byte) (time.Time, bool) {
	if len(metadata) == 0 || metadata[0] != '{' {
		return time.Time{}, false
	}
	m, err := eventstore.DecodeMetadata(metadata)
	ok := err == nil && m.Schema > 0 && m.Plan != "" && m.Actor != "" && !m.Time.IsZero()
	return m.Time, ok
}

// place is where an event stands or would stand. The id keeps two appends apart that compete for one revision.
type place struct {
	stream   eventstore.StreamID
	revision eventstore.Revision
	id       uuid.UUID
}

// declarations remembers, for as long as the process lives, what clients said of events and the port cannot hold. It
// keeps 16 bytes an event: a hash of its place, and what was said.
type declarations struct {
	since time.Time
	seed  maphash.Seed
	mu    sync.RWMutex
	of    map[uint64]declaration
}

// declaration is the time of creation in ticks, doubled; the last bit tells that the data is JSON.
type declaration int64

func declare(created time.Time, json bool) declaration {
	d := declaration(ticks(created)) << 1
	if json {
		d |= 1
	}
	return d
}

func (d declaration) created() time.Time {
	t := int64(d >> 1)
	return time.Unix(t/10_000_000, t%10_000_000*100)
}

func (d declaration) json() bool { return d&1 == 1 }

func newDeclarations() *declarations {
	return &declarations{since: time.Now(), seed: maphash.MakeSeed(), of: map[uint64]declaration{}}
}

// note remembers a declaration that cannot be told from the event, before the event is appended so that no reader is
// faster. It returns false when there was nothing to note, or when a repeat finds the first one.
func (d *declarations) note(at place, e eventstore.Event, json bool) bool {
	created, own := ownTime(e.Metadata)
	if own && json == looksLikeJSON(e.Data) {
		return false
	}
	if !own {
		created = time.Now()
	}
	key := maphash.Comparable(d.seed, at)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.of[key]; known {
		return false
	}
	d.of[key] = declare(created, json)
	return true
}

func (d *declarations) forget(noted []place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range noted {
		delete(d.of, maphash.Comparable(d.seed, at))
	}
}

// event completes an event of the store with what was declared of it.
func (d *declarations) event(r *eventstore.Recorded) event {
	e := event{
		id: r.ID, kind: r.Type, stream: nameOf(r.Stream), revision: uint64(r.Revision), commit: commitOf(r.Position),
		data: r.Data, metadata: r.Metadata,
	}
	key := maphash.Comparable(d.seed, place{r.Stream, r.Revision, r.ID})
	d.mu.RLock()
	known, ok := d.of[key]
	d.mu.RUnlock()
	if ok {
		e.json, e.created = known.json(), known.created()
		return e
	}
	e.json = looksLikeJSON(r.Data)
	var own bool
	if e.created, own = ownTime(r.Metadata); !own {
		e.created = d.since
	}
	return e
}
