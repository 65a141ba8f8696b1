package kurrenttest_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

func openStore(t testing.TB) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func startFront(t testing.TB, store eventstore.Store, opts ...kurrenttest.Option) *kurrenttest.Server {
	t.Helper()
	front, err := kurrenttest.Start(t.Context(), store, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
	})
	return front
}

// connect returns the bare official client.
func connect(t testing.TB, connection string) *esdb.Client {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// patience ends what hangs; nothing is measured by it.
func patience(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func some(n int, kind string) []esdb.EventData {
	events := make([]esdb.EventData, n)
	for i := range events {
		events[i] = esdb.EventData{EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson, Data: []byte(`{"a":1}`), Metadata: []byte(`{"m":2}`)}
	}
	return events
}

func appendTo(t testing.TB, client *esdb.Client, stream string, at esdb.ExpectedRevision, events ...esdb.EventData) *esdb.WriteResult {
	t.Helper()
	result, err := client.AppendToStream(patience(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: at}, events...)
	if err != nil {
		t.Fatalf("append to %q: %v", stream, err)
	}
	return result
}

func collect(t testing.TB, stream *esdb.ReadStream, err error) []*esdb.RecordedEvent {
	t.Helper()
	events, err := drain(stream, err)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func drain(stream *esdb.ReadStream, err error) ([]*esdb.RecordedEvent, error) {
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var events []*esdb.RecordedEvent
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e.OriginalEvent())
	}
}

// code returns the client's classification of an error, wherever it is wrapped.
func code(t testing.TB, err error) esdb.ErrorCode {
	t.Helper()
	var e *esdb.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an error of the client", err, err)
	}
	return e.Code()
}

func TestFront(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	result := appendTo(t, client, "some stream", esdb.NoStream{}, some(3, "Happened")...)
	if result.NextExpectedVersion != 2 {
		t.Errorf("the stream is at %d", result.NextExpectedVersion)
	}
	stream, err := client.ReadStream(patience(t), "some stream", esdb.ReadStreamOptions{}, 10)
	if got := collect(t, stream, err); len(got) != 3 || got[2].EventNumber != 2 || got[2].Position.Commit != result.CommitPosition {
		t.Errorf("read %+v", got)
	}
	stream, err = client.ReadAll(patience(t), esdb.ReadAllOptions{}, 100)
	if got := collect(t, stream, err); len(got) < 6 {
		t.Errorf("read %d", len(got))
	}
	stream, err = client.ReadAll(patience(t), esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 100)
	if got := collect(t, stream, err); len(got) < 6 || got[0].EventNumber != 2 {
		t.Errorf("read %d", len(got))
	}
}
