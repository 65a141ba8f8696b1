package kurrenttest

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"math"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"google.golang.org/grpc"

	"rolewise/eventstore"
)

// Expectations that are no revision.
const (
	expectAny    eventstore.Revision = -2
	expectExists eventstore.Revision = -4
)

// proposal is an append as it came over the wire.
type proposal struct {
	options  *streams.AppendReq_Options
	name     string
	expected eventstore.Revision
	events   []eventstore.Event
	json     []bool
}

// outcome is a committed append, or the refusal of one.
type outcome struct {
	refused  bool
	last     eventstore.Revision // of the append; if refused, of the stream
	position eventstore.Position
}

type appendStream = grpc.ClientStreamingServer[streams.AppendReq, streams.AppendResp]

// receive reads a whole append, so that a client is never answered while it is sending.
func receive(stream appendStream) (*proposal, error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	p := &proposal{options: first.GetOptions()}
	var refused error
	if p.options == nil {
		refused = invalid("the first message of an append must be its options")
	} else if p.name, p.expected, refused = target(p.options); refused == nil && p.name == "" {
		refused = invalid("the stream name is empty")
	}
	size := 0
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return p, refused
		}
		if err != nil {
			return nil, err
		}
		if refused == nil {
			refused = p.add(request.GetProposedMessage(), &size)
		} else if size += len(request.GetProposedMessage().GetData()); size > 32*eventstore.MaxAppend {
			return nil, refused
		}
	}
}

func target(o *streams.AppendReq_Options) (name string, expected eventstore.Revision, err error) {
	name = string(o.GetStreamIdentifier().GetStreamName())
	switch e := o.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Revision:
		if e.Revision > math.MaxInt64 {
			return name, 0, invalid("the expected revision is too large")
		}
		return name, eventstore.Revision(e.Revision), nil
	case *streams.AppendReq_Options_NoStream:
		return name, eventstore.NoStream, nil
	case *streams.AppendReq_Options_Any:
		return name, expectAny, nil
	case *streams.AppendReq_Options_StreamExists:
		return name, expectExists, nil
	}
	return name, 0, invalid("the append has no expected revision")
}

// add takes one proposed event, or says why it cannot.
func (p *proposal) add(m *streams.AppendReq_ProposedMessage, size *int) error {
	if m == nil {
		return invalid("an append must go on with proposed events")
	}
	kind, ok := m.Metadata["type"]
	if !ok {
		return metadataMissing("type")
	}
	content, ok := m.Metadata["content-type"]
	if !ok {
		return metadataMissing("content-type")
	}
	*size += len(kind) + len(m.Data) + len(m.CustomMetadata)
	if *size > eventstore.MaxAppend {
		return appendTooLarge()
	}
	id, err := readID(m.Id)
	if err != nil {
		return err
	}
	if id == uuid.Nil {
		return invalid("the event id is empty")
	}
	p.events = append(p.events, eventstore.Event{ID: id, Type: kind, Data: m.Data, Metadata: m.CustomMetadata})
	p.json = append(p.json, content == jsonContent)
	return nil
}

// writing keeps what makes appends without an exact revision idempotent: where the recent events of a stream stand.
type writing struct {
	locks  [64]sync.Mutex
	seed   maphash.Seed
	recent *lru.Cache[eventstore.StreamID, *recent]
}

// recent is what is known of one stream. It is guarded by the lock of its stream.
type recent struct {
	last eventstore.Revision
	at   map[uuid.UUID]eventstore.Revision
}

// remembered is how many events of a stream, and how many streams, are recognised when an append without an exact
// revision is repeated. The server has such a limit too.
const remembered = 4096

func newWriting() *writing {
	recent, err := lru.New[eventstore.StreamID, *recent](remembered)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &writing{seed: maphash.MakeSeed(), recent: recent}
}

func (w *writing) lock(stream eventstore.StreamID) *sync.Mutex {
	return &w.locks[maphash.Comparable(w.seed, stream)%uint64(len(w.locks))]
}

// append commits a proposal.
func (b *backend) append(ctx context.Context, p *proposal) (outcome, error) {
	stream, err := streamOf(p.name)
	if err != nil {
		return outcome{}, err
	}
	if b.system.owns(p.name) {
		return outcome{}, accessDenied()
	}
	if err := b.deleted(p.name); err != nil {
		return outcome{}, err
	}
	switch {
	case len(p.events) == 0:
		return b.appendNothing(ctx, stream, p.expected)
	case p.expected == expectAny || p.expected == expectExists:
		return b.appendAnywhere(ctx, stream, p)
	}
	return b.appendAt(ctx, stream, p.expected, p)
}

// appendAt commits at an exact revision. A stream at another one is an outcome, not an error.
func (b *backend) appendAt(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, p *proposal) (outcome, error) {
	var noted []place
	for i, e := range p.events {
		where := place{stream: stream, revision: at + 1 + eventstore.Revision(i), id: e.ID}
		if b.declared.note(where, e, p.json[i]) {
			noted = append(noted, where)
		}
	}
	position, err := b.store.Append(ctx, stream, at, p.events...)
	if conflict := (*eventstore.ConflictError)(nil); errors.As(err, &conflict) {
		b.declared.forget(noted)
		return outcome{refused: true, last: conflict.Have}, nil
	}
	if err != nil {
		return outcome{}, err // perhaps committed: what was noted stays
	}
	last := at + eventstore.Revision(len(p.events))
	b.atLeast(stream, last)
	return outcome{last: last, position: position}, nil
}

// appendAnywhere commits at the end of the stream, unless its events are there already.
func (b *backend) appendAnywhere(ctx context.Context, stream eventstore.StreamID, p *proposal) (outcome, error) {
	lock := b.writing.lock(stream)
	lock.Lock()
	defer lock.Unlock()
	for {
		known, err := b.recall(ctx, stream)
		if err != nil {
			return outcome{}, err
		}
		if known.last == eventstore.NoStream && p.expected == expectExists {
			return outcome{refused: true, last: known.last}, nil
		}
		if first, repeat := known.at[p.events[0].ID]; repeat {
			// The store recognises the repeat, or refuses one that matches in part.
			return b.appendAt(ctx, stream, first-1, p)
		}
		done, err := b.appendAt(ctx, stream, known.last, p)
		if err != nil || !done.refused {
			return done, err
		}
	}
}

// recall reads on in a stream, to know where it ends and where its recent events stand.
func (b *backend) recall(ctx context.Context, stream eventstore.StreamID) (*recent, error) {
	known, ok := b.writing.recent.Get(stream)
	if !ok {
		known = &recent{last: eventstore.NoStream, at: map[uuid.UUID]eventstore.Revision{}}
		b.writing.recent.Add(stream, known)
	}
	for e, err := range b.store.Read(ctx, stream, known.last+1) {
		if err != nil {
			return nil, err
		}
		known.last = e.Revision
		known.at[e.ID] = e.Revision
		if len(known.at) > 2*remembered {
			maps.DeleteFunc(known.at, func(_ uuid.UUID, r eventstore.Revision) bool { return r <= known.last-remembered })
		}
	}
	return known, nil
}

// appendNothing only checks the expectation.
func (b *backend) appendNothing(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision) (outcome, error) {
	last, err := b.last(ctx, stream)
	if err != nil {
		return outcome{}, err
	}
	wrong := expected == expectExists && last == eventstore.NoStream || expected >= eventstore.NoStream && expected != last
	info, err := b.store.Info(ctx)
	return outcome{refused: wrong, last: last, position: info.Head}, err
}

func (p *proposal) response(o outcome) *streams.AppendResp {
	if o.refused {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: p.wrong(o.last)}}
	}
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}
	if o.last >= 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(o.last)}
	}
	if o.position > 0 {
		c := commitOf(o.position)
		success.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: c, PreparePosition: c}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// wrong fills both generations of the fields.
func (p *proposal) wrong(last eventstore.Revision) *streams.AppendResp_WrongExpectedVersion {
	w, none := &streams.AppendResp_WrongExpectedVersion{}, &shared.Empty{}
	if last < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: none}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(last)}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(last)}
	}
	switch p.expected {
	case expectAny:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: none}
	case expectExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: none}
	case eventstore.NoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(p.expected)}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(p.expected)}
	}
	return w
}
