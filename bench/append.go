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
that the index is not flattered; each append is answered once it is on the disk. The limits: a file that grows by 4 KiB and
is flushed (fdatasync) each time, on the same file system; and SQLite through the same driver with prepared statements on a
bare connection (WAL, synchronous=FULL), inserting the same rows into a copy of the same database, one or 64 in a
transaction, with no check of revisions and nobody waiting for an answer. Noise: the disk of a virtual machine, whose time
for a flush changes from second to second, and the checkpoints of the write-ahead log, which fall into some rounds and not
into others.`

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

	a = area{Title: "Append", Method: appendMethod, Rows: []row{
		{"append, 1 writer", "1 writer", "4 KiB and fdatasync", "flush", perSecond},
		{"append, 1 writer", "1 writer", "SQLite insert, 1 a transaction", "1 insert", perSecond},
		{"append, 64 writers", "64 writers", "SQLite insert, 64 a transaction", "64 inserts", perSecond},
	}}
	a.samples, err = s.compare(ctx,
		ours.measure("1 writer", 1, s.slice),
		ours.measure("64 writers", manyWriters, s.slice),
		bare.measure("1 insert", 1, s.slice),
		bare.measure("64 inserts", manyWriters, s.slice),
		func(_ context.Context, into samples) error { return file.measure(into, s.slice) },
	)
	return a, err
}

// appending is our store under load.
type appending struct {
	store   eventstore.Store
	streams []eventstore.StreamID
	heads   []eventstore.Revision
	rounds  uint64
}

func openAppending(ctx context.Context, s *suite, log *filled) (*appending, error) {
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
	return &appending{store: store, streams: log.streams, heads: make([]eventstore.Revision, len(log.streams))}, nil
}

// measure lets writers append for a while. Each has streams of its own, so that none meets a conflict.
func (a *appending) measure(name string, writers int, slice time.Duration) contender {
	return func(ctx context.Context, into samples) error {
		a.rounds++
		before, err := a.store.Info(ctx)
		if err != nil {
			return err
		}
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
					if _, err := a.store.Append(ctx, a.streams[i], a.heads[i], someEvent(r)); err != nil {
						return err
					}
					a.heads[i]++
				}
				return nil
			})
		}
		err = group.Wait()
		into.rate(name, int(done.Load()), time.Since(start))
		if err != nil {
			return err
		}
		after, err := a.store.Info(context.WithoutCancel(ctx))
		if grown := int64(after.Head - before.Head); err == nil && grown != done.Load() {
			err = fmt.Errorf("%d events were acknowledged, but the log grew by %d", done.Load(), grown)
		}
		return err
	}
}

// inserting is the bare loop: a copy of the same database, and one connection.
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
	if err := b.learn(len(log.streams)); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return b, nil
}

// someHash takes the place of a link, which costs the bare loop nothing.
var someHash = filledWith('h', 32)

// learn reads the numbers of streams and plans, so that no insert has to look for them.
func (b *inserting) learn(streams int) (err error) {
	if b.position, err = b.number("SELECT max(position) FROM events"); err != nil {
		return err
	}
	if b.kind, err = b.number("SELECT max(id) FROM types"); err != nil {
		return err
	}
	err = b.query("SELECT stream, plan FROM events WHERE position <= ?", func(r []driver.Value) {
		b.streams = append(b.streams, insertingStream{number: r[0].(int64), plan: r[1].(int64)})
	}, int64(streams))
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
