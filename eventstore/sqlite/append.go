package sqlite

import (
	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

type streamHead struct {
	number   int64 // 0: the stream has no events yet
	revision eventstore.Revision
}

type planHead struct {
	number   int64 // 0: the plan has no events yet
	sequence int64
	hash     chain.Hash
}

// append checks one request and inserts its events. The error is a failure of the database; a refusal is a result.
func (w *writer) append(r *request) (result, error) {
	if r.copy != nil {
		return w.copyPage(r.copy)
	}
	stream, err := w.stream(r.stream, r.found)
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
		if err := w.db.exec("INSERT INTO streams (id, name) VALUES (?, ?)", stream.number, r.stream.String()); err != nil {
			return result{}, err
		}
	}
	for _, e := range own(r) {
		stream.revision++
		recorded := eventstore.Recorded{Event: e, Stream: r.stream, Revision: stream.revision, Position: w.end.Position + 1}
		if err := w.insert(&recorded, stream.number, &plan); err != nil {
			return result{}, err
		}
	}
	w.streams.put(r.stream, stream)
	w.plans.put(r.stream.Plan, plan)
	return result{position: w.end.Position}, nil
}

// insert puts an event at the end of the log and of its plan, and links it to both chains.
func (w *writer) insert(e *eventstore.Recorded, stream int64, plan *planHead) error {
	kind, err := w.kind(e.Type)
	if err != nil {
		return err
	}
	plan.sequence++
	plan.hash = w.links.Plan(plan.hash, e)
	w.end.Count++
	w.end.Position = e.Position
	w.end.Hash = w.links.Store(w.end.Hash, e.Position, plan.hash)
	keys := indexed{stream, int64(e.Revision), plan.number, plan.sequence, int64(e.Position)}
	if err := insert(w.db, keys, kind, &e.Event, plan.hash, w.end.Hash); err != nil {
		return err
	}
	w.batch.recorded = append(w.batch.recorded, *e)
	w.added = append(w.added, keys)
	return nil
}

// insert writes the row of an event.
func insert(c connection, keys indexed, kind int64, e *eventstore.Event, plan, store chain.Hash) error {
	return c.exec(`INSERT INTO events (position, stream, revision, plan, plan_seq, type, id, plan_hash, hash, metadata, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		keys.position, keys.stream, keys.revision, keys.plan, keys.sequence, kind, e.ID[:], plan[:], store[:], e.Metadata, e.Data)
}

// repeated answers an append that came too late with its first result, if its events stand where they should.
func (w *writer) repeated(r *request, stream streamHead) (result, error) {
	conflict := &eventstore.ConflictError{Stream: r.stream, Want: r.expected, Have: stream.revision}
	if stream.revision < r.expected+eventstore.Revision(len(r.events)) {
		return result{err: conflict}, nil
	}
	places, err := w.places(r.stream, stream.number, r.expected+1)
	if err != nil {
		return result{}, err
	}
	for i, e := range r.events {
		id := []byte(nil)
		err := w.db.query("SELECT id FROM events WHERE position = ?", func(row row) error {
			id = row.bytes(0)
			return nil
		}, places[i].position)
		if err != nil {
			return result{}, err
		}
		if string(id) != string(e.ID[:]) {
			return result{err: conflict}, nil
		}
	}
	return result{position: eventstore.Position(places[len(r.events)-1].position)}, nil
}

// places returns where the events of a stream stand from a revision on, those of the transaction under way included.
func (w *writer) places(stream eventstore.StreamID, number int64, from eventstore.Revision) (places []place, err error) {
	recent := w.backlog.of(number, from)
	err = w.db.query("SELECT revision, position FROM by_stream WHERE stream = ? AND revision >= ? ORDER BY revision", func(r row) error {
		if len(recent) > 0 && r.int(0) >= recent[0].revision {
			return errStop
		}
		places = append(places, place{r.int(0), r.int(1)})
		return nil
	}, number, int64(from))
	places = append(places, recent...)
	for _, e := range w.batch.recorded {
		if e.Stream == stream && e.Revision >= from {
			places = append(places, place{int64(e.Revision), int64(e.Position)})
		}
	}
	return places, err
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

// plan returns the number and the end of a plan, and gives a new plan its number.
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
	last, here := w.backlog.lastOf(number)
	if !here {
		err := w.db.query("SELECT plan_seq, position FROM by_plan WHERE plan = ? ORDER BY plan_seq DESC", func(r row) error {
			last = indexed{sequence: r.int(0), position: r.int(1)}
			return errStop
		}, number)
		if err != nil {
			return planHead{}, err
		}
	}
	head := planHead{number: number, sequence: last.sequence}
	err = w.db.query("SELECT plan_hash FROM events WHERE position = ?", func(r row) error {
		head.hash, err = hashOf(r.bytes(0))
		return err
	}, last.position)
	return head, err
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

// hashOf reads a hash out of a column.
func hashOf(b []byte) (h chain.Hash, err error) {
	if len(b) != len(h) {
		return h, errDangling
	}
	return chain.Hash(b), nil
}
