// Package sqlite is the embedded event store: one file, one writer, every acknowledged event on the disk.
package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"rolewise/eventstore"
)

// Store implements eventstore.Store on a SQLite file that belongs to this process alone.
//
// The bytes of events that Read and Follow yield may be shared with other readers: they must not be changed.
type Store struct {
	logReader
	lock    *os.File
	writer  *writer
	lookers *pool // for callers of Append, so that readers keep none waiting

	enqueue sync.RWMutex   // held for reading while a request is on its way into the writer's channel
	ending  bool           // under enqueue
	once    sync.Once      // of the closing
	done    sync.WaitGroup // writer, acknowledger and checkpointer
	release func() error   // closes what these worked with
}

var _ eventstore.Store = (*Store)(nil)

// Option changes how a store works.
type Option func(*options)

type options struct {
	page       int
	readers    int
	checkpoint int
	recent     int // events kept in memory for followers at the head
	run        int // events after which the indexes are written
	unsafe     bool
	source     *eventstore.Info            // of the log that this one is a copy of; nil: of none
	wrap       func(connection) connection // around the writer's, for tests of failing disks; nil: none
}

func defaults() options {
	return options{page: 512, readers: 8, checkpoint: 8192, recent: recentEvents, run: runLength}
}

// PageSize sets the most events of a page of Follow where the filter does not say; default 512.
func PageSize(events int) Option { return func(o *options) { o.page = max(1, events) } }

// Readers sets how many connections may read at once; default 8. Each may hold some 8 MiB of cache.
func Readers(connections int) Option { return func(o *options) { o.readers = max(1, connections) } }

// CheckpointAfter sets at how many pages of 4 KiB in the write-ahead log its content is moved into the database file,
// beside the commits; default 8,192.
func CheckpointAfter(pages int) Option { return func(o *options) { o.checkpoint = max(1, pages) } }

// UnsafeSynchronousNormal lets a commit be acknowledged before it is on the disk. Events are lost when the power goes:
// it is there for tests that prove that they would see such a loss.
func UnsafeSynchronousNormal() Option { return func(o *options) { o.unsafe = true } }

// Sizes of the page caches in KiB, negative as SQLite wants it.
const (
	writerCache = -64 << 10
	readerCache = -8 << 10
)

// Open opens or creates the event store in a file, whose folder must exist. Beside it lie FILE-wal and FILE-shm, which
// belong to it, FILE.head, which says how far the log goes, and FILE.lock, held as long as the store is open: a second
// process gets an error. A new store can be read by its owner alone; the mode of one that is there stays as it is.
//
// A database that does not reach its head is refused with a *DamageError: events that were acknowledged are missing.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
	o := defaults()
	for _, option := range opts {
		option(&o)
	}
	s := &Store{logReader: newLogReader(o)}
	if err := s.open(ctx, path, o); err != nil {
		return nil, explain(path, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, o options) (err error) {
	if s.path, err = resolve(path); err != nil {
		return err
	}
	if s.lock, err = lock(s.path + ".lock"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	file, head, err := findHead(s.path)
	if err != nil {
		return err
	}
	if err := createPrivate(s.path); err != nil {
		return errors.Join(err, file.close())
	}
	if file != nil { // else nothing was acknowledged, or it is the database of another program, which may be running
		if err := rewriteLog(s.path); err != nil {
			return errors.Join(err, file.close())
		}
	}
	db, err := connect(ctx, s.path, writerCache, inspect)
	if err != nil {
		return errors.Join(err, file.close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close(), file.close())
		}
	}()
	if err := migrate(db); err != nil {
		return err
	}
	if err := checkSchema(db); err != nil {
		return err
	}
	if err := claim(db, o.source); err != nil {
		return err
	}
	if s.info, err = identity(db); err != nil {
		return err
	}
	if file, head, err = settle(db, s.path, s.info, file, head); err != nil {
		return err
	}
	if o.unsafe {
		if err := db.exec("PRAGMA synchronous = normal"); err != nil {
			return err
		}
	}
	s.tail = newTail(head.Position, o.recent)
	moves, err := newCheckpointer(ctx, s.path, o.checkpoint)
	if err != nil {
		return err
	}
	var writing connection = db
	if o.wrap != nil {
		writing = o.wrap(db)
	}
	acks := newAcknowledger(s.path, file, head, s.tail)
	if s.writer, err = newWriter(s.path, writing, head, s.backlog, acks, moves); err != nil {
		return errors.Join(err, moves.db.close())
	}
	s.writer.index.length = o.run
	s.heads = s.writer.streams
	s.pool = newPool(s.path, o.readers, s.closed)
	s.lookers = newPool(s.path, runtime.GOMAXPROCS(0), s.closed)
	checkpointing := make(chan struct{})
	go func() {
		defer close(checkpointing)
		moves.run()
	}()
	s.done.Go(func() {
		acknowledging := make(chan struct{})
		go func() {
			defer close(acknowledging)
			acks.run()
		}()
		s.writer.run()
		close(acks.commits)
		<-acknowledging
		close(moves.stopped)
		<-checkpointing
	})
	s.release = func() error { return errors.Join(db.close(), file.close()) }
	return nil
}

// createPrivate makes an empty database, unless there is one, that only its owner may read; SQLite gives the files
// beside it the same mode. Whatever stands in the way SQLite meets too, and tells better. A file that exists is not
// even opened: to close it would drop the locks that SQLite holds on it in this process.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return f.Close()
}

// resolve makes a path absolute and follows links, so that one file has one lock.
func resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = real
	}
	info, err := os.Stat(absolute)
	if err == nil && !info.Mode().IsRegular() {
		return path, errors.New("it is not a file: give the path of a file")
	}
	if link, failure := os.Lstat(absolute); err != nil && failure == nil && link.Mode()&os.ModeSymlink != 0 {
		return path, errors.New("it is a link to a file that is not there: give the path of the file itself")
	}
	return absolute, nil
}

// Append implements eventstore.Store. Once the request is with the writer its outcome is awaited even if the context
// ends, since a commit takes milliseconds and an unknown outcome is worse.
func (s *Store) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	size, err := eventstore.Check(stream, expected, events)
	if err != nil {
		return 0, err
	}
	r := &request{stream: stream, expected: expected, events: events, size: size, done: make(chan result, 1)}
	r.found = s.look(ctx, stream)
	if err := s.hand(ctx, r); err != nil {
		return 0, err
	}
	outcome := <-r.done // always comes: the writer empties its channel before it ends
	return outcome.position, outcome.err
}

// hand gives a request to the writer.
func (s *Store) hand(ctx context.Context, r *request) error {
	s.enqueue.RLock()
	defer s.enqueue.RUnlock()
	if s.ending {
		return eventstore.ErrClosed
	}
	select {
	case s.writer.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements eventstore.Store: appends under way get their results, followers and readers end with ErrClosed.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		s.enqueue.Lock()
		s.ending = true
		close(s.writer.requests)
		close(s.closed)
		s.enqueue.Unlock()
		err = errors.Join(s.pool.close(), s.lookers.close())
		s.done.Wait()
		// The writer's connection goes when no other is left, so that it tidies up the write-ahead log.
		err = errors.Join(err, s.release(), s.lock.Close())
	})
	return err
}
