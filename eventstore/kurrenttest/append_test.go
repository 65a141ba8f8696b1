package kurrenttest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrenttest"
)

func TestExpectedRevisions(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "there", esdb.NoStream{}, some(3, "A")...) // revisions 0 to 2
	tests := []struct {
		stream   string
		expected esdb.ExpectedRevision
		next     uint64
		refused  string // what the client reads in the refusal
	}{
		{"new any", esdb.Any{}, 1, ""},
		{"new none", esdb.NoStream{}, 1, ""},
		{"new exists", esdb.StreamExists{}, 0, "expecting 'stream_exists' but got 'no_stream'"},
		{"new exact", esdb.Revision(0), 0, "expecting '0' but got 'no_stream'"},
		{"there", esdb.NoStream{}, 0, "expecting 'no_stream' but got '2'"},
		{"there", esdb.Revision(1), 0, "expecting '1' but got '2'"},
		{"there", esdb.Revision(3), 0, "expecting '3' but got '2'"},
		{"there", esdb.Revision(2), 4, ""},
		{"there", esdb.StreamExists{}, 6, ""},
		{"there", esdb.Any{}, 8, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %T %v", tt.stream, tt.expected, tt.expected), func(t *testing.T) {
			result, err := client.AppendToStream(patience(t), tt.stream, esdb.AppendToStreamOptions{ExpectedRevision: tt.expected}, some(2, "B")...)
			if tt.refused != "" {
				if err == nil || code(t, err) != esdb.ErrorCodeWrongExpectedVersion || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("got %v, want a refusal with %q", err, tt.refused)
				}
				return
			}
			if err != nil || result.NextExpectedVersion != tt.next || result.CommitPosition == 0 || result.PreparePosition != result.CommitPosition {
				t.Fatalf("got %+v, %v, want revision %d", result, err, tt.next)
			}
		})
	}
}

func TestRepeatedAppends(t *testing.T) {
	store := openStore(t)
	front := startFront(t, store)
	client := connect(t, front.ConnectionString())
	events := some(3, "A")
	first := appendTo(t, client, "s", esdb.NoStream{}, events...)
	second := some(2, "B")
	appendTo(t, client, "s", esdb.Revision(2), second...)
	restarted := connect(t, startFront(t, store).ConnectionString()) // knows nothing of the appends
	for name, client := range map[string]*esdb.Client{"the same front": client, "a new front": restarted} {
		for _, at := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Any{}, esdb.StreamExists{}} {
			t.Run(fmt.Sprintf("%s, %T", name, at), func(t *testing.T) {
				if again := appendTo(t, client, "s", at, events...); *again != *first {
					t.Errorf("the repeat gives %+v, the first time %+v", again, first)
				}
			})
		}
		t.Run(name+", exact", func(t *testing.T) {
			if again := appendTo(t, client, "s", esdb.Revision(2), second...); again.NextExpectedVersion != 4 {
				t.Errorf("the repeat gives %+v", again)
			}
		})
		for _, at := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Any{}} {
			t.Run(fmt.Sprintf("%s, partly matching, %T", name, at), func(t *testing.T) {
				partly := append(slices.Clone(events[:2]), some(1, "C")...)
				_, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: at}, partly...)
				if err == nil || code(t, err) != esdb.ErrorCodeWrongExpectedVersion {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	t.Run("the same ids in another stream are other events", func(t *testing.T) {
		if other := appendTo(t, client, "t", esdb.Any{}, events...); other.CommitPosition == first.CommitPosition {
			t.Errorf("got %+v", other)
		}
	})
	stream, err := client.ReadStream(patience(t), "s", esdb.ReadStreamOptions{}, 100)
	if got := collect(t, stream, err); len(got) != 5 {
		t.Errorf("the stream has %d events, want 5", len(got))
	}
}

func TestConcurrentAppendsAnywhere(t *testing.T) {
	cluster, err := kurrenttest.StartCluster(t.Context(), openStore(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	client := connect(t, cluster.Leader().ConnectionString())
	ctx := patience(t)
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range rounds {
				// Two writers repeat each event; every append must succeed and every event stand once.
				e := esdb.EventData{EventID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i/2, j)), EventType: "A"}
				if _, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stream, err := client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 1000)
	got := collect(t, stream, err)
	ids := map[uuid.UUID]bool{}
	for i, e := range got {
		ids[e.EventID] = true
		if e.EventNumber != uint64(i) {
			t.Fatalf("event %d has revision %d", i, e.EventNumber)
		}
	}
	if len(got) != writers/2*rounds || len(ids) != len(got) {
		t.Errorf("%d events with %d ids, want %d", len(got), len(ids), writers/2*rounds)
	}
}

func TestRefusedAppends(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	big := esdb.EventData{EventID: uuid.New(), EventType: "A", Data: make([]byte, eventstore.MaxAppend-1)}
	t.Run("just small enough", func(t *testing.T) { appendTo(t, client, "big", esdb.NoStream{}, big) })
	t.Run("a byte too large", func(t *testing.T) {
		big.Metadata = []byte("x")
		_, err := client.AppendToStream(patience(t), "big", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, big)
		if err == nil || !strings.Contains(err.Error(), "Maximum Append Size of 1048576 Exceeded") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("far too large", func(t *testing.T) {
		e := some(1, "A")[0]
		e.Data = make([]byte, 16<<20)
		_, err := client.AppendToStream(patience(t), "big", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
		if err == nil || !strings.Contains(err.Error(), "Maximum Append Size of 1048576 Exceeded") {
			t.Errorf("got %v", err)
		}
	})
	for name, stream := range map[string]string{"no name": "", "a name of 1,025 bytes": strings.Repeat("n", 1025)} {
		t.Run(name, func(t *testing.T) {
			_, err := client.AppendToStream(patience(t), stream, esdb.AppendToStreamOptions{}, some(1, "A")...)
			if err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a stream of the system", func(t *testing.T) {
		_, err := client.AppendToStream(patience(t), "$users", esdb.AppendToStreamOptions{}, some(1, "A")...)
		if err == nil || code(t, err) != esdb.ErrorCodeAccessDenied {
			t.Errorf("got %v", err)
		}
	})
}

func TestAppendOfNothing(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "s", esdb.NoStream{}, some(3, "A")...)
	if result := appendTo(t, client, "s", esdb.Revision(2)); result.NextExpectedVersion != 2 {
		t.Errorf("got %+v", result)
	}
	appendTo(t, client, "none", esdb.NoStream{})
	if _, err := client.AppendToStream(patience(t), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(1)}); err == nil || code(t, err) != esdb.ErrorCodeWrongExpectedVersion {
		t.Errorf("at a wrong revision: %v", err)
	}
}

// What is read is what was appended, with what the port cannot hold.
func TestEventsComeBackWhole(t *testing.T) {
	store := openStore(t)
	front := startFront(t, store)
	client := connect(t, front.ConnectionString())
	decided := time.Date(2021, 2, 3, 4, 5, 6, 700, time.UTC)
	own := eventstore.Metadata{Plan: "acme", Time: decided, Actor: "operator", Command: "c", Correlation: "c", Schema: 1}.Encode()
	tests := map[string]struct {
		event   esdb.EventData
		created time.Time // zero: now
	}{
		"json":                       {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeJson, Data: []byte(`{"a":1}`)}, time.Time{}},
		"json declared binary":       {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeBinary, Data: []byte(`{"a":1}`)}, time.Time{}},
		"binary":                     {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeBinary, Data: []byte{0, 255}}, time.Time{}},
		"binary declared json":       {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeJson, Data: []byte{0, 255}}, time.Time{}},
		"nothing":                    {esdb.EventData{EventType: "$odd type ✓", ContentType: esdb.ContentTypeBinary}, time.Time{}},
		"of Rolewise":                {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`), Metadata: own}, decided},
		"of Rolewise declared other": {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeBinary, Data: []byte(`{}`), Metadata: own}, decided},
		"with a time of its own":     {esdb.EventData{EventType: "A", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`), Metadata: []byte(`{"time":"2001-01-01T00:00:00Z"}`)}, time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := tt.event
			want.EventID = uuid.New()
			before := time.Now().Add(-time.Microsecond)
			result := appendTo(t, client, name, esdb.NoStream{}, want)
			after := time.Now()
			read := func(direction esdb.Direction, from esdb.StreamPosition) *esdb.RecordedEvent {
				stream, err := client.ReadStream(patience(t), name, esdb.ReadStreamOptions{Direction: direction, From: from}, 1)
				events := collect(t, stream, err)
				if len(events) != 1 {
					t.Fatalf("read %d events", len(events))
				}
				return events[0]
			}
			got := read(esdb.Forwards, esdb.Start{})
			content := map[esdb.ContentType]string{esdb.ContentTypeJson: "application/json", esdb.ContentTypeBinary: "application/octet-stream"}[want.ContentType]
			if got.EventID != want.EventID || got.EventType != want.EventType || got.ContentType != content || got.StreamID != name ||
				got.EventNumber != 0 || string(got.Data) != string(want.Data) || string(got.UserMetadata) != string(want.Metadata) ||
				got.Position != (esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition}) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if tt.created.IsZero() && (got.CreatedDate.Before(before) || got.CreatedDate.After(after)) {
				t.Errorf("created %v, want between %v and %v", got.CreatedDate, before, after)
			}
			if !tt.created.IsZero() && !got.CreatedDate.Equal(tt.created) {
				t.Errorf("created %v, want %v", got.CreatedDate, tt.created)
			}
			if again := read(esdb.Backwards, esdb.End{}); !again.CreatedDate.Equal(got.CreatedDate) || again.ContentType != got.ContentType {
				t.Errorf("backwards %+v, forwards %+v", again, got)
			}
			for r, err := range store.Follow(patience(t), 0, eventstore.Filter{Types: []string{want.EventType}}) {
				if err != nil {
					t.Fatal(err)
				}
				last := r.Events[len(r.Events)-1]
				if string(last.Data) != string(want.Data) || string(last.Metadata) != string(want.Metadata) {
					t.Errorf("the store holds %q, %q", last.Data, last.Metadata)
				}
				break
			}
		})
	}
}
