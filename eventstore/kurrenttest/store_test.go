package kurrenttest_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

// plain hides what a store offers beyond the port.
type plain struct{ eventstore.Store }

// reversible can read backwards, and counts how often it does.
type reversible struct {
	eventstore.Store
	used *atomic.Int64
}

func (r reversible) Before(ctx context.Context, p eventstore.Position, n int) ([]eventstore.Recorded, error) {
	r.used.Add(1)
	var events []eventstore.Recorded
	for page, err := range r.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if e.Position < p {
				events = append(events, e)
			}
		}
		if page.Live {
			break
		}
	}
	slices.Reverse(events)
	return events[:min(n, len(events))], nil
}

// Backwards is the same whether the store can read so or not.
func TestStoresThatReadBackwards(t *testing.T) {
	store := openStore(t)
	used := new(atomic.Int64)
	var got [2][]uint64
	for i, s := range []eventstore.Store{plain{store}, reversible{store, used}} {
		client := connect(t, startFront(t, s).ConnectionString())
		if i == 0 {
			appendTo(t, client, "s", esdb.NoStream{}, some(1200, "A")...)
		}
		stream, err := client.ReadAll(patience(t), esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 5000)
		for _, e := range collect(t, stream, err) {
			got[i] = append(got[i], e.Position.Commit)
		}
	}
	if len(got[0]) != 1200+240+3 || !slices.Equal(got[0], got[1]) || used.Load() < 3 {
		t.Errorf("%d events without, %d with the ability, used %d times", len(got[0]), len(got[1]), used.Load())
	}
	if !slices.IsSortedFunc(got[0], func(a, b uint64) int { return int(b) - int(a) }) {
		t.Error("not newest first")
	}
}

// A subscriber that can no longer keep up with the log is told so, and told when it can again.
func TestFellBehind(t *testing.T) {
	store, err := sqlite.Open(t.Context(), file(t, "log.db", nil), sqlite.PageSize(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	client := connect(t, startFront(t, store, kurrenttest.SystemEvents(0)).ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...)
	s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want(t, heard(t, s, "caught up"), "s@0", "caught up")
	appendTo(t, client, "s", esdb.Revision(0), some(3, "A")...)
	want(t, heard(t, s, "caught up"), "fell behind", "s@1", "s@2", "s@3", "caught up")
}

// broken fails where it is told to.
type broken struct {
	eventstore.Store
	err error
}

func (b broken) Append(context.Context, eventstore.StreamID, eventstore.Revision, ...eventstore.Event) (eventstore.Position, error) {
	return 0, b.err
}

func TestErrorsOfTheStore(t *testing.T) {
	store := openStore(t)
	for name, tt := range map[string]struct {
		err  error
		want esdb.ErrorCode
	}{
		"unavailable":       {&eventstore.UnavailableError{Err: errors.New("disk full")}, esdb.ErrorUnavailable},
		"perhaps committed": {&eventstore.UnavailableError{Unknown: true, Err: errors.New("fsync")}, esdb.ErrorAborted},
		"closed":            {eventstore.ErrClosed, esdb.ErrorUnavailable},
		"any other":         {errors.New("x"), esdb.ErrorCodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			client := connect(t, startFront(t, broken{store, tt.err}).ConnectionString())
			_, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{}, some(1, "A")...)
			if err == nil || code(t, err) != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// After Close nothing of the front runs on, whatever its clients are doing.
func TestCloseLeavesNothingBehind(t *testing.T) {
	store := openStore(t)
	appendWherever(t, store, eventstore.StreamID{Category: "role", Plan: "acme", ID: "a"}, []eventstore.Event{{ID: uuid.New(), Type: "A"}}) // it runs
	before := goleak.IgnoreCurrent()
	front, err := kurrenttest.Start(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(front.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	call, err := streams.NewStreamsClient(conn).Read(t.Context(), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := call.Recv(); err != nil || m.GetConfirmation().GetSubscriptionId() == "" {
		t.Fatalf("got %v, %v", m, err)
	}
	if n := front.Streams(); n != 1 {
		t.Errorf("%d streams run", n)
	}
	if err := front.Close(); err != nil {
		t.Error(err)
	}
	if n := front.Streams(); n != 0 {
		t.Errorf("after Close %d streams run", n)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

// busy is a store in which something is appended at the worst moments.
type busy struct {
	eventstore.Store
	onInfo func() // before the end of the log is told
	onPage func() // before each page of a Follow, which then is not the last
}

func (b busy) Info(ctx context.Context) (eventstore.Info, error) {
	if b.onInfo != nil {
		b.onInfo()
	}
	return b.Store.Info(ctx)
}

func (b busy) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range b.Store.Follow(ctx, after, f) {
			if b.onPage != nil {
				b.onPage()
				page.Live = false
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// Between history and live no event is lost, and none comes twice.
func TestAppendedWhileSubscribing(t *testing.T) {
	store := openStore(t)
	stream := eventstore.StreamID{Category: "role", Plan: "acme", ID: "a"}
	add := func() { appendWherever(t, store, stream, []eventstore.Event{{ID: uuid.New(), Type: "A"}}) }
	add()
	client := connect(t, startFront(t, busy{Store: store, onInfo: add}, kurrenttest.SystemEvents(0)).ConnectionString())
	s, err := client.SubscribeToStream(t.Context(), stream.String(), esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name := stream.String()
	want(t, heard(t, s, "caught up"), name+"@0", name+"@1", "caught up")
	add()
	want(t, heard(t, s, name+"@2"), name+"@2")
}

// A read ends with what there was when it began, even if something is appended as fast as it is read.
func TestReadsEndInABusyLog(t *testing.T) {
	store := openStore(t)
	stream := eventstore.StreamID{Category: "role", Plan: "acme", ID: "a"}
	add := func() { appendWherever(t, store, stream, []eventstore.Event{{ID: uuid.New(), Type: "A"}}) }
	add()
	client := connect(t, startFront(t, busy{Store: store, onPage: add}, kurrenttest.SystemEvents(0)).ConnectionString())
	got, err := client.ReadAll(patience(t), esdb.ReadAllOptions{}, math.MaxUint64)
	if events := collect(t, got, err); len(events) != 1 {
		t.Errorf("read %d events", len(events))
	}
}
