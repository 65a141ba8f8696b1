package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"

	"rolewise/telemetry"
)

// TraceOf returns the trace of a correlation id: the first 16 bytes of the SHA-256 of "rolewise trace " and the id. A
// correlation id that is a UUID is not taken as it is, since samplers by ratio expect random bits in every place.
func TraceOf(correlation string) trace.TraceID {
	sum := sha256.Sum256([]byte("rolewise trace " + correlation))
	return trace.TraceID(sum[:16])
}

// ids gives a span without a parent the trace of its context's correlation id.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	if correlation := telemetry.Correlation(ctx); correlation != "" {
		id = TraceOf(correlation)
	} else {
		binary.BigEndian.PutUint64(id[:8], some())
		binary.BigEndian.PutUint64(id[8:], some())
	}
	return id, newSpan()
}

func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return newSpan() }

func newSpan() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], some())
	return id
}

// some returns a random number that is not 0, which no id may be.
func some() uint64 { return max(1, rand.Uint64()) }
