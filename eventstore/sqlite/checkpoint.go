package sqlite

import "context"

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

// run works until stop. A failure is handed to the writer, which then stops: after a failed fsync nobody knows what
// is on the disk.
func (c *checkpointer) run() {
	defer func() { _ = c.db.close() }()
	for {
		select {
		case <-c.stopped:
			return
		case <-c.wake:
		}
		done, err := c.checkpoint()
		if err == nil && !done {
			continue
		}
		chore := func(db connection) error {
			if err != nil {
				return err
			}
			return moveLog(db)
		}
		select {
		case c.chores <- chore:
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
