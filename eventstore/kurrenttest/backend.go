package kurrenttest

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"rolewise/eventstore"
)

// backend is a store as the wire shows it. The fronts of a cluster share one.
type backend struct {
	store    eventstore.Store
	system   system
	declared *declarations
	lasts    *lru.Cache[eventstore.StreamID, eventstore.Revision] // a revision that the stream has reached
	writing  *writing

	mu         sync.Mutex
	tombstoned map[string]bool
}

func newBackend(store eventstore.Store, every int) *backend {
	lasts, err := lru.New[eventstore.StreamID, eventstore.Revision](100_000)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &backend{
		store: store, system: system{every: eventstore.Position(every)}, declared: newDeclarations(),
		lasts: lasts, writing: newWriting(), tombstoned: map[string]bool{},
	}
}

func (b *backend) deleted(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tombstoned[name] {
		return streamDeleted(name)
	}
	return nil
}

// atLeast notes that a stream has a revision.
func (b *backend) atLeast(stream eventstore.StreamID, r eventstore.Revision) {
	if last, ok := b.lasts.Peek(stream); !ok || last < r {
		b.lasts.Add(stream, r)
	}
}

// last returns the last revision of a stream, NoStream if it has none.
func (b *backend) last(ctx context.Context, stream eventstore.StreamID) (eventstore.Revision, error) {
	last, ok := b.lasts.Get(stream)
	if !ok {
		last = eventstore.NoStream
	}
	for e, err := range b.store.Read(ctx, stream, last+1) {
		if err != nil {
			return 0, err
		}
		last = e.Revision
	}
	if last > eventstore.NoStream {
		b.atLeast(stream, last)
	}
	return last, nil
}

// view is what can be seen of a stream.
type view struct {
	stream eventstore.StreamID
	last   eventstore.Revision // NoStream: there is none; unknown: not looked for
	low    eventstore.Revision // events below are cut off
	since  time.Time           // events created before are too old; zero: none are
}

const unknown eventstore.Revision = math.MaxInt64

// look opens a stream. Its end is looked for only where it is needed, since a port's reader must walk there.
func (b *backend) look(ctx context.Context, name string, end bool) (v view, err error) {
	if v.stream, err = streamOf(name); err != nil {
		return view{}, err
	}
	kept, err := b.retention(ctx, name)
	if err != nil {
		return view{}, err
	}
	if kept.before == math.MaxInt64 {
		v.last = eventstore.NoStream // the mark of a deleted stream
		return v, nil
	}
	v.low = eventstore.Revision(kept.before)
	if kept.age > 0 {
		v.since = time.Now().Add(-kept.age)
	}
	if v.last = unknown; end || kept.count > 0 {
		v.last, err = b.last(ctx, v.stream)
	}
	if kept.count > 0 && v.last != eventstore.NoStream {
		v.low = max(v.low, v.last-eventstore.Revision(kept.count)+1)
	}
	return v, err
}

// stream yields the visible events of a stream from a revision on, up to the end.
func (b *backend) stream(ctx context.Context, v view, from uint64) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		if from > uint64(max(v.last, 0)) {
			return
		}
		for r, err := range b.store.Read(ctx, v.stream, max(v.low, eventstore.Revision(from))) {
			if err != nil {
				yield(event{}, err)
				return
			}
			if r.Revision > v.last {
				return
			}
			e := b.declared.event(&r)
			if e.created.Before(v.since) {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// streamBack yields the visible events of a stream from a revision down, newest first. The view must know the end.
func (b *backend) streamBack(ctx context.Context, v view, from uint64) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		high := v.last
		if from < uint64(max(high, 0)) {
			high = eventstore.Revision(from)
		}
		for high >= v.low {
			low := max(v.low, high-descent+1)
			var events []eventstore.Recorded
			for r, err := range b.store.Read(ctx, v.stream, low) {
				if err != nil {
					yield(event{}, err)
					return
				}
				if r.Revision > high {
					break
				}
				events = append(events, r)
			}
			for _, r := range slices.Backward(events) {
				e := b.declared.event(&r)
				if !e.created.Before(v.since) && !yield(e, nil) {
					return
				}
			}
			high = low - 1
		}
	}
}

// of keeps the events of one stream: system streams are read out of $all.
func of(name string, from uint64, all iter.Seq2[event, error]) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		for e, err := range all {
			if err == nil && (e.stream != name || e.revision < from) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

var errNoEvent = errors.New("no such event")

// at reads one event of a stream.
func (b *backend) at(ctx context.Context, name string, revision uint64) (event, error) {
	stream, err := streamOf(name)
	if err != nil || revision > math.MaxInt64 {
		return event{}, errNoEvent
	}
	for r, err := range b.store.Read(ctx, stream, eventstore.Revision(revision)) {
		if err != nil {
			return event{}, err
		}
		return b.declared.event(&r), nil
	}
	return event{}, errNoEvent
}
