package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

const readMethod = `All events in the order of their positions, by a follower that starts at the beginning and stops at the
end, of a store that has read them before and so remembers the names of their streams, and of one that was just opened and
has read nothing; one stream of twenty events that lie apart in the log, drawn at random; and how soon a follower in the
same process sees an event, counted from the call of append, so with the commit to the disk, and from its return. The
limits: the same SELECT, for a stream through the same index, through the same driver on a bare connection to the same file,
its rows read and dropped; and 4 KiB flushed to a file (fdatasync), then a channel to another goroutine. The file is in the
memory of the system. Noise: collections of garbage, since every event read is memory that was allocated.`

func benchRead(ctx context.Context, s *suite) (a area, err error) {
	log, err := s.fill(ctx)
	if err != nil {
		return a, err
	}
	folder, err := s.scratch("read")
	if err != nil {
		return a, err
	}
	path := filepath.Join(folder, "events.db")
	if err := log.copyTo(path); err != nil {
		return a, err
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	bare, err := openSelecting(path)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	file, err := openBareFile(folder)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	a = area{Title: "Read", Method: readMethod}
	a.Rows = append(a.Rows, row{"read all", "read all", "SELECT all", "select all", perSecond},
		row{"read all, just opened", "read all cold", "SELECT all", "select all", perSecond})
	a.Rows = append(a.Rows, latencyRows("read a stream of 20", "read stream", "SELECT the same", "select stream")...)
	a.Rows = append(a.Rows, latencyRows("append → seen by a follower", "append to seen", "fdatasync and a channel", "flush to seen")...)
	a.Rows = append(a.Rows, latencyRows("append answered → seen", "answer to seen", "", "")...)
	a.samples, err = s.compare(ctx,
		func(ctx context.Context, into samples) error { return readAll(ctx, store, "read all", into) },
		bare.all,
		func(ctx context.Context, into samples) error { return readCold(ctx, path, into) },
		func(ctx context.Context, into samples) error { return readStreams(ctx, store, log.long, s.slice, into) },
		func(_ context.Context, into samples) error { return bare.someStreams(s.slice, into) },
		func(ctx context.Context, into samples) error { return watch(ctx, store, log.streams[0], s.slice, into) },
		func(_ context.Context, into samples) error { return file.watch(s.slice, into) },
	)
	return a, err
}

func readAll(ctx context.Context, store eventstore.Store, name string, into samples) error {
	events, start := 0, time.Now()
	for page, err := range store.Follow(ctx, 0, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		events += len(page.Events)
		if page.Live {
			break
		}
	}
	into.rate(name, events, time.Since(start))
	return nil
}

// readCold reads everything with a store that was just opened, beside the one that appends.
func readCold(ctx context.Context, path string, into samples) (err error) {
	store, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return readAll(ctx, store, "read all cold", into)
}

func readStreams(ctx context.Context, store eventstore.Store, streams []eventstore.StreamID, slice time.Duration, into samples) error {
	r := random(1)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		stream, events, start := streams[r.IntN(len(streams))], 0, time.Now()
		for _, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return err
			}
			events++
		}
		took = append(took, time.Since(start))
		if events != 20 {
			return fmt.Errorf("stream %s has %d events instead of 20", stream, events)
		}
	}
	into.latency("read stream", took)
	return nil
}

// watch appends events one by one and takes the time until a follower has each.
func watch(ctx context.Context, store eventstore.Store, stream eventstore.StreamID, slice time.Duration, into samples) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	info, err := store.Info(ctx)
	if err != nil {
		return err
	}
	at, err := lastRevision(ctx, store, stream)
	if err != nil {
		return err
	}
	seen := make(chan time.Time, 1)
	go follow(ctx, store, info.Head, seen)
	if _, ok := <-seen; !ok { // it stands at the end
		return errors.New("the follower ended")
	}
	r := random(uint64(info.Head))
	var called, answered []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		start := time.Now()
		if _, err := store.Append(ctx, stream, at, someEvent(r)); err != nil {
			return err
		}
		at++
		answer := time.Now()
		arrived, ok := <-seen
		if !ok {
			return errors.New("the follower ended")
		}
		called = append(called, arrived.Sub(start))
		answered = append(answered, max(0, arrived.Sub(answer)))
	}
	into.latency("append to seen", called)
	into.latency("answer to seen", answered)
	return nil
}

// follow tells when it has come to the end, and then when each page arrived. It closes the channel when it ends.
func follow(ctx context.Context, store eventstore.Store, after eventstore.Position, seen chan<- time.Time) {
	defer close(seen)
	for _, err := range store.Follow(ctx, after, eventstore.Filter{}) {
		if err != nil {
			return // the end of the context
		}
		seen <- time.Now()
	}
}

func lastRevision(ctx context.Context, store eventstore.Store, stream eventstore.StreamID) (last eventstore.Revision, err error) {
	last = eventstore.NoStream
	for e, err := range store.Read(ctx, stream, 0) {
		if err != nil {
			return 0, err
		}
		last = e.Revision
	}
	return last, nil
}

func (f bareFile) watch(slice time.Duration, into samples) error {
	written, seen := make(chan struct{}), make(chan time.Time)
	go func() {
		for range written {
			seen <- time.Now()
		}
	}()
	defer close(written)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		start := time.Now()
		if err := f.append(); err != nil {
			return err
		}
		written <- struct{}{}
		took = append(took, (<-seen).Sub(start))
	}
	into.latency("flush to seen", took)
	return nil
}

// selecting is the bare loop: a connection of its own to the same file.
type selecting struct {
	*bareSQLite
	long []int64 // numbers of the streams of twenty
}

func openSelecting(path string) (*selecting, error) {
	db, err := openBare(path)
	if err != nil {
		return nil, err
	}
	b := &selecting{bareSQLite: db}
	err = b.query("SELECT stream FROM by_stream WHERE revision = 19", func(r []driver.Value) { b.long = append(b.long, r[0].(int64)) })
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	return b, nil
}

const (
	selectEvents = "SELECT e.position, e.stream, e.revision, e.type, e.id, e.metadata, e.data FROM events e ORDER BY e.position"
	selectStream = "SELECT e.position, e.stream, e.revision, e.type, e.id, e.metadata, e.data FROM by_stream i" +
		" CROSS JOIN events e ON e.position = i.position WHERE i.stream = ? AND i.revision >= ? ORDER BY i.revision"
)

func (b *selecting) all(_ context.Context, into samples) error {
	events, start := 0, time.Now()
	if err := b.query(selectEvents, func([]driver.Value) { events++ }); err != nil {
		return err
	}
	into.rate("select all", events, time.Since(start))
	return nil
}

func (b *selecting) someStreams(slice time.Duration, into samples) error {
	r := random(1)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		stream, events, start := b.long[r.IntN(len(b.long))], 0, time.Now()
		err := b.query(selectStream, func([]driver.Value) { events++ }, stream, int64(0))
		if err != nil {
			return err
		}
		took = append(took, time.Since(start))
		if events != 20 {
			return fmt.Errorf("stream %d has %d events instead of 20", stream, events)
		}
	}
	into.latency("select stream", took)
	return nil
}
