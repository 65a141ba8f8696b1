package kurrenttest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrenttest"
)

// raw speaks the protocol without the official client, for what that client hides.
func raw(t testing.TB, front *kurrenttest.Server) streams.StreamsClient {
	t.Helper()
	conn, err := grpc.NewClient(front.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return streams.NewStreamsClient(conn)
}

func receiveAll(t testing.TB, call streams.Streams_ReadClient, err error) []*streams.ReadResp {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var all []*streams.ReadResp
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

func TestReadStream(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(1500, "A")...) // more than one window of a backward read
	appendTo(t, client, "s-not", esdb.NoStream{}, some(3, "A")...)
	tests := []struct {
		direction esdb.Direction
		from      esdb.StreamPosition
		count     uint64
		first, n  int // the revision that comes first, and how many come
	}{
		{esdb.Forwards, esdb.Start{}, 10, 0, 10},
		{esdb.Forwards, esdb.Start{}, math.MaxUint64, 0, 1500},
		{esdb.Forwards, esdb.Start{}, 1501, 0, 1500},
		{esdb.Forwards, esdb.Revision(0), 1, 0, 1},
		{esdb.Forwards, esdb.Revision(7), 3, 7, 3},
		{esdb.Forwards, esdb.Revision(1499), 3, 1499, 1},
		{esdb.Forwards, esdb.Revision(1500), 3, 0, 0},
		{esdb.Forwards, esdb.Revision(math.MaxInt64), 3, 0, 0},
		{esdb.Forwards, esdb.End{}, 3, 0, 0},
		{esdb.Backwards, esdb.End{}, 10, 1499, 10},
		{esdb.Backwards, esdb.End{}, math.MaxUint64, 1499, 1500},
		{esdb.Backwards, esdb.Revision(700), 600, 700, 600},
		{esdb.Backwards, esdb.Revision(1), 10, 1, 2},
		{esdb.Backwards, esdb.Revision(9999), 2, 1499, 2},
		{esdb.Backwards, esdb.Start{}, 10, 0, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v %T %v %d", tt.direction, tt.from, tt.from, tt.count), func(t *testing.T) {
			stream, err := client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{Direction: tt.direction, From: tt.from, ResolveLinkTos: true}, tt.count)
			got := collect(t, stream, err)
			if len(got) != tt.n {
				t.Fatalf("read %d events, want %d", len(got), tt.n)
			}
			for i, e := range got {
				want := tt.first + i
				if tt.direction == esdb.Backwards {
					want = tt.first - i
				}
				if e.EventNumber != uint64(want) || e.StreamID != "s" {
					t.Fatalf("event %d is %s@%d, want revision %d", i, e.StreamID, e.EventNumber, want)
				}
			}
		})
	}
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		t.Run(fmt.Sprintf("none, %v", direction), func(t *testing.T) {
			_, err := drain(client.ReadStream(patience(t), "none", esdb.ReadStreamOptions{Direction: direction, From: esdb.End{}}, 5))
			if err == nil || code(t, err) != esdb.ErrorCodeResourceNotFound || !strings.Contains(err.Error(), "'none'") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// all is the log as the store holds it, oldest first, in the form in which a client compares it.
func all(t testing.TB, store eventstore.Store) []string {
	t.Helper()
	var list []string
	for page, err := range store.Follow(patience(t), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			list = append(list, fmt.Sprintf("%s %s %s@%d %d %q %q", e.ID, e.Type, e.Stream, e.Revision, e.Position, e.Data, e.Metadata))
		}
		if page.Live {
			break
		}
	}
	return list
}

func text(e *esdb.RecordedEvent) string {
	p, _ := kurrenttest.StorePosition(e.Position.Commit)
	return fmt.Sprintf("%s %s %s@%d %d %q %q", e.EventID, e.EventType, e.StreamID, e.EventNumber, p, e.Data, e.UserMetadata)
}

// What a client reads, in any direction and cut into any slices, is what the store holds.
func TestReadAllIsTheStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		every := rapid.SampledFrom([]int{0, 1, 5}).Draw(rt, "every")
		store := openStore(t)
		client := connect(t, startFront(t, plain{store}, kurrenttest.SystemEvents(every), kurrenttest.StrictPositions()).ConnectionString())
		for i := range rapid.IntRange(0, 12).Draw(rt, "appends") {
			stream := eventstore.StreamID{Category: "role", Plan: "acme", ID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream")}
			events := make([]eventstore.Event, rapid.IntRange(1, 5).Draw(rt, "events"))
			for j := range events {
				events[j] = eventstore.Event{ID: uuid.New(), Type: "A", Data: fmt.Append(nil, i, j), Metadata: []byte("{}")}
			}
			appendWherever(t, store, stream, events)
		}
		want := all(t, store)
		forwards := inSlices(t, rt, client, esdb.Forwards)
		backwards := inSlices(t, rt, client, esdb.Backwards)
		slices.Reverse(backwards)
		if !slices.Equal(forwards, backwards) {
			rt.Fatalf("forwards %d events, backwards %d:\n%v\n%v", len(forwards), len(backwards), forwards, backwards)
		}
		own := slices.DeleteFunc(forwards, func(s string) bool { return strings.Contains(s, " $") })
		if !slices.Equal(own, want) {
			rt.Fatalf("read\n%v\nwant\n%v", strings.Join(own, "\n"), strings.Join(want, "\n"))
		}
		if extra := len(backwards) - len(want); every == 0 && extra != 0 || every > 0 && extra != 3+len(want)/every {
			rt.Fatalf("%d system events beside %d of the store", extra, len(want))
		}
	})
}

func appendWherever(t testing.TB, store eventstore.Store, stream eventstore.StreamID, events []eventstore.Event) {
	t.Helper()
	at := eventstore.NoStream
	for {
		_, err := store.Append(t.Context(), stream, at, events...)
		if err == nil {
			return
		}
		var conflict *eventstore.ConflictError
		if !errors.As(err, &conflict) {
			t.Fatal(err)
		}
		at = conflict.Have
	}
}

// inSlices reads $all in slices of any size, each beginning at the last event of the one before.
func inSlices(t testing.TB, rt *rapid.T, client *esdb.Client, direction esdb.Direction) []string {
	t.Helper()
	var list []string
	var from esdb.AllPosition = esdb.Start{}
	if direction == esdb.Backwards {
		from = esdb.End{}
	}
	last := ""
	for {
		count := rapid.Uint64Range(2, 20).Draw(rt, "count")
		stream, err := client.ReadAll(patience(t), esdb.ReadAllOptions{Direction: direction, From: from}, count)
		events := collect(t, stream, err)
		for i, e := range events {
			// Forwards a position is inclusive: the event at it comes again. Backwards it is exclusive.
			if again := text(e); i == 0 && direction == esdb.Forwards && last != "" {
				if again != last {
					rt.Fatalf("a read from the position of %s begins with %s", last, again)
				}
				continue
			}
			list = append(list, text(e))
		}
		if uint64(len(events)) < count {
			return list
		}
		e := events[len(events)-1]
		from, last = e.Position, text(e)
	}
}

func TestReadAllEdges(t *testing.T) {
	front := startFront(t, openStore(t), kurrenttest.SystemEvents(0), kurrenttest.StrictPositions())
	client := connect(t, front.ConnectionString())
	read := func(direction esdb.Direction, from esdb.AllPosition, count uint64) (int, error) {
		events, err := drain(client.ReadAll(patience(t), esdb.ReadAllOptions{Direction: direction, From: from}, count))
		return len(events), err
	}
	if n, err := read(esdb.Backwards, esdb.End{}, 10); n != 0 || err != nil {
		t.Errorf("of an empty log, backwards: %d, %v", n, err)
	}
	result := appendTo(t, client, "s", esdb.NoStream{}, some(2000, "A")...)
	at := func(commit uint64) esdb.Position { return esdb.Position{Commit: commit, Prepare: commit} }
	beyond := at(kurrenttest.CommitPosition(5000))
	for name, tt := range map[string]struct {
		direction esdb.Direction
		from      esdb.AllPosition
		count     uint64
		want      int
	}{
		"forwards from the end":         {esdb.Forwards, esdb.End{}, 10, 0},
		"backwards from the start":      {esdb.Backwards, esdb.Start{}, 10, 0},
		"backwards from the end":        {esdb.Backwards, esdb.End{}, math.MaxUint64, 2000},
		"forwards from the last event":  {esdb.Forwards, at(result.CommitPosition), 10, 1},
		"backwards from the last event": {esdb.Backwards, at(result.CommitPosition), 3000, 1999},
		"forwards from beyond":          {esdb.Forwards, beyond, 10, 0},
		"backwards from beyond":         {esdb.Backwards, beyond, 3000, 2000},
		"none":                          {esdb.Forwards, esdb.Start{}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := read(tt.direction, tt.from, tt.count); n != tt.want || err != nil {
				t.Errorf("read %d, %v, want %d", n, err, tt.want)
			}
		})
	}
	t.Run("from between two events", func(t *testing.T) {
		between := at(result.CommitPosition - 1)
		if _, err := read(esdb.Forwards, between, 10); err == nil || !strings.Contains(err.Error(), "invalid position") {
			t.Errorf("strictly: %v", err)
		}
		easy := connect(t, startFront(t, openStore(t), kurrenttest.SystemEvents(0)).ConnectionString())
		result := appendTo(t, easy, "s", esdb.NoStream{}, some(3, "A")...)
		events, err := drain(easy.ReadAll(patience(t), esdb.ReadAllOptions{From: at(result.CommitPosition - 1)}, 10))
		if len(events) != 1 || err != nil {
			t.Errorf("easily: %d events, %v", len(events), err)
		}
	})
}

func TestSystemStreams(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(23, "A")...)
	stream, err := client.ReadAll(patience(t), esdb.ReadAllOptions{}, 1000)
	counted := map[string][]uint64{}
	for _, e := range collect(t, stream, err) {
		counted[e.StreamID] = append(counted[e.StreamID], e.EventNumber)
	}
	delete(counted, "s")
	if len(counted) != 4 || len(counted["$stats-127.0.0.1:2113"]) != 4 {
		t.Errorf("got %v", counted)
	}
	for name, want := range counted {
		stream, err := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{}, 100)
		back, err2 := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 100)
		forwards, backwards := numbers(collect(t, stream, err)), numbers(collect(t, back, err2))
		slices.Reverse(backwards)
		if !slices.Equal(forwards, want) || !slices.Equal(backwards, want) {
			t.Errorf("%s: %v forwards, %v backwards, want %v", name, forwards, backwards, want)
		}
	}
}

func numbers(events []*esdb.RecordedEvent) []uint64 {
	list := make([]uint64, len(events))
	for i, e := range events {
		list[i] = e.EventNumber
	}
	return list
}

func TestStreamMetadata(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	tests := map[string]struct {
		set  func(*esdb.StreamMetadata)
		want []uint64
	}{
		"nothing":         {func(*esdb.StreamMetadata) {}, []uint64{0, 1, 2, 3}},
		"maximum count":   {func(m *esdb.StreamMetadata) { m.SetMaxCount(2) }, []uint64{2, 3}},
		"truncate before": {func(m *esdb.StreamMetadata) { m.SetTruncateBefore(3) }, []uint64{3}},
		"both":            {func(m *esdb.StreamMetadata) { m.SetTruncateBefore(1); m.SetMaxCount(100) }, []uint64{1, 2, 3}},
		"all cut off":     {func(m *esdb.StreamMetadata) { m.SetTruncateBefore(9) }, nil},
		"maximum age":     {func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Hour) }, []uint64{0, 1, 2, 3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			appendTo(t, client, name, esdb.NoStream{}, some(4, "A")...)
			for range 2 { // the last one counts
				var m esdb.StreamMetadata
				m.SetMaxCount(1)
				if _, err := client.SetStreamMetadata(patience(t), name, esdb.AppendToStreamOptions{}, m); err != nil {
					t.Fatal(err)
				}
			}
			var m esdb.StreamMetadata
			tt.set(&m)
			if _, err := client.SetStreamMetadata(patience(t), name, esdb.AppendToStreamOptions{}, m); err != nil {
				t.Fatal(err)
			}
			if got, err := client.GetStreamMetadata(patience(t), name, esdb.ReadStreamOptions{}); err != nil || fmt.Sprint(got) != fmt.Sprint(&m) {
				t.Errorf("the metadata is %v, %v, want %v", got, err, &m)
			}
			stream, err := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{}, 100)
			back, err2 := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 100)
			forwards, backwards := numbers(collect(t, stream, err)), numbers(collect(t, back, err2))
			slices.Reverse(backwards)
			if !slices.Equal(forwards, tt.want) || !slices.Equal(backwards, tt.want) {
				t.Errorf("%v forwards, %v backwards, want %v", forwards, backwards, tt.want)
			}
		})
	}
	t.Run("too old", func(t *testing.T) {
		old := eventstore.Metadata{Plan: "acme", Time: time.Now().Add(-time.Hour), Actor: "operator", Command: "c", Correlation: "c", Schema: 1}.Encode()
		events := some(3, "A")
		events[0].Metadata, events[1].Metadata = old, old
		appendTo(t, client, "aged", esdb.NoStream{}, events...)
		var m esdb.StreamMetadata
		m.SetMaxAge(time.Minute)
		if _, err := client.SetStreamMetadata(patience(t), "aged", esdb.AppendToStreamOptions{}, m); err != nil {
			t.Fatal(err)
		}
		stream, err := client.ReadStream(patience(t), "aged", esdb.ReadStreamOptions{}, 100)
		if got := numbers(collect(t, stream, err)); !slices.Equal(got, []uint64{2}) {
			t.Errorf("read %v", got)
		}
	})
}

func TestLinks(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "target", esdb.NoStream{}, some(3, "A")...)
	link := func(data string) esdb.EventData {
		return esdb.EventData{EventID: uuid.New(), EventType: "$>", Data: []byte(data)}
	}
	appendTo(t, client, "links", esdb.NoStream{}, link("2@target"), link("9@target"), link("nonsense"))
	for _, resolve := range []bool{false, true} {
		stream, err := client.ReadStream(patience(t), "links", esdb.ReadStreamOptions{ResolveLinkTos: resolve}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			e, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			resolved := e.Event != nil && e.Event.StreamID == "target" && e.Event.EventNumber == 2
			if e.OriginalEvent().StreamID != "links" || resolved != (resolve && i == 0) || (e.Link != nil) != resolve || resolve && i > 0 && e.Event != nil {
				t.Errorf("resolve %t, link %d: %+v", resolve, i, e)
			}
		}
		stream.Close()
	}
}

func TestHostileNames(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	names := []string{"a", " ", "a\x00b", "a\x01ab", "a\x01bb", "$$x", "kurrentdb-front.x", "x", "role-acme.x", "role-acme.", "ROLE-acme.x", "😀", "a/b@c?d#e%00", strings.Repeat("é", 512)}
	for i, name := range names {
		appendTo(t, client, name, esdb.NoStream{}, esdb.EventData{EventID: uuid.New(), EventType: "A", Data: fmt.Append(nil, i)})
	}
	for i, name := range names {
		stream, err := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{}, 10)
		if got := collect(t, stream, err); len(got) != 1 || got[0].StreamID != name || string(got[0].Data) != fmt.Sprint(i) {
			t.Errorf("%.30q: got %+v", name, got)
		}
	}
}

// Newer clients ask for ids as text and for the bounds of the stream.
func TestNewerClients(t *testing.T) {
	front := startFront(t, openStore(t))
	client := connect(t, front.ConnectionString())
	events := some(5, "A")
	appendTo(t, client, "s", esdb.NoStream{}, events...)
	var m esdb.StreamMetadata
	m.SetTruncateBefore(2)
	if _, err := client.SetStreamMetadata(patience(t), "s", esdb.AppendToStreamOptions{}, m); err != nil {
		t.Fatal(err)
	}
	request := &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s")},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:   &streams.ReadReq_Options_Count{Count: 10},
		FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:    &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		ControlOption: &streams.ReadReq_Options_ControlOption{Compatibility: 1},
	}}
	call, err := raw(t, front).Read(patience(t), request)
	got := receiveAll(t, call, err)
	if len(got) != 4 || got[0].GetEvent().GetEvent().GetId().GetString_() != events[2].EventID.String() || got[3].GetLastStreamPosition() != 4 {
		t.Errorf("got %v", got)
	}
}

func TestNonsense(t *testing.T) {
	front := startFront(t, openStore(t))
	start := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}}
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	prefix := func(multiplier, window uint32, regex string) *streams.ReadReq_Options_Filter {
		return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter:                       &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: regex}},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: window},
			CheckpointIntervalMultiplier: multiplier,
		}}
	}
	for name, options := range map[string]*streams.ReadReq_Options{
		"no options":                 nil,
		"empty options":              {},
		"no stream":                  {CountOption: &streams.ReadReq_Options_Count{Count: 1}},
		"no position":                {StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}}, CountOption: subscription},
		"a subscription backwards":   {StreamOption: start, CountOption: subscription, ReadDirection: streams.ReadReq_Options_Backwards},
		"a bad regular expression":   {StreamOption: start, CountOption: subscription, FilterOption: prefix(1, 1, "(")},
		"no checkpoint interval":     {StreamOption: start, CountOption: subscription, FilterOption: prefix(0, 1, "x")},
		"no search window":           {StreamOption: start, CountOption: subscription, FilterOption: prefix(1, 0, "x")},
		"a filter that is undefined": {StreamOption: start, CountOption: subscription, FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{}}},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := raw(t, front).Read(patience(t), &streams.ReadReq{Options: options})
			if err == nil {
				_, err = call.Recv()
			}
			if err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("an append without options", func(t *testing.T) {
		call, err := raw(t, front).Append(patience(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := call.CloseAndRecv(); err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the front goes on", func(t *testing.T) {
		if _, err := drain(connect(t, front.ConnectionString()).ReadAll(context.Background(), esdb.ReadAllOptions{}, 1)); err != nil {
			t.Error(err)
		}
	})
}
