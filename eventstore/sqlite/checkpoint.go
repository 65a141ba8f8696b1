package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"sync"
)

// checkCommits is after how many commits the checkpointer looks how long the write-ahead log has grown.
const checkCommits = 64

// checkpointer moves the content of the write-ahead log into the database file beside the commits, on a connection of
// its own, and asks the writer only for the short rest, after which the log starts over.
type checkpointer struct {
	db      *conn
	most    int64 // pages in the log
	wake    chan struct{}
	chores  chan func(connection) error // for the writer, between two commits
	stopped chan struct{}

	mu     sync.Mutex
	broken error // the first failure of the disk
}

func newCheckpointer(ctx context.Context, path string, most int) (*checkpointer, error) {
	db, err := connect(ctx, path, readerCache, nil)
	if err != nil {
		return nil, err
	}
	return &checkpointer{
		db:      db,
		most:    int64(most),
		wake:    make(chan struct{}, 1),
		chores:  make(chan func(connection) error),
		stopped: make(chan struct{}),
	}, nil
}

// committed is called by the writer after each commit.
func (c *checkpointer) committed(commits int) {
	if commits%checkCommits != 0 {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// failure returns what the disk did, if it has failed. The writer then writes no more: after a failed fsync nobody knows
// what is on the disk.
func (c *checkpointer) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// note keeps the first failure that does not pass by itself.
func (c *checkpointer) note(err error) {
	if err == nil || passing(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = err
	}
}

// run works until stop.
func (c *checkpointer) run() {
	defer func() { _ = c.db.close() }()
	for {
		select {
		case <-c.stopped:
			return
		case <-c.wake:
		}
		done, err := c.checkpoint()
		c.note(err)
		if err != nil || !done {
			continue
		}
		select {
		case c.chores <- func(db connection) error { return moveLog(db) }:
		case <-c.stopped:
			return
		}
	}
}

// checkpoint moves the log if it is long enough to be worth it.
func (c *checkpointer) checkpoint() (done bool, err error) {
	pages, err := logPages(c.db)
	if err != nil || pages < c.most {
		return false, err
	}
	return true, moveLog(c.db)
}

// logPages returns how many pages of the write-ahead log wait for a checkpoint.
func logPages(c connection) (pages int64, err error) {
	err = c.query("PRAGMA wal_checkpoint(NOOP)", func(r row) error {
		pages = r.int(1) - r.int(2)
		return nil
	})
	return pages, err
}

// moveLog moves what no reader stands in the way of. It never waits, and a busy database is left for the next time.
func moveLog(c connection) error {
	err := c.exec("PRAGMA wal_checkpoint(PASSIVE)")
	if code(err) == codeBusy || code(err) == codeLocked {
		return nil
	}
	return err
}

// rewriteLog writes what a process left in the write-ahead log over itself and makes it durable, before anything is read
// from it. After an fsync that failed, the system shows what was written as if it were on the disk, and no later fsync
// brings it there: whoever went on behind it would lose it with the next power cut.
func rewriteLog(path string) error {
	f, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := logEnd(f)
	buffer := make([]byte, 1<<20)
	for at := int64(0); err == nil && at < end; at += int64(len(buffer)) {
		buffer = buffer[:min(int64(len(buffer)), end-at)]
		if _, err = f.ReadAt(buffer, at); err == nil {
			_, err = f.WriteAt(buffer, at)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// The head of a write-ahead log and of each of its frames, in bytes (https://sqlite.org/fileformat2.html#walformat).
const (
	logHead   = 32
	frameHead = 24
)

// logEnd returns where the frames end that SQLite may read again: those with the salt of the log's head. What stands
// behind them is left of an earlier round, which may have been much longer.
func logEnd(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() < logHead {
		return 0, err
	}
	head, frame := make([]byte, logHead), make([]byte, frameHead)
	if _, err := f.ReadAt(head, 0); err != nil {
		return 0, err
	}
	page := int64(binary.BigEndian.Uint32(head[8:]))
	end := int64(logHead)
	for page >= 512 && end+frameHead+page <= info.Size() {
		if _, err := f.ReadAt(frame, end); err != nil {
			return 0, err
		}
		if !bytes.Equal(frame[8:16], head[16:24]) {
			break
		}
		end += frameHead + page
	}
	return end, nil
}
