package sqlite

import (
	"runtime"

	"rolewise/eventstore"
)

// Limits of one commit. More appends than this wait for the next one.
const (
	commitRequests = 1024
	commitBytes    = 4 << 20
)

// Most streams, plans and types whose numbers and heads the writer remembers, twice over.
const (
	rememberedStreams = 100_000
	rememberedNames   = 10_000
)

// request is one Append on its way to the writer.
type request struct {
	stream   eventstore.StreamID
	expected eventstore.Revision
	events   []eventstore.Event
	size     int
	done     chan result // with room for the result
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
	tail     *tail
	requests chan *request
	moves    *checkpointer
	commits  int
	broken   error // the first failure of the disk; nothing is written after it

	head       eventstore.Position
	lastStream int64
	lastPlan   int64
	lastType   int64
	streams    *cache[eventstore.StreamID, streamHead]
	plans      *cache[string, planHead]
	types      *cache[string, int64]
	batch      []*request
	results    []result
	recorded   []eventstore.Recorded
}

type streamHead struct {
	number   int64 // 0: the stream has no events yet
	revision eventstore.Revision
}

type planHead struct {
	number   int64 // 0: the plan has no events yet
	sequence int64
}

func newWriter(path string, db connection, t *tail, moves *checkpointer) (*writer, error) {
	w := &writer{
		path:     path,
		db:       db,
		tail:     t,
		moves:    moves,
		requests: make(chan *request, commitRequests),
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
	var head int64
	for table, last := range map[string]*int64{
		"max(position) FROM events": &head,
		"max(id) FROM streams":      &w.lastStream,
		"max(id) FROM plans":        &w.lastPlan,
		"max(id) FROM types":        &w.lastType,
	} {
		n, _, err := one(w.db, "SELECT "+table)
		if err != nil {
			return err
		}
		*last = n
	}
	w.head = eventstore.Position(head)
	return nil
}

// run commits what arrives until the channel is closed and empty.
func (w *writer) run() {
	for {
		select {
		case chore := <-w.moves.chores:
			if err := chore(w.db); err != nil && w.broken == nil {
				w.broken = explain(w.path, err)
			}
		case first, ok := <-w.requests:
			if !ok {
				return
			}
			w.collect(first)
			w.answer(w.commit())
		}
	}
}

// collect takes the appends that are waiting, after those who were woken by the last commit had their turn.
func (w *writer) collect(first *request) {
	w.batch = append(w.batch[:0], first)
	size := first.size
	yielded := false
	for len(w.batch) < commitRequests && size < commitBytes {
		select {
		case r, ok := <-w.requests:
			if !ok {
				return
			}
			w.batch = append(w.batch, r)
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

// answer tells the waiting appends what became of them; err is the failure of the commit as a whole.
func (w *writer) answer(err error) {
	for i, r := range w.batch {
		if err != nil {
			r.done <- result{err: err}
		} else {
			r.done <- w.results[i]
		}
		w.batch[i] = nil
	}
}

// commit decides the batch inside one transaction, makes it durable and publishes it.
func (w *writer) commit() error {
	if w.broken != nil {
		return &eventstore.UnavailableError{Err: w.broken}
	}
	w.results, w.recorded = w.results[:0], w.recorded[:0]
	if err := w.db.exec("BEGIN IMMEDIATE"); err != nil {
		return w.fail(err, false)
	}
	for _, r := range w.batch {
		result, err := w.append(r)
		if err != nil {
			return w.fail(err, false)
		}
		w.results = append(w.results, result)
	}
	if err := w.db.exec("COMMIT"); err != nil {
		return w.fail(err, true)
	}
	w.tail.publish(w.recorded)
	clear(w.recorded)
	w.commits++
	w.moves.committed(w.commits)
	return nil
}

// fail takes the batch back. A full or locked database may recover, and so does a writer whose memory of a stream's
// head was caught by the index. After any other failure, of an fsync above all, nobody knows what is on the disk, and
// nothing is written until a restart has read it again.
func (w *writer) fail(cause error, unknown bool) error {
	_ = w.db.exec("ROLLBACK") // fails where SQLite has rolled back by itself, or never began
	broken := true
	switch code(cause) {
	case codeFull, codeBusy, codeConstraint:
		broken = w.reload() != nil
	}
	cause = explain(w.path, cause)
	if broken {
		w.broken = cause
	}
	return &eventstore.UnavailableError{Unknown: unknown, Err: cause}
}

// append checks one request and inserts its events. The error is a failure of the database; a refusal is a result.
func (w *writer) append(r *request) (result, error) {
	stream, err := w.stream(r.stream)
	if err != nil {
		return result{}, err
	}
	if stream.revision != r.expected {
		return w.repeated(r, stream)
	}
	plan, err := w.plan(r.stream.Plan)
	if err != nil {
		return result{}, err
	}
	if stream.number == 0 {
		w.lastStream++
		stream.number = w.lastStream
		err := w.db.exec("INSERT INTO streams (id, name) VALUES (?, ?)", stream.number, r.stream.String())
		if err != nil {
			return result{}, err
		}
	}
	for _, e := range own(r) {
		kind, err := w.kind(e.Type)
		if err != nil {
			return result{}, err
		}
		stream.revision++
		plan.sequence++
		w.head++
		err = w.db.exec(`INSERT INTO events (position, stream, revision, plan, plan_seq, type, id, metadata, data)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			int64(w.head), stream.number, int64(stream.revision), plan.number, plan.sequence, kind,
			e.ID[:], e.Metadata, e.Data)
		if err != nil {
			return result{}, err
		}
		w.recorded = append(w.recorded, eventstore.Recorded{
			Event: e, Stream: r.stream, Revision: stream.revision, Position: w.head})
	}
	w.streams.put(r.stream, stream)
	w.plans.put(r.stream.Plan, plan)
	return result{position: w.head}, nil
}

// repeated answers an append that came too late with its first result, if its events stand where they should.
func (w *writer) repeated(r *request, stream streamHead) (result, error) {
	conflict := &eventstore.ConflictError{Stream: r.stream, Want: r.expected, Have: stream.revision}
	if stream.revision < r.expected+eventstore.Revision(len(r.events)) {
		return result{err: conflict}, nil
	}
	same := 0
	var last int64
	err := w.db.query("SELECT id, position FROM events WHERE stream = ? AND revision > ? ORDER BY revision",
		func(row row) error {
			if same == len(r.events) || string(row.bytes(0)) != string(r.events[same].ID[:]) {
				return errStop
			}
			same++
			last = row.int(1)
			return nil
		}, stream.number, int64(r.expected))
	if err != nil {
		return result{}, err
	}
	if same < len(r.events) {
		return result{err: conflict}, nil
	}
	return result{position: eventstore.Position(last)}, nil
}

// own copies the bytes of a request, which belong to the caller again once it is answered.
func own(r *request) []eventstore.Event {
	buffer := make([]byte, 0, r.size)
	keep := func(b []byte) []byte {
		from := len(buffer)
		buffer = append(buffer, b...)
		return buffer[from:len(buffer):len(buffer)]
	}
	events := make([]eventstore.Event, len(r.events))
	for i, e := range r.events {
		events[i] = eventstore.Event{ID: e.ID, Type: e.Type, Data: keep(e.Data), Metadata: keep(e.Metadata)}
	}
	return events
}

// stream returns the number and the last revision of a stream, as this transaction sees it.
func (w *writer) stream(id eventstore.StreamID) (streamHead, error) {
	if head, ok := w.streams.get(id); ok {
		return head, nil
	}
	number, found, err := one(w.db, "SELECT id FROM streams WHERE name = ?", id.String())
	if err != nil || !found {
		return streamHead{revision: eventstore.NoStream}, err
	}
	revision, _, err := one(w.db, "SELECT max(revision) FROM events WHERE stream = ?", number)
	head := streamHead{number: number, revision: eventstore.Revision(revision)}
	if err == nil {
		w.streams.put(id, head)
	}
	return head, err
}

// plan returns the number and the last sequence of a plan, and gives a new plan its number.
func (w *writer) plan(name string) (planHead, error) {
	if head, ok := w.plans.get(name); ok {
		return head, nil
	}
	number, found, err := one(w.db, "SELECT id FROM plans WHERE name = ?", name)
	if err != nil {
		return planHead{}, err
	}
	if !found {
		w.lastPlan++
		return planHead{number: w.lastPlan}, w.db.exec("INSERT INTO plans (id, name) VALUES (?, ?)", w.lastPlan, name)
	}
	sequence, _, err := one(w.db, "SELECT max(plan_seq) FROM events WHERE plan = ?", number)
	return planHead{number: number, sequence: sequence}, err
}

// kind returns the number of an event type, and gives a new one its number.
func (w *writer) kind(name string) (int64, error) {
	if number, ok := w.types.get(name); ok {
		return number, nil
	}
	number, found, err := one(w.db, "SELECT id FROM types WHERE name = ?", name)
	if err == nil && !found {
		w.lastType++
		number = w.lastType
		err = w.db.exec("INSERT INTO types (id, name) VALUES (?, ?)", number, name)
	}
	if err == nil {
		w.types.put(name, number)
	}
	return number, err
}
