package durability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// roomSize is the size of the disk. The log grows over the cycles and must leave room.
func roomSize() int64 { return int64(cycles(128, 1024)) << 20 }

const (
	refusals = 3 // one after the other: then a writer waits for space
	fullPage = 4096
	// logPiece is how many pages of the write-ahead log the first piece of its index tells of. The next one makes the
	// -shm grow.
	logPiece = 4062
	framed   = fullPage + 24 // a page in the log
	// indexFull is SQLite's code where there is no space for the -shm to grow (SQLITE_IOERR_SHMSIZE).
	indexFull = 4874
)

// recovery is within which time of space returning appends are to be taken again.
func recovery() time.Duration {
	if tortured() {
		return 5 * time.Second
	}
	return 30 * time.Second
}

// room is a small file system with a store and a filler.
type room struct {
	folder string
	random *rand.Rand
	work   work
	book   *book
	spoil  func(appender) appender // what the crew uses in place of the store; nil: the store
}

func newRoom(t *testing.T, random *rand.Rand, seed uint64) *room {
	t.Helper()
	folder := t.TempDir()
	err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", roomSize()))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("a full disk is not tried: mounting is not permitted: %v", err)
	}
	if err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	r := &room{folder: folder, random: random, work: work{
		Path: filepath.Join(folder, storeName), Ledger: filepath.Join(t.TempDir(), "ledger"), Load: usual(seed),
	}}
	r.work.Load.Largest, r.work.Load.Large = 60_000, 20 // to be full soon
	r.book = newBook(r.work.Ledger, r.work.Load)
	return r
}

// fill takes all space but some bytes.
func (r *room) fill(leave int64) error {
	file, err := os.OpenFile(filepath.Join(r.folder, "filler"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size := int64(0)
	for step := roomSize(); step >= fullPage; step /= 2 {
		for err = nil; err == nil; {
			if err = syscall.Fallocate(int(file.Fd()), 0, size, step); err == nil {
				size += step
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(file.Truncate(max(0, size-leave)), file.Close())
}

// shrink makes the filler smaller.
func (r *room) shrink(by int64) error {
	path := filepath.Join(r.folder, "filler")
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, max(0, info.Size()-by))
}

func (r *room) free() error { return os.Remove(filepath.Join(r.folder, "filler")) }

// queue is where writers wait that were refused again and again.
type queue struct {
	mu       sync.Mutex
	shut     bool  // writers have to wait
	refused  []int // by writer, one after the other
	waiting  int
	all      chan struct{} // closed when every writer waits
	open     chan struct{} // closed when they may go on
	answered map[int]bool  // writers with an acknowledgement since then
	everyone chan struct{} // closed when all have one
	reasons  map[int]int   // result codes of SQLite, how often
}

func newQueue(writers int) *queue {
	return &queue{refused: make([]int, writers), all: make(chan struct{}), open: make(chan struct{}),
		answered: map[int]bool{}, everyone: make(chan struct{}), reasons: map[int]int{}}
}

// unavailable is for a crew: it makes the writer wait a little, and after some refusals until space is there.
func (q *queue) unavailable(ctx context.Context, writer int, err *eventstore.UnavailableError) bool {
	var coded interface{ Code() int }
	q.mu.Lock()
	if errors.As(err, &coded) {
		q.reasons[coded.Code()]++
	}
	q.refused[writer]++
	wait, open := q.shut && q.refused[writer] >= refusals, q.open
	if wait {
		if q.waiting++; q.waiting == len(q.refused) {
			close(q.all)
		}
	}
	q.mu.Unlock()
	if !wait {
		open = nil
	}
	select {
	case <-open:
	case <-after(!wait, 5*time.Millisecond):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// after is time.After, or never.
func after(ever bool, d time.Duration) <-chan time.Time {
	if !ever {
		return nil
	}
	return time.After(d)
}

func (q *queue) acknowledged(writer int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused[writer] = 0
	if !q.shut {
		if q.answered[writer] = true; len(q.answered) == len(q.refused) {
			select {
			case <-q.everyone:
			default:
				close(q.everyone)
			}
		}
	}
}

// close makes writers wait from now on, when they are refused again and again.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = true
	clear(q.refused)
}

// release lets all writers go on, and those that are refused again wait again, or go on trying.
func (q *queue) release(wait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = wait
	close(q.open)
	q.all, q.open = make(chan struct{}), make(chan struct{})
	q.waiting, q.answered, q.everyone = 0, map[int]bool{}, make(chan struct{})
	clear(q.refused)
}

// met tells whether an append was refused for a reason.
func (q *queue) met(code int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reasons[code] > 0
}

// full is closed when every writer waits.
func (q *queue) full() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all
}

// through is closed when every writer has an acknowledgement since the last release.
func (q *queue) through() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.everyone
}

// session is a store that is open in a room, with its crew at work.
type session struct {
	*room
	store  *sqlite.Store
	queue  *queue
	notes  *ledger
	cancel context.CancelFunc
	ended  chan error
}

func (r *room) start(ctx context.Context, checkpoint int) (*session, error) {
	store, err := sqlite.Open(ctx, r.work.Path, sqlite.CheckpointAfter(checkpoint))
	if err != nil {
		return nil, err
	}
	notes, err := openLedger(r.work.Ledger)
	if err = errors.Join(err, r.book.refresh()); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s := &session{room: r, store: store, notes: notes, queue: newQueue(r.work.Load.Writers), ended: make(chan error, 1)}
	ctx, s.cancel = context.WithCancel(ctx)
	c := &crew{load: r.work.Load, store: store, ledger: notes, unavailable: s.queue.unavailable, acknowledged: s.queue.acknowledged}
	if r.spoil != nil {
		c.store = r.spoil(store)
	}
	from := r.book.next()
	go func() { s.ended <- c.run(ctx, from) }()
	return s, nil
}

// stop ends the crew and closes the store, after every append has its answer.
func (s *session) stop(ctx context.Context) error {
	s.cancel()
	err := errors.Join(<-s.ended, s.notes.close())
	return errors.Join(err, settle(ctx, s.store, s.work.Load, s.book), s.store.Close())
}

// reached waits for a channel to be closed.
func (s *session) reached(done <-chan struct{}, bound time.Duration, what string) error {
	select {
	case <-done:
		return nil
	case err := <-s.ended:
		s.ended <- nil
		return fmt.Errorf("the crew ended: %w", err)
	case <-time.After(bound):
		return fmt.Errorf("%s within %s", what, bound)
	}
}

// cycle fills the disk, but for some bytes, and frees it again. It returns how long it took until each writer had an
// append taken. If the log is to grow until some size, that happens a few pages at a time, each time until the disk is
// full again.
func (s *session) cycle(ctx context.Context, leave, logSize int64, bound time.Duration) (f findings, took time.Duration, err error) {
	s.queue.close()
	if err := s.fill(leave); err != nil {
		return f, 0, err
	}
	for {
		if err := s.reached(s.queue.full(), patience, "the disk did not become full"); err != nil {
			return f, 0, err
		}
		info, err := os.Stat(s.work.Path + "-wal")
		if err != nil {
			return f, 0, err
		}
		if info.Size() >= logSize || s.queue.met(indexFull) {
			break
		}
		step := max(7, (logPiece-info.Size()/framed)/2) // the index needs eight pages, and must find fewer
		if err := s.shrink(step * fullPage); err != nil {
			return f, 0, err
		}
		s.queue.release(true)
	}
	// Nobody appends now: everything that was acknowledged is read, from the full disk.
	if err := s.book.refresh(); err != nil {
		return f, 0, err
	}
	if f, err = check(ctx, s.store, s.work.Load, s.book); err != nil {
		return f, 0, fmt.Errorf("read from a full disk: %w", err)
	}
	if err := s.free(); err != nil {
		return f, 0, err
	}
	begin := time.Now()
	s.queue.release(false)
	err = s.reached(s.queue.through(), bound, "appends were not taken again")
	return f, time.Since(begin), err
}

// grown waits until the write-ahead log has some size.
func (s *session) grown(ctx context.Context, size int64) error {
	for {
		info, err := os.Stat(s.work.Path + "-wal")
		if err != nil || info.Size() >= size {
			return err
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case err := <-s.ended:
			s.ended <- nil
			return fmt.Errorf("the crew ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// way is how a disk becomes full.
type way struct {
	name       string
	checkpoint int   // pages after which the write-ahead log is moved
	before     int64 // size of the log before the disk is filled
	until      int64 // size that the log reaches on the full disk, bit by bit
}

var ways = []way{
	{"the write-ahead log grows", 1 << 20, 0, 0},
	{"the database grows at a checkpoint", 50, 50 * fullPage, 0},
	{"the index of the write-ahead log grows", 1 << 20, (logPiece - 2500) * framed, (logPiece + 100) * framed},
}

// TestDiskFull fills the disk under a store with 16 writers and frees it again. When it is full appends are refused,
// as unavailable, and reads are served; when space is there again, appends are taken, without a restart.
func TestDiskFull(t *testing.T) {
	random, seed := seeded(t)
	r := newRoom(t, random, seed)
	count, reasons, slowest := map[string]int{}, map[int]int{}, time.Duration(0)
	for n := 0; n < cycles(3, 20); {
		way := ways[n%len(ways)]
		s, err := r.start(t.Context(), way.checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.grown(t.Context(), way.before); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(cycles(1, 2)) {
			leave := 0
			if way.until == 0 {
				pause(time.Duration(random.IntN(20)) * time.Millisecond)
				leave = random.IntN(3) * random.IntN(64) * fullPage
			}
			f, took, err := s.cycle(t.Context(), int64(leave), way.until, recovery())
			wantClean(t, f)
			if err != nil {
				t.Fatalf("%s: %v", way.name, err)
			}
			slowest = max(slowest, took)
			count[way.name]++
			n++
		}
		for code, times := range s.queue.reasons {
			reasons[code] += times
		}
		if err := s.stop(t.Context()); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
	}
	f := r.reopened(t)
	wantClean(t, f)
	if f.arrived > 0 {
		t.Errorf("%d appends stay without an answer", f.arrived)
	}
	acknowledged, _ := r.book.count()
	t.Logf("%v, refused with the result codes %v: %s; %d appends acknowledged; the last writer went on %s after space was there",
		count, reasons, &f, acknowledged, slowest)
	if reasons[indexFull] == 0 {
		t.Log("the disk was never full for the index of the write-ahead log, this time")
	}
	r.knownBad(t)
}

// reopened opens the store again and checks all of it.
func (r *room) reopened(t *testing.T) findings {
	t.Helper()
	f, err := checkFile(t.Context(), r.work.Path, r.work.Load, r.book)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// knownBad shows on the real store that a single acknowledgement without its append is found.
func (r *room) knownBad(t *testing.T) {
	t.Helper()
	last := r.book.next()[7].Number
	line := fmt.Sprintf("begin 7 %d 0\nacknowledged 7 %d 0 1\n", last, last)
	file, err := os.OpenFile(r.book.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(line)
	if err = errors.Join(err, file.Close(), r.book.refresh()); err != nil {
		t.Fatal(err)
	}
	if f := r.reopened(t); f.lost != 1 {
		t.Errorf("an acknowledgement of nothing passes: %s", &f)
	}
}

// spoiled is a store that does the wrong thing on a full disk.
type spoiled struct {
	appender
	spoil func(position eventstore.Position, err error) (eventstore.Position, error)
}

func (s spoiled) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	return s.spoil(s.appender.Append(ctx, stream, expected, events...))
}

// TestDiskFullIsNoticed fills the disk under stores that do the wrong thing then.
func TestDiskFullIsNoticed(t *testing.T) {
	run := func(t *testing.T, spoil func(eventstore.Position, error) (eventstore.Position, error)) (findings, error) {
		random, seed := seeded(t)
		r := newRoom(t, random, seed)
		r.spoil = func(store appender) appender { return spoiled{store, spoil} }
		s, err := r.start(t.Context(), ways[0].checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := s.cycle(t.Context(), 0, 0, time.Second)
		s.cancel()
		<-s.ended
		if err := errors.Join(s.notes.close(), s.store.Close()); err != nil {
			t.Fatal(err)
		}
		return f, err
	}
	t.Run("it never goes on", func(t *testing.T) {
		var mu sync.Mutex
		var broken error
		_, err := run(t, func(position eventstore.Position, err error) (eventstore.Position, error) {
			mu.Lock()
			defer mu.Unlock()
			var unavailable *eventstore.UnavailableError
			if errors.As(err, &unavailable) {
				broken = err
			}
			if broken != nil {
				return 0, broken
			}
			return position, err
		})
		if err == nil {
			t.Error("passes")
		}
		t.Log(err)
	})
	t.Run("it acknowledges what it could not write, now and then", func(t *testing.T) {
		var mu sync.Mutex
		refused := 0
		f, err := run(t, func(position eventstore.Position, err error) (eventstore.Position, error) {
			mu.Lock()
			defer mu.Unlock()
			var unavailable *eventstore.UnavailableError
			if errors.As(err, &unavailable) {
				if refused++; refused == 10 {
					return 1, nil
				}
			}
			return position, err
		})
		if f.lost == 0 {
			t.Errorf("passes: %s, %v", &f, err)
		}
		t.Log(&f)
	})
	t.Run("its error is another", func(t *testing.T) {
		_, err := run(t, func(position eventstore.Position, err error) (eventstore.Position, error) {
			var unavailable *eventstore.UnavailableError
			if errors.As(err, &unavailable) {
				err = errors.New(err.Error())
			}
			return position, err
		})
		if err == nil {
			t.Error("passes")
		}
		t.Log(err)
	})
}
