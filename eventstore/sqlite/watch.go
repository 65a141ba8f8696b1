package sqlite

import (
	"context"
	"time"

	"rolewise/eventstore"
)

// watcher makes known what another process appends.
type watcher struct {
	log     *logReader
	db      *conn
	version int64
	indexed int64
	seen    []indexed // events that the indexes lacked when they were last read
}

// run looks again and again until the log is closed.
func (w *watcher) run(shut func()) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.log.closed:
			return
		case <-tick.C:
		}
		// A moment in which the other process has the file is not worth a word; the next look will tell.
		if replaced, _ := w.look(); replaced {
			shut()
			return
		}
	}
}

// look publishes what was acknowledged since the last look. It tells whether the log is another one by now.
func (w *watcher) look() (replaced bool, err error) {
	head, err := ReadHead(w.log.path)
	if err != nil {
		return false, err
	}
	if head.Store != w.log.info.ID || head.Epoch != w.log.info.Epoch {
		return true, nil
	}
	for {
		last, _ := w.log.tail.state()
		if last >= head.Position {
			return false, nil
		}
		rows := newRows(context.Background(), recentEvents)
		var added []indexed
		err := w.db.query("SELECT "+columns+", e.plan, e.plan_seq FROM events e WHERE e.position > ? AND e.position <= ? ORDER BY e.position",
			func(r row) error {
				added = append(added, indexed{r.int(1), r.int(2), r.int(7), r.int(8), r.int(0)})
				return rows.add(r)
			}, int64(last), int64(head.Position))
		if err == nil {
			err = rows.named(w.db, w.log.names)
		}
		if err == nil {
			err = w.keep(added)
		}
		if err != nil || len(rows.events) == 0 {
			return false, err
		}
		w.log.tail.publish(rows.events)
	}
}

// keep remembers where the events of streams are that the indexes lack.
func (w *watcher) keep(added []indexed) error {
	through, err := indexedThrough(w.db)
	if err != nil {
		return err
	}
	w.seen = append(w.seen, added...)
	if through == w.indexed {
		w.log.backlog.add(added)
		return nil
	}
	w.indexed = through
	for len(w.seen) > 0 && w.seen[0].position <= through {
		w.seen = w.seen[1:]
	}
	w.log.backlog.reset(w.seen)
	return nil
}

// index reads what the indexes lack at the opening.
func (w *watcher) index() (err error) {
	if w.indexed, err = indexedThrough(w.db); err != nil {
		return err
	}
	head, _ := w.log.tail.state()
	w.seen, err = unindexed(w.db, w.indexed, head)
	w.log.backlog.reset(w.seen)
	return err
}

// unindexed reads which events of the log up to a head the indexes lack.
func unindexed(c connection, indexedThrough int64, head eventstore.Position) (entries []indexed, err error) {
	err = c.query("SELECT stream, revision, plan, plan_seq, position FROM events WHERE position > ? AND position <= ? ORDER BY position", func(r row) error {
		entries = append(entries, indexed{r.int(0), r.int(1), r.int(2), r.int(3), r.int(4)})
		return nil
	}, indexedThrough, int64(head))
	return entries, err
}
