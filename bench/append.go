package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

const appendMethod = `One event in each append, to random streams out of a log that already has hundreds of thousands of them, so
that the indexes are not flattered; each append is answered once it is on the disk, with its links in both hash chains and
the head of the log outside the database. The limits: a file that grows by 4 KiB and is flushed (fdatasync) each time, on the
same file system; and SQLite through the same driver with prepared statements on a bare connection, tuned (WAL,
synchronous=FULL, 64 MiB of cache, a checkpoint every 128 MiB), which inserts rows of the same size into a copy of the same
database and keeps a UNIQUE index by stream and one by plan, one or 64 rows in a transaction: the numbers of streams are
known to it, nothing is hashed, no revision is checked, nobody waits for an answer. The last two rows tell what giving up
a row for each event would bring: the same bytes of 64 events as one row, and written over a preallocated file, each with a
flush. Noise: the disk of a virtual machine, whose time for a flush changes from second to second, and the checkpoints of the
write-ahead logs, which fall into some rounds and not into others.`

// manyWriters is how many append at the same time, or send commands.
const manyWriters = 64

func benchAppend(ctx context.Context, s *suite) (a area, err error) {
	log, err := s.fill(ctx)
	if err != nil {
		return a, err
	}
	ours, err := openAppending(ctx, s, log)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, ours.store.Close()) }()
	bare, err := openInserting(s, log)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	file, err := openBareFile(s.folder)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	next, err := openNextSteps(s)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, next.close()) }()

	a = area{Title: "Append", Method: appendMethod, Rows: []row{
		{"append, 1 writer", "1 writer", "4 KiB and fdatasync", "flush", perSecond},
		{"append, 1 writer", "1 writer", "SQLite insert, 1 a transaction", "1 insert", perSecond},
		{"append, 64 writers", "64 writers", "SQLite insert, 64 a transaction", "64 inserts", perSecond},
		{"append, 64 writers", "64 writers", "64 events as one row", "64 in a row", perSecond},
		{"append, 64 writers", "64 writers", "64 events in a preallocated file", "64 in a file", perSecond},
	}}
	a.samples, err = s.compare(ctx,
		ours.measure("1 writer", 1, s.slice),
		ours.measure("64 writers", manyWriters, s.slice),
		bare.measure("1 insert", 1, s.slice),
		bare.measure("64 inserts", manyWriters, s.slice),
		func(_ context.Context, into samples) error { return file.measure(into, s.slice) },
		next.measure("64 in a row", next.row, s.slice/3),
		next.measure("64 in a file", next.block, s.slice/3),
	)
	return a, err
}

// appendOne appends one event, durably, to a stream that is at a revision.
type appendOne func(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error

// appending is a log under load. Those that append to the same log share it.
type appending struct {
	streams []eventstore.StreamID
	heads   []eventstore.Revision
	rounds  uint64
}

func newAppending(log *filled) *appending {
	return &appending{streams: log.streams, heads: make([]eventstore.Revision, len(log.streams))}
}

// run lets writers append for a while. Each has streams of its own, so that none meets a conflict.
func (a *appending) run(ctx context.Context, one appendOne, writers int, slice time.Duration) (int, time.Duration, error) {
	a.rounds++
	var done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for w := range writers {
		r := random(a.rounds<<16 + uint64(w))
		group.Go(func() error {
			n := 0
			defer func() { done.Add(int64(n)) }()
			for ; time.Since(start) < slice; n++ {
				i := r.IntN(len(a.streams)/writers)*writers + w
				if err := one(ctx, a.streams[i], a.heads[i], someEvent(r)); err != nil {
					return err
				}
				a.heads[i]++
			}
			return nil
		})
	}
	err := group.Wait()
	return int(done.Load()), time.Since(start), err
}

// measure keeps how many events a second were appended.
func (a *appending) measure(name string, one appendOne, writers int, slice time.Duration) contender {
	return func(ctx context.Context, into samples) error {
		done, took, err := a.run(ctx, one, writers, slice)
		into.rate(name, done, took)
		return err
	}
}

// embedded is our store under load.
type embedded struct {
	*appending
	store eventstore.Store
}

func openAppending(ctx context.Context, s *suite, log *filled) (*embedded, error) {
	folder, err := s.scratch("append")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "events.db")
	if err := log.copyTo(path); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return &embedded{newAppending(log), store}, nil
}

// measure also proves that the log has grown by what was acknowledged.
func (a *embedded) measure(name string, writers int, slice time.Duration) contender {
	return func(ctx context.Context, into samples) error {
		before, err := a.store.Info(ctx)
		if err != nil {
			return err
		}
		done, took, err := a.run(ctx, appendTo(a.store), writers, slice)
		into.rate(name, done, took)
		if err != nil {
			return err
		}
		after, err := a.store.Info(ctx)
		if grown := int(after.Head - before.Head); err == nil && grown != done {
			err = fmt.Errorf("%d events were acknowledged, but the log grew by %d", done, grown)
		}
		return err
	}
}

func appendTo(store eventstore.Store) appendOne {
	return func(ctx context.Context, stream eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error {
		_, err := store.Append(ctx, stream, at, e)
		return err
	}
}

// inserting is the bare loop: a copy of the same database, and one connection. The tables that the store has for its
// indexes stay as they are.
type inserting struct {
	*bareSQLite
	position, kind int64
	streams        []insertingStream
	plans          map[int64]int64 // last plan_seq
	rounds         uint64
}

type insertingStream struct{ number, plan, revision int64 }

func openInserting(s *suite, log *filled) (*inserting, error) {
	folder, err := s.scratch("insert")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "events.db")
	if err := log.copyTo(path); err != nil {
		return nil, err
	}
	db, err := openBare(path)
	if err != nil {
		return nil, err
	}
	b := &inserting{bareSQLite: db, plans: map[int64]int64{}}
	// The indexes that the store keeps beside the log, kept by SQLite in the same transaction.
	for _, index := range []string{"stream, revision", "plan, plan_seq"} {
		if err := b.exec("CREATE UNIQUE INDEX [" + index + "] ON events (" + index + ")"); err != nil {
			return nil, errors.Join(err, db.close())
		}
	}
	if err := b.learn(int64(log.events() - len(log.streams))); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return b, nil
}

// someHash takes the place of a link, which costs the bare loop nothing.
var someHash = filledWith('h', 32)

// learn reads the numbers of plans, and of the streams that begin after a position, so that no insert has to look for them.
func (b *inserting) learn(after int64) (err error) {
	if b.position, err = b.number("SELECT max(position) FROM events"); err != nil {
		return err
	}
	if b.kind, err = b.number("SELECT max(id) FROM types"); err != nil {
		return err
	}
	err = b.query("SELECT stream, plan FROM events WHERE position > ?", func(r []driver.Value) {
		b.streams = append(b.streams, insertingStream{number: r[0].(int64), plan: r[1].(int64)})
	}, after)
	if err != nil {
		return err
	}
	return b.query("SELECT plan, max(plan_seq) FROM events GROUP BY plan", func(r []driver.Value) {
		b.plans[r[0].(int64)] = r[1].(int64)
	})
}

// measure inserts for a while, so many in a transaction.
func (b *inserting) measure(name string, batch int, slice time.Duration) contender {
	return func(_ context.Context, into samples) error {
		b.rounds++
		r := random(b.rounds)
		done, start := 0, time.Now()
		for ; time.Since(start) < slice; done += batch {
			if err := b.exec("BEGIN IMMEDIATE"); err != nil {
				return err
			}
			for range batch {
				stream := &b.streams[r.IntN(len(b.streams))]
				stream.revision++
				b.position++
				b.plans[stream.plan]++
				id := randomID(r)
				err := b.exec(`INSERT INTO events (position, stream, revision, plan, plan_seq, type, id, plan_hash, hash, metadata, data)
					VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, b.position, stream.number, stream.revision,
					stream.plan, b.plans[stream.plan], b.kind, id[:], someHash, someHash, eventMetadata, eventData)
				if err != nil {
					return err
				}
			}
			if err := b.exec("COMMIT"); err != nil {
				return err
			}
		}
		into.rate(name, done, time.Since(start))
		return nil
	}
}

// measure appends blocks for a while.
func (f bareFile) measure(into samples, slice time.Duration) error {
	done, start := 0, time.Now()
	for ; time.Since(start) < slice; done++ {
		if err := f.append(); err != nil {
			return err
		}
	}
	into.rate("flush", done, time.Since(start))
	return nil
}
