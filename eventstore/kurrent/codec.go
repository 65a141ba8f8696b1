package kurrent

import (
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// The client calls log.Fatal on an event without a readable "created" among its system metadata: one such event would
// end every process that reads the log, again and again. The only place where the message can be completed before the
// client sees it is the codec of gRPC, which must be registered while the program is initialised. Every other message of
// the process passes through unchanged.
var _ = registered()

func registered() bool {
	encoding.RegisterCodecV2(completing{encoding.GetCodecV2(proto.Name)})
	return true
}

// completing is the codec of protocol buffers, which gives events a time of creation where the server gave none.
type completing struct{ encoding.CodecV2 }

func (c completing) Unmarshal(data mem.BufferSlice, v any) error {
	if err := c.CodecV2.Unmarshal(data, v); err != nil {
		return err
	}
	if r, ok := v.(*streams.ReadResp); ok {
		complete(r.GetEvent().GetEvent())
		complete(r.GetEvent().GetLink())
	}
	return nil
}

const created = "created"

func complete(e *streams.ReadResp_ReadEvent_RecordedEvent) {
	if e == nil {
		return
	}
	if _, err := strconv.ParseInt(e.Metadata[created], 10, 64); err == nil {
		return
	}
	if e.Metadata == nil {
		e.Metadata = map[string]string{}
	}
	e.Metadata[created] = "0"
}
