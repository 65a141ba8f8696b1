package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"rolewise/eventstore"
)

// Replica is a copy of another log, with the positions of that log, both hash chains, and the index by plan that the
// other may lack (DESIGN rule 17). It reads as a Store does and takes no appends of its own.
type Replica struct {
	*Store
	copying sync.Mutex // held by one Copy at a time

	mu      sync.Mutex
	through eventstore.Position
	changed chan struct{} // closed when through grows
}

var _ eventstore.Store = (*Replica)(nil)

// OpenReplica opens or creates the copy of a log in a file. The copy of an earlier epoch of the log is put aside, as
// PATH.replaced-TIME; the copy of another log is refused.
func OpenReplica(ctx context.Context, path string, source eventstore.Info, opts ...Option) (*Replica, error) {
	opts = append(opts, func(o *options) { o.source = &source })
	s, err := Open(ctx, path, opts...)
	if errors.Is(err, errEarlierEpoch) {
		if err := putAside(path); err != nil {
			return nil, explain(path, err)
		}
		s, err = Open(ctx, path, opts...)
	}
	if err != nil {
		return nil, err
	}
	r := &Replica{Store: s, through: s.writer.through, changed: make(chan struct{})}
	if source.Head < r.through {
		return nil, errors.Join(explain(path, fmt.Errorf("it is a copy of a log up to position %s, and that log ends at %s: it has lost events, or was restored without a new epoch",
			r.through, source.Head)), s.Close())
	}
	return r, nil
}

// Through returns the position up to which the copy has everything that the log has.
func (r *Replica) Through() eventstore.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.through
}

// Info implements eventstore.Store: the copy has the identity of its source.
func (r *Replica) Info(ctx context.Context) (eventstore.Info, error) {
	info, err := r.Store.Info(ctx)
	info.Head = max(info.Head, r.Through())
	return info, err
}

// Append implements eventstore.Store: it is refused.
func (r *Replica) Append(context.Context, eventstore.StreamID, eventstore.Revision, ...eventstore.Event) (eventstore.Position, error) {
	return 0, &eventstore.InvalidError{What: "append", Why: "is not possible: this is a copy of a log, which is written elsewhere"}
}

// Follow implements eventstore.Store. Positions up to Through are known, also those at which there is nothing to copy.
func (r *Replica) Follow(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		known, last := r.Through(), after
		if head, _ := r.tail.state(); after <= known {
			after = min(after, head)
		}
		for page, err := range r.Store.Follow(ctx, after, filter) {
			if err != nil {
				yield(page, err)
				return
			}
			page.After, page.Through = last, max(page.Through, last)
			if page.Live { // nothing up to what was known before the page was made is missing from it
				page.Through = max(page.Through, known)
			}
			page.Head = max(page.Head, page.Through)
			last = page.Through
			if !yield(page, nil) {
				return
			}
			known = r.Through()
		}
	}
}

// Wait returns when the copy has everything up to a position, or with the context's error.
func (r *Replica) Wait(ctx context.Context, position eventstore.Position) error {
	for {
		r.mu.Lock()
		reached, changed := r.through >= position, r.changed
		r.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.closed:
			return eventstore.ErrClosed
		}
	}
}

// Copy adds a page of the source, as its Follow yields it, and returns when it is durable. Events that the copy has
// already are passed over; a page that begins beyond its end is refused.
func (r *Replica) Copy(ctx context.Context, page eventstore.Page) error {
	r.copying.Lock()
	defer r.copying.Unlock()
	through := r.Through()
	switch {
	case page.After > through:
		return &eventstore.InvalidError{What: "page", Why: fmt.Sprintf("begins after position %s, beyond the end of the copy at %s", page.After, through)}
	case page.Through <= through:
		return nil
	}
	// Where there is nothing to copy, the position is written with the next event: until then a restart asks again.
	if len(page.Events) > 0 {
		if err := r.write(ctx, &page); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.through = page.Through
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

func (r *Replica) write(ctx context.Context, page *eventstore.Page) error {
	q := &request{copy: page, done: make(chan result, 1)}
	for i := range page.Events {
		q.size += weight(&page.Events[i])
	}
	if err := r.hand(ctx, q); err != nil {
		return err
	}
	return (<-q.done).err
}

// copyPage inserts the events of a page, as they are, behind the copy's last one.
func (w *writer) copyPage(page *eventstore.Page) (result, error) {
	events := page.Events
	for len(events) > 0 && events[0].Position <= w.end.Position {
		events = events[1:]
	}
	if refusal, err := w.follows(events); refusal != nil || err != nil {
		return result{err: refusal}, err
	}
	for i := range events {
		e := &events[i]
		stream, err := w.stream(e.Stream, nil)
		if err != nil {
			return result{}, err
		}
		plan, err := w.plan(e.Stream.Plan)
		if err != nil {
			return result{}, err
		}
		if stream.number == 0 {
			w.lastStream++
			stream.number = w.lastStream
			if err := w.db.exec("INSERT INTO streams (id, name) VALUES (?, ?)", stream.number, e.Stream.String()); err != nil {
				return result{}, err
			}
		}
		stream.revision = e.Revision
		if err := w.insert(e, stream.number, &plan); err != nil {
			return result{}, err
		}
		w.streams.put(e.Stream, stream)
		w.plans.put(e.Stream.Plan, plan)
	}
	return result{position: page.Through}, w.db.exec("UPDATE meta SET value = ? WHERE key = 'through'", fmt.Sprint(uint64(page.Through)))
}

// follows refuses events that do not continue their streams or the log.
func (w *writer) follows(events []eventstore.Recorded) (refusal, err error) {
	next := map[eventstore.StreamID]eventstore.Revision{}
	last := w.end.Position
	for i := range events {
		e := &events[i]
		if _, known := next[e.Stream]; !known {
			head, err := w.stream(e.Stream, nil)
			if err != nil {
				return nil, err
			}
			next[e.Stream] = head.revision + 1
		}
		if e.Revision != next[e.Stream] || e.Position <= last {
			return &DamageError{fmt.Sprintf("its source gives revision %d of %s at position %s, where revision %d was due: events of that stream were removed there",
				e.Revision, e.Stream, e.Position, next[e.Stream])}, nil
		}
		next[e.Stream]++
		last = e.Position
	}
	return nil, nil
}

// claim makes an empty database the copy of its source, and refuses to take a log for a copy, or a copy for a log.
func claim(c connection, source *eventstore.Info) error {
	last, _, err := one(c, "SELECT max(position) FROM events")
	if err != nil {
		return err
	}
	_, isCopy, err := copiedThrough(c)
	switch {
	case err != nil:
		return err
	case source == nil && isCopy:
		return errors.New("it is the copy of another log, which takes no appends: open that one")
	case source == nil:
		return nil
	case !isCopy && last == 0:
		if err := c.exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
		return errors.Join(
			c.exec("UPDATE meta SET value = ? WHERE key = 'id'", source.ID),
			c.exec("UPDATE meta SET value = ? WHERE key = 'epoch'", fmt.Sprint(source.Epoch)),
			c.exec("INSERT INTO meta (key, value) VALUES ('through', '0')"),
			c.exec("COMMIT"))
	case !isCopy:
		return errors.New("it is a log of its own and not the copy of another: choose another path")
	}
	info, err := identity(c)
	switch {
	case err != nil:
		return err
	case info.ID != source.ID:
		return errors.New("it is the copy of another log: choose another path")
	case info.Epoch < source.Epoch:
		return errEarlierEpoch
	case info.Epoch > source.Epoch:
		return fmt.Errorf("it is a copy of epoch %d of a log that says it is in epoch %d: that is an older log", info.Epoch, source.Epoch)
	}
	return nil
}

var errEarlierEpoch = errors.New("it is the copy of an earlier epoch of the log")

// copiedThrough returns the position up to which a copy has everything, and whether it is one.
func copiedThrough(c connection) (eventstore.Position, bool, error) {
	through, found, err := one(c, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'through'")
	return eventstore.Position(through), found, err
}
