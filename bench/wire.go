package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
)

const wireMethod = `The store on KurrentDB over loopback, from a server in a process of its own that speaks the protocol of
KurrentDB (plain text) and keeps its events in the embedded store, a copy of the log of the benchmarks above. The limit: the
bare official client (EventStore-Client-Go/v4), from this process to the same server and the same streams, whose answers are
read and dropped: without repeats after a lost connection, without an end at the context of the caller, without a look at
what was answered. One event in each append, at the revision of its stream; streams of twenty one after the other; and $all
from its beginning on, events of the system included but not counted, %s of ours. The server is not KurrentDB: the
figures tell what the store adds to the client, not how fast KurrentDB is. Both clients share the codec of gRPC, which here
completes events that lack a time. Noise: client and server share the cores.`

// wireEvents is how many events a read of $all takes, at most.
const wireEvents = 50_000

// wire is both clients, connected to one server.
type wire struct {
	*appending
	store *kurrent.Store
	bare  *esdb.Client
	log   *filled
	slice time.Duration
	most  int
}

func benchWire(ctx context.Context, s *suite) (a area, err error) {
	log, err := s.fill(ctx)
	if err != nil {
		return a, err
	}
	folder, err := s.scratch("wire")
	if err != nil {
		return a, err
	}
	path := filepath.Join(folder, "events.db")
	if err := log.copyTo(path); err != nil {
		return a, err
	}
	front, err := startRole(ctx, folder, frontRole, path)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, front.stop()) }()
	w := &wire{appending: newAppending(log), log: log, slice: s.slice / 2, most: min(wireEvents, log.events())}
	if err := w.connect(ctx, "esdb://"+front.address+"?tls=false"); err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	a = area{Title: "Over the wire", Method: fmt.Sprintf(wireMethod, thousands(float64(w.most))), Rows: []row{
		{"append, 1 writer", "1 writer", "bare client, 1 writer", "bare 1 writer", perSecond},
		{"append, 64 writers", "64 writers", "bare client, 64 writers", "bare 64 writers", perSecond},
		{"streams of 20", "stream", "bare client", "bare stream", perSecond},
		{"read all", "all", "bare client", "bare all", perSecond},
	}}
	a.samples, err = s.compare(ctx,
		w.measure("1 writer", appendTo(w.store), 1, w.slice),
		w.measure("bare 1 writer", w.append, 1, w.slice),
		w.measure("64 writers", appendTo(w.store), manyWriters, w.slice),
		w.measure("bare 64 writers", w.append, manyWriters, w.slice),
		w.streams("stream", w.readStream),
		w.streams("bare stream", w.readBareStream),
		w.all("all", w.followAll),
		w.all("bare all", w.readBareAll),
	)
	return a, err
}

func (w *wire) connect(ctx context.Context, address string) (err error) {
	config, err := esdb.ParseConnectionString(address)
	if err != nil {
		return err
	}
	config.Logger = esdb.NoopLogging()
	if w.bare, err = esdb.NewClient(config); err != nil {
		return err
	}
	if w.store, err = kurrent.Open(ctx, address); err != nil {
		return errors.Join(err, w.bare.Close())
	}
	return nil
}

func (w *wire) close() error { return errors.Join(w.store.Close(), w.bare.Close()) }

// append appends with the bare client.
func (w *wire) append(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error {
	_, err := w.bare.AppendToStream(ctx, stream.String(), esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(uint64(at))},
		esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: e.Metadata})
	return err
}

// streams reads random streams for a while.
func (w *wire) streams(name string, read func(context.Context, eventstore.StreamID) (int, error)) contender {
	return func(ctx context.Context, into samples) error {
		r := random(1)
		done, start := 0, time.Now()
		for ; time.Since(start) < w.slice; done++ {
			stream := w.log.long[r.IntN(len(w.log.long))]
			events, err := read(ctx, stream)
			if err == nil && events != 20 {
				err = fmt.Errorf("stream %s has %d events instead of 20", stream, events)
			}
			if err != nil {
				return err
			}
		}
		into.rate(name, done, time.Since(start))
		return nil
	}
}

func (w *wire) readStream(ctx context.Context, stream eventstore.StreamID) (events int, err error) {
	for _, err := range w.store.Read(ctx, stream, 0) {
		if err != nil {
			return events, err
		}
		events++
	}
	return events, nil
}

func (w *wire) readBareStream(ctx context.Context, stream eventstore.StreamID) (events int, err error) {
	in, err := w.bare.ReadStream(ctx, stream.String(), esdb.ReadStreamOptions{}, math.MaxInt64)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	for ; ; events++ {
		switch _, err := in.Recv(); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return events, err
		}
	}
}

// all reads the beginning of $all.
func (w *wire) all(name string, read func(context.Context) error) contender {
	return func(ctx context.Context, into samples) error {
		start := time.Now()
		if err := read(ctx); err != nil {
			return err
		}
		into.rate(name, w.most, time.Since(start))
		return nil
	}
}

func (w *wire) followAll(ctx context.Context) error {
	events := 0
	for page, err := range w.store.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		if events += len(page.Events); events >= w.most {
			return nil
		}
		if page.Live {
			break
		}
	}
	return fmt.Errorf("the log ended after %d events", events)
}

func (w *wire) readBareAll(ctx context.Context) error {
	in, err := w.bare.ReadAll(ctx, esdb.ReadAllOptions{}, math.MaxInt64)
	if err != nil {
		return err
	}
	defer in.Close()
	for events := 0; events < w.most; {
		e, err := in.Recv()
		if err != nil {
			return fmt.Errorf("after %d events: %w", events, err)
		}
		if !strings.HasPrefix(e.OriginalEvent().StreamID, "$") {
			events++
		}
	}
	return nil
}
