package kurrenttest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"

	"rolewise/eventstore"
)

type readStream = grpc.ServerStreamingServer[streams.ReadResp]

// reading is one Read call.
type reading struct {
	*backend
	ctx     context.Context
	options *streams.ReadReq_Options
	out     readStream
	faults  *callFaults
	filter  *filter
	asText  bool
	strict  bool
}

// run answers the call: four kinds of read and two of subscription.
func (r *reading) run() error {
	_, subscription := r.options.CountOption.(*streams.ReadReq_Options_Subscription)
	if _, counted := r.options.CountOption.(*streams.ReadReq_Options_Count); !counted && !subscription {
		return invalid("a read has either a count or is a subscription")
	}
	_, r.asText = r.options.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	var err error
	if r.filter, err = readFilter(r.options, subscription); err != nil {
		return err
	}
	backwards := r.options.ReadDirection == streams.ReadReq_Options_Backwards
	switch from := r.options.StreamOption.(type) {
	case *streams.ReadReq_Options_Stream:
		name := string(from.Stream.GetStreamIdentifier().GetStreamName())
		switch {
		case name == "":
			return invalid("the stream name is empty")
		case r.filter != nil || subscription && backwards:
			return r.nonsense()
		case subscription:
			return r.subscribeStream(name, from.Stream)
		}
		return r.readStream(name, from.Stream, backwards)
	case *streams.ReadReq_Options_All:
		at, err := r.position(from.All, backwards)
		switch {
		case err != nil:
			return err
		case subscription && backwards:
			return r.nonsense()
		case subscription:
			return r.subscribeAll(at)
		}
		return r.readAll(at, backwards)
	}
	return invalid("a read names a stream or $all")
}

func (r *reading) nonsense() error {
	return invalid("The combination of direction, filter and subscription is invalid.")
}

// position returns a commit position; end stands for the end of the log.
func (r *reading) position(o *streams.ReadReq_Options_AllOptions, backwards bool) (uint64, error) {
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return end, nil
	case *streams.ReadReq_Options_AllOptions_Position:
		commit := at.Position.GetCommitPosition()
		if at.Position.GetPreparePosition() > commit {
			return 0, invalid("the commit position cannot be less than the prepare position")
		}
		if r.strict && !r.system.valid(commit) {
			return 0, invalid("Trying to read from an invalid position")
		}
		return commit, nil
	}
	return 0, invalid("a read of $all needs a position")
}

func (r *reading) readAll(at uint64, backwards bool) error {
	last, err := r.lastCommit()
	if err != nil || !backwards && at > last {
		return err
	}
	events := r.forward(r.ctx, at)
	if backwards {
		events = r.backward(r.ctx, at)
	}
	count := r.options.GetCount()
	for e, err := range events {
		if err != nil {
			return err
		}
		if count == 0 || !backwards && e.commit > last { // what came since would keep the read going for ever
			return nil
		}
		if !r.filter.passes(&e) {
			continue
		}
		if err := r.send(&e); err != nil {
			return err
		}
		if count--; count == 0 {
			return nil
		}
	}
	return nil
}

func revisionOf(o *streams.ReadReq_Options_StreamOptions) (uint64, error) {
	switch at := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return end, nil
	case *streams.ReadReq_Options_StreamOptions_Revision:
		return at.Revision, nil
	}
	return 0, invalid("a read of a stream needs a revision")
}

func (r *reading) readStream(name string, o *streams.ReadReq_Options_StreamOptions, backwards bool) error {
	from, err := revisionOf(o)
	if err != nil {
		return err
	}
	if err := r.deleted(name); err != nil {
		return err
	}
	if r.system.owns(name) {
		return r.readSystem(name, from, backwards)
	}
	v, err := r.look(r.ctx, name, backwards || r.options.GetControlOption().GetCompatibility() > 0)
	if err != nil {
		return err
	}
	events := r.stream(r.ctx, v, from)
	if backwards {
		events = r.streamBack(r.ctx, v, from)
	}
	sent, err := r.count(events)
	if err != nil {
		return err
	}
	if sent == 0 && v.last == unknown {
		if v.last, err = r.last(r.ctx, v.stream); err != nil {
			return err
		}
	}
	if v.last == eventstore.NoStream {
		return r.notFound(name)
	}
	return r.bounds(v, from, sent, backwards)
}

// readSystem reads a stream of system events out of $all.
func (r *reading) readSystem(name string, from uint64, backwards bool) error {
	if backwards {
		upTo := func(e event) bool { return e.revision <= from }
		_, err := r.count(where(upTo, of(name, 0, r.backward(r.ctx, end))))
		return err
	}
	_, err := r.count(of(name, from, r.forward(r.ctx, 0)))
	return err
}

func where(keep func(event) bool, events iter.Seq2[event, error]) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		for e, err := range events {
			if (err != nil || keep(e)) && !yield(e, err) {
				return
			}
		}
	}
}

// count sends as many events as were asked for.
func (r *reading) count(events iter.Seq2[event, error]) (sent uint64, err error) {
	most := r.options.GetCount()
	if most == 0 {
		return 0, nil
	}
	for e, err := range events {
		if err != nil {
			return sent, err
		}
		if err := r.send(&e); err != nil {
			return sent, err
		}
		if sent++; sent == most {
			break
		}
	}
	return sent, nil
}

// bounds tells newer clients where the stream begins and ends.
func (r *reading) bounds(v view, from, sent uint64, backwards bool) error {
	if r.options.GetControlOption().GetCompatibility() < 1 {
		return nil
	}
	if first := uint64(max(v.low, 0)); sent == 0 && !backwards && from < first {
		if err := r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: first}}); err != nil {
			return err
		}
	}
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(v.last)}})
}

func (r *reading) notFound(name string) error {
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)},
	}}})
}

// send puts an event on the wire. A link is resolved if the client asked for it; then both are sent.
func (r *reading) send(e *event) error {
	if err := r.faults.beforeEvent(r.ctx); err != nil {
		return err
	}
	created := !r.faults.withoutCreated()
	message := &streams.ReadResp_ReadEvent{
		Event:    e.wire(r.asText, created),
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.commit},
	}
	if e.kind == "$>" && r.options.ResolveLinks {
		message.Link, message.Event = message.Event, nil
		switch linked, err := r.linked(e); {
		case err == nil:
			message.Event = linked.wire(r.asText, created)
		case !errors.Is(err, errNoEvent):
			return err
		}
	}
	return r.out.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: message}})
}

// linked reads the event that a link ("revision@stream") points to.
func (r *reading) linked(link *event) (event, error) {
	number, name, ok := bytes.Cut(link.data, []byte("@"))
	revision, err := strconv.ParseUint(string(number), 10, 63)
	if !ok || err != nil || len(name) == 0 || revision >= math.MaxInt64 {
		return event{}, errNoEvent
	}
	return r.at(r.ctx, string(name), revision)
}
