package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

const openingMethod = `How long a store of %s events takes from the call of open until it can be used, in a process of its own
each time: after it was closed, and after it was killed (SIGKILL) under 64 writers when its write-ahead log had grown to
%.0f MiB and %s events were not in the indexes yet. The process that has opened the killed store is killed too,
so that the next one finds it as it was. The limit: the same process opens the database with the same driver and reads one
number out of it, for which SQLite has to recover its write-ahead log. The files are in the memory of the system. Noise: the
disk, and the start of a process, whose memory is new.`

func benchOpening(ctx context.Context, s *suite) (a area, err error) {
	log, err := s.logOf(ctx, s.opened)
	if err != nil {
		return a, err
	}
	folder, err := s.scratch("killed")
	if err != nil {
		return a, err
	}
	killed := filepath.Join(folder, "events.db")
	if err := errors.Join(copyFile(log.path, killed), copyFile(log.path+".head", killed+".head")); err != nil {
		return a, err
	}
	var left crashed
	if err := runRole(ctx, &left, crashRole, killed, strconv.Itoa(s.sizedStreams()), strconv.FormatInt(s.backlog, 10)); err != nil {
		return a, err
	}
	wal, err := os.Stat(killed + "-wal")
	if err != nil {
		return a, err
	}
	s.say("killed with %s events not indexed and %s of write-ahead log", thousands(float64(left.Unindexed)), megabytes(float64(wal.Size())))

	a = area{Title: "Opening", Rows: []row{
		{"open", "open", "open and SELECT", "bare open", seconds},
		{"open after a kill", "open killed", "open and SELECT", "bare open killed", seconds},
	}}
	a.Method = fmt.Sprintf(openingMethod, thousands(float64(s.opened)), float64(wal.Size())/(1<<20), thousands(float64(left.Unindexed)))
	opening := func(name string, args ...string) contender {
		return func(ctx context.Context, into samples) error {
			var o opened
			if err := runRole(ctx, &o, openRole, args...); err != nil {
				return err
			}
			if o.Events < s.opened {
				return fmt.Errorf("%s: opened %d events of %d", name, o.Events, s.opened)
			}
			into[name] = append(into[name], o.Seconds)
			return nil
		}
	}
	a.samples, err = s.compare(ctx,
		opening("open", log.path, "store"),
		opening("bare open", log.path, "bare"),
		opening("open killed", killed, "store", "die"),
		opening("bare open killed", killed, "bare", "die"),
	)
	return a, err
}

// opened is what a process tells that has opened a log.
type opened struct {
	Seconds float64
	Events  int
}

// runOpen opens a log, with our store or bare, tells how long it took, and closes it or dies.
func runOpen(args []string) (err error) {
	var o opened
	var closing func() error
	start := time.Now()
	if args[1] == "bare" {
		db, err := openBare(args[0])
		if err != nil {
			return err
		}
		last, err := db.number("SELECT max(position) FROM events")
		if err != nil {
			return errors.Join(err, db.close())
		}
		o.Events, closing = int(last), db.close
	} else {
		ctx := context.Background()
		store, err := sqlite.Open(ctx, args[0])
		if err != nil {
			return err
		}
		info, err := store.Info(ctx)
		if err != nil {
			return errors.Join(err, store.Close())
		}
		o.Events, closing = int(info.Head), store.Close
	}
	o.Seconds = time.Since(start).Seconds()
	if err := tell(o); err != nil {
		return err
	}
	if len(args) > 2 {
		return die()
	}
	return closing()
}

// crashed is what a process leaves behind that is killed at once after it has told.
type crashed struct{ Unindexed int64 }

// nearlyAll is how many events the indexes may lack before a store catches up, but for a few: a run that is being
// written, and those appended meanwhile.
const nearlyAll = 22_000

// runCrash appends to a log without ever moving its write-ahead log, and dies under way when that is long and the indexes
// lack as much as they ever do.
func runCrash(args []string) (err error) {
	path := args[0]
	streams, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	store, err := sqlite.Open(ctx, path, sqlite.CheckpointAfter(1<<30))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	db, err := openBare(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	group, ctx := errgroup.WithContext(ctx)
	for w := range manyWriters {
		group.Go(func() error { return keepAppending(ctx, store, w, streams/manyWriters) })
	}
	group.Go(func() error { return dieWhen(ctx, db, path+"-wal", size) })
	return group.Wait()
}

// dieWhen waits until the moment has come.
func dieWhen(ctx context.Context, db *bareSQLite, wal string, size int64) error {
	for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		info, err := os.Stat(wal)
		if err != nil {
			return err
		}
		var lacking int64
		err = db.query("SELECT max(position), (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'indexed') FROM events", func(r []driver.Value) {
			lacking = r[0].(int64) - r[1].(int64)
		})
		if err != nil {
			return err
		}
		if info.Size() < size || lacking < nearlyAll {
			continue
		}
		if err := tell(crashed{lacking}); err != nil {
			return err
		}
		return die()
	}
	return ctx.Err()
}

// keepAppending appends to random streams, of which this writer has its own.
func keepAppending(ctx context.Context, store eventstore.Store, writer, streams int) error {
	r := random(uint64(writer) + 1<<32)
	heads := map[int]eventstore.Revision{}
	for {
		i := r.IntN(streams)*manyWriters + writer
		at, known := heads[i]
		if !known {
			var err error
			if at, err = lastRevision(ctx, store, streamName(i)); err != nil {
				return err
			}
		}
		if _, err := store.Append(ctx, streamName(i), at, someEvent(r)); err != nil {
			return err
		}
		heads[i] = at + 1
	}
}
