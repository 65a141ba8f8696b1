package otel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// meter keeps what it is told.
type meter struct {
	mu       sync.Mutex
	appends  []string // outcome and number of events
	appended time.Duration
	read     int
}

func (m *meter) Appended(events int, took time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appends = append(m.appends, fmt.Sprint(Outcome(err), " ", events))
	m.appended += took
}

func (m *meter) Read(events int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read += events
}

func recorder() (*tracetest.SpanRecorder, trace.Tracer) {
	spans := tracetest.NewSpanRecorder()
	return spans, sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test")
}

// rooted gives every call a span, so that the contract runs with spans.
type rooted struct {
	eventstore.Store
	tracer trace.Tracer
}

func (r rooted) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	ctx, span := r.tracer.Start(ctx, "root")
	defer span.End()
	return r.Store.Append(ctx, stream, expected, events...)
}

func (r rooted) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	ctx, _ = r.tracer.Start(ctx, "root")
	return r.Store.Read(ctx, stream, from)
}

func TestContract(t *testing.T) {
	_, tracer := recorder()
	for name, decorate := range map[string]func(eventstore.Store) eventstore.Store{
		"off": func(s eventstore.Store) eventstore.Store { return New(s, nil, nil) },
		"on":  func(s eventstore.Store) eventstore.Store { return rooted{New(s, tracer, &meter{}), tracer} },
	} {
		t.Run(name, func(t *testing.T) {
			paths := sync.Map{}
			open := func(t *testing.T, path string) eventstore.Store {
				inner, err := sqlite.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				s := decorate(inner)
				paths.Store(s, path)
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			storetest.Run(t, func(t *testing.T) eventstore.Store { return open(t, filepath.Join(t.TempDir(), "events.db")) },
				storetest.Reopen(func(t *testing.T, s eventstore.Store) eventstore.Store {
					path, _ := paths.Load(s)
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					return open(t, path.(string))
				}))
		})
	}
}

func openStore(t testing.TB) eventstore.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var canary = eventstore.StreamID{Category: "member", Plan: "acme", ID: "canary"}

func event(correlation string) eventstore.Event {
	meta := eventstore.Metadata{Plan: "acme", Time: time.Now(), Actor: "operator", Command: "c", Correlation: correlation, Schema: 1}
	return eventstore.Event{ID: uuid.New(), Type: "MemberInvited", Data: []byte("{}"), Metadata: meta.Encode()}
}

func TestSpans(t *testing.T) {
	spans, tracer := recorder()
	m := &meter{}
	s := New(openStore(t), tracer, m)
	if _, err := s.Append(t.Context(), canary, eventstore.NoStream, event("before")); err != nil {
		t.Fatal(err)
	}
	if n := len(spans.Started()); n > 0 {
		t.Fatalf("OPS-3 %d spans without one around them", n)
	}
	ctx, root := tracer.Start(t.Context(), "root")
	if _, err := s.Append(ctx, canary, 0, event("chosen-by-caller")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, canary, 0, event("late")); err == nil {
		t.Fatal("no conflict")
	}
	if _, err := s.Append(ctx, canary, -5, event("wrong")); err == nil {
		t.Fatal("not refused")
	}
	for _, err := range s.Read(ctx, canary, 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for page, err := range s.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil || page.Live {
			break
		}
	}
	root.End()
	if want := []string{"done 1", "done 1", "conflict 1", "refused 1"}; fmt.Sprint(m.appends) != fmt.Sprint(want) || m.read != 2 || m.appended == 0 {
		t.Errorf("OPS-3 measured %q, %d read, %s", m.appends, m.read, m.appended)
	}
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
		for _, a := range span.Attributes() {
			if a.Value.String() == canary.ID || a.Value.String() == canary.String() {
				t.Errorf("OPS-3 %s tells the stream: %s", span.Name(), a.Key)
			}
		}
		if span.Name() != "root" && span.Parent().SpanID() != root.SpanContext().SpanID() {
			t.Errorf("OPS-3 %s is not below the caller's span", span.Name())
		}
	}
	if want := []string{"append member", "append member", "append member", "read member", "root"}; fmt.Sprint(names) != fmt.Sprint(want) {
		t.Fatalf("OPS-3 spans %q", names)
	}
	check := func(i int, key, want string, status codes.Code) {
		t.Helper()
		span := spans.Ended()[i]
		set := attribute.NewSet(span.Attributes()...)
		if got, _ := set.Value(attribute.Key(key)); got.Emit() != want || span.Status().Code != status {
			t.Errorf("OPS-3 span %d: %s is %q, status %v", i, key, got.Emit(), span.Status())
		}
	}
	check(0, "rolewise.correlation_id", "chosen-by-caller", codes.Unset)
	check(1, "rolewise.outcome", "conflict", codes.Unset)
	check(2, "rolewise.outcome", "refused", codes.Error)
	check(3, "rolewise.events", "2", codes.Unset)
}

func TestOutcome(t *testing.T) {
	for want, err := range map[string]error{
		"done": nil, "conflict": &eventstore.ConflictError{}, "refused": &eventstore.TooLargeError{}, "failed": errors.New("x"),
		"unavailable": &eventstore.UnavailableError{Err: context.Canceled}, "cancelled": context.DeadlineExceeded,
	} {
		if err != nil {
			err = fmt.Errorf("append: %w", err)
		}
		if got := Outcome(err); got != want {
			t.Errorf("OPS-3 %v is %s, want %s", err, got, want)
		}
	}
}

// still answers at once and allocates nothing, so that what remains is the decorator's.
type still struct{ eventstore.Store }

func (still) Append(context.Context, eventstore.StreamID, eventstore.Revision, ...eventstore.Event) (eventstore.Position, error) {
	return 1, nil
}

// TestOff shows that without a collector an append allocates nothing more.
func TestOff(t *testing.T) {
	s, events := New(still{}, nil, nil), []eventstore.Event{event("c")}
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Append(t.Context(), canary, 0, events...) }); n > 0 {
		t.Errorf("OPS-3 an append that is not traced allocates %v times", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	_, tracer := recorder()
	events := []eventstore.Event{event("c")}
	for name, s := range map[string]eventstore.Store{"bare": still{}, "off": New(still{}, nil, nil), "on": rooted{New(still{}, tracer, &meter{}), tracer}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Append(b.Context(), canary, 0, events...)
			}
		})
	}
}
