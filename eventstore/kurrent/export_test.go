package kurrent

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
)

// Idle sets after how long without events the end of the log is read.
func Idle(d time.Duration) Option { return func(o *options) { o.idle = d } }

// Clock sets what tells the time of a restore.
func Clock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// IdentityStream is the stream that names the log.
var IdentityStream = identityStream

// BareCodec takes the completing codec away. Only a process that runs nothing else may do that.
func BareCodec() {
	if c, ok := encoding.GetCodecV2(proto.Name).(completing); ok {
		encoding.RegisterCodecV2(c.CodecV2)
	}
}
