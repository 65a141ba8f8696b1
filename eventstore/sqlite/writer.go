package sqlite

import (
	"runtime"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// Limits of one commit. More appends than this wait for the next one.
const (
	commitRequests = 1024
	commitBytes    = 4 << 20
)

// Most streams, plans and types whose numbers and heads the writer remembers, twice over.
const (
	rememberedStreams = 500_000
	rememberedNames   = 10_000
)

// indexedPerCommit is the least number of entries that each commit moves into the indexes, if there are any to move;
// a larger commit moves twice as many as it has events, so that the backlog does not grow without end.
const indexedPerCommit = 16

// request is one Append on its way to the writer.
type request struct {
	stream   eventstore.StreamID
	expected eventstore.Revision
	events   []eventstore.Event
	size     int
	copy     *eventstore.Page // to be copied, instead of events to be appended
	found    *found           // nil: nobody has looked
	done     chan result      // with room for the result
}

type result struct {
	position eventstore.Position
	err      error
}

// writer is the only one that changes the database; it runs in one goroutine. Appends that wait together are
// committed together, each with its own check and its own result.
type writer struct {
	path     string
	db       connection
	backlog  *backlog
	requests chan *request
	acks     *acknowledger
	moves    *checkpointer
	commits  int
	broken   error // the first failure of the disk; nothing is written after it

	head       Head                // of the last commit
	through    eventstore.Position // of a copy: where its source was when it was last written
	end        Head                // of the transaction under way
	links      *chain.Linker
	index      indexer
	lastStream int64
	lastPlan   int64
	lastType   int64
	streams    *cache[eventstore.StreamID, streamHead]
	plans      *cache[string, planHead]
	types      *cache[string, int64]
	batch      *batch
	added      []indexed
}

func newWriter(path string, db connection, head Head, b *backlog, acks *acknowledger, moves *checkpointer) (*writer, error) {
	w := &writer{
		path:     path,
		db:       db,
		backlog:  b,
		head:     head,
		acks:     acks,
		moves:    moves,
		requests: make(chan *request, commitRequests),
		links:    chain.NewLinker(),
		index:    indexer{db: db, backlog: b, length: runLength},
		streams:  newCache[eventstore.StreamID, streamHead](rememberedStreams),
		plans:    newCache[string, planHead](rememberedNames),
		types:    newCache[string, int64](rememberedNames),
	}
	return w, w.reload()
}

// reload forgets what was remembered and reads the ends of the tables again.
func (w *writer) reload() error {
	w.streams.clear()
	w.plans.clear()
	w.types.clear()
	for table, last := range map[string]*int64{"streams": &w.lastStream, "plans": &w.lastPlan, "types": &w.lastType} {
		n, _, err := one(w.db, "SELECT max(id) FROM "+table)
		if err != nil {
			return err
		}
		*last = n
	}
	reached, err := reach(w.db, w.head)
	if err != nil {
		return err
	}
	w.head, w.end = reached, reached
	if w.through, _, err = copiedThrough(w.db); err != nil {
		return err
	}
	return w.index.reload()
}

// run commits what arrives until the channel is closed and empty.
func (w *writer) run() {
	for {
		select {
		case chore := <-w.moves.chores:
			w.moves.note(chore(w.db))
		case first, ok := <-w.requests:
			if !ok {
				return
			}
			w.batch = w.acks.next()
			w.collect(first)
			if err := w.commit(); err != nil {
				w.batch.err = err
			}
			w.acks.commits <- w.batch
		}
	}
}

// collect takes the appends that are waiting, after those who were woken by the last commit had their turn.
func (w *writer) collect(first *request) {
	w.batch.requests = append(w.batch.requests, first)
	size := first.size
	yielded := false
	for len(w.batch.requests) < commitRequests && size < commitBytes {
		select {
		case r, ok := <-w.requests:
			if !ok {
				return
			}
			w.batch.requests = append(w.batch.requests, r)
			size += r.size
		default:
			if yielded {
				return
			}
			yielded = true
			runtime.Gosched()
		}
	}
}

// commit decides the batch inside one transaction. What is committed is acknowledged once the head says so too.
func (w *writer) commit() error {
	if w.broken == nil {
		w.broken = w.acks.failure()
	}
	if err := w.moves.failure(); err != nil && w.broken == nil {
		w.broken = explain(w.path, err)
	}
	if w.broken != nil {
		return &eventstore.UnavailableError{Err: w.broken}
	}
	w.added = w.added[:0]
	if err := w.db.exec("BEGIN IMMEDIATE"); err != nil {
		return w.fail(err, false)
	}
	for _, r := range w.batch.requests {
		result, err := w.append(r)
		if err != nil {
			return w.fail(err, false)
		}
		w.batch.results = append(w.batch.results, result)
	}
	if len(w.added) > 0 {
		if err := w.index.work(max(indexedPerCommit, 2*len(w.added))); err != nil {
			return w.fail(err, false)
		}
	}
	if err := w.db.exec("COMMIT"); err != nil {
		return w.fail(err, true)
	}
	if len(w.added) > 0 {
		w.backlog.add(w.added)
		w.index.committed()
		w.end.Time = time.Now()
		w.head = w.end
		w.commits++
		w.moves.committed(w.commits)
	}
	w.batch.head = w.head
	return nil
}

// fail takes the batch back. A full or locked database may recover, and so does a writer whose memory of a stream's
// head was caught by the index. After any other failure, of an fsync above all, nobody knows what is on the disk, and
// nothing is written until a restart has read it again.
func (w *writer) fail(cause error, unknown bool) error {
	_ = w.db.exec("ROLLBACK") // fails where SQLite has rolled back by itself, or never began
	broken := !passing(cause) && code(cause) != codeConstraint || w.reload() != nil
	cause = explain(w.path, cause)
	if broken {
		w.broken = cause
	}
	return &eventstore.UnavailableError{Unknown: unknown, Err: cause}
}
