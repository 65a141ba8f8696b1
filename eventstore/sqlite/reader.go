package sqlite

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// pool lends connections to readers, each for one page at a time, so that a slow consumer holds none.
type pool struct {
	path   string
	free   chan *conn
	slots  chan struct{} // one for each open connection
	closed <-chan struct{}
}

func newPool(path string, most int, closed <-chan struct{}) *pool {
	return &pool{path: path, free: make(chan *conn, most), slots: make(chan struct{}, most), closed: closed}
}

// with runs use with a connection. One that failed is not lent again.
func (p *pool) with(ctx context.Context, use func(connection) error) error {
	c, err := p.borrow(ctx)
	if err != nil {
		return err
	}
	if err := use(c); err != nil {
		if code(err) == 0 { // the caller's own error, such as the context's
			p.free <- c
			return err
		}
		_ = c.close()
		<-p.slots
		return explain(p.path, err)
	}
	p.free <- c
	return nil
}

func (p *pool) borrow(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.closed:
		return nil, eventstore.ErrClosed
	default:
	}
	select {
	case c := <-p.free:
		return c, nil
	default:
	}
	select {
	case c := <-p.free:
		return c, nil
	case p.slots <- struct{}{}:
		c, err := connect(ctx, p.path, readerCache, nil)
		if err != nil {
			<-p.slots
			return nil, explain(p.path, err)
		}
		return c, nil
	case <-p.closed:
		return nil, eventstore.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close waits for the connections that are lent and closes all. Nobody may borrow any more.
func (p *pool) close() (err error) {
	for range cap(p.slots) {
		select {
		case c := <-p.free:
			err = errors.Join(err, c.close())
		case p.slots <- struct{}{}: // never opened
		}
	}
	return err
}

// names remembers what numbers stand for. A number never changes its meaning.
type names struct {
	streams *cache[int64, eventstore.StreamID]
	types   *cache[int64, string]
	numbers *cache[eventstore.StreamID, int64]
}

func newNames() *names {
	return &names{
		streams: newCache[int64, eventstore.StreamID](rememberedStreams),
		types:   newCache[int64, string](rememberedNames),
		numbers: newCache[eventstore.StreamID, int64](rememberedStreams),
	}
}

// stream returns the name of a stream.
func (n *names) stream(c connection, number int64) (eventstore.StreamID, error) {
	if id, ok := n.streams.get(number); ok {
		return id, nil
	}
	id := eventstore.StreamID{}
	err := c.query("SELECT name FROM streams WHERE id = ?", func(r row) (err error) {
		id, err = eventstore.ParseStreamID(r.text(0))
		return err
	}, number)
	if err == nil && id.ID == "" {
		err = errDangling
	}
	if err == nil {
		n.streams.put(number, id)
	}
	return id, err
}

// prefetchFrom is from how many unknown streams on one query for all of them is worth it.
const prefetchFrom = 8

// prefetch learns the names of the streams that a page has and that are not known yet.
func (n *names) prefetch(c connection, page []numbers) error {
	var unknown []int64
	for _, number := range page {
		if _, ok := n.streams.get(number.stream); !ok {
			unknown = append(unknown, number.stream)
		}
	}
	if len(unknown) < prefetchFrom {
		return nil
	}
	slices.Sort(unknown)
	unknown = slices.Compact(unknown)
	learn := func(r row) error {
		id, err := eventstore.ParseStreamID(r.text(1))
		if err == nil {
			n.streams.put(r.int(0), id)
		}
		return err
	}
	// Streams are numbered as they come, so that those which a part of the log begins lie side by side.
	if first, last := unknown[0], unknown[len(unknown)-1]; last-first < 2*int64(len(unknown)) {
		return c.query("SELECT id, name FROM streams WHERE id BETWEEN ? AND ?", learn, first, last)
	}
	return c.query("SELECT id, name FROM streams WHERE id IN (SELECT value FROM json_each(?))", learn, "["+list(unknown)+"]")
}

// kind returns the name of an event type.
func (n *names) kind(c connection, number int64) (string, error) {
	if name, ok := n.types.get(number); ok {
		return name, nil
	}
	name := ""
	err := c.query("SELECT name FROM types WHERE id = ?", func(r row) error {
		name = r.text(0)
		return nil
	}, number)
	if err == nil && name == "" {
		err = errDangling
	}
	if err == nil {
		n.types.put(number, name)
	}
	return name, err
}

// number returns the number of a stream.
func (n *names) number(c connection, id eventstore.StreamID) (number int64, found bool, err error) {
	if number, ok := n.numbers.get(id); ok {
		return number, true, nil
	}
	number, found, err = one(c, "SELECT id FROM streams WHERE name = ?", id.String())
	if err == nil && found {
		n.numbers.put(id, number)
	}
	return number, found, err
}

var errDangling error = &DamageError{"its parts do not fit together: something in it was changed; restore a backup"}

// columns are what a rows collector expects of its query.
const columns = "e.position, e.stream, e.revision, e.type, e.id, e.metadata, e.data"

// Bounds of what one query collects beside its number of events.
const pageBytes = 8 << 20

// rows collects events out of a query. Names are filled in afterwards, since a connection runs one query at a time.
type rows struct {
	ctx     context.Context
	events  []eventstore.Recorded
	numbers []numbers // of the stream and the type of each event
	bytes   int
	most    int
	cut     bool // there may be more
}

type numbers struct{ stream, kind int64 }

func newRows(ctx context.Context, most int) *rows {
	return &rows{ctx: ctx, most: most}
}

func (r *rows) add(row row) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	id, err := uuid.FromBytes(row.bytes(4))
	if err != nil {
		return errDangling
	}
	e := eventstore.Recorded{
		Event:    eventstore.Event{ID: id, Metadata: row.bytes(5), Data: row.bytes(6)},
		Revision: eventstore.Revision(row.int(2)),
		Position: eventstore.Position(row.int(0)),
	}
	if r.events == nil {
		r.events = make([]eventstore.Recorded, 0, min(r.most, 64))
	}
	r.events = append(r.events, e)
	r.numbers = append(r.numbers, numbers{stream: row.int(1), kind: row.int(3)})
	r.bytes += weight(&e)
	if r.cut = len(r.events) == r.most || r.bytes >= pageBytes; r.cut {
		return errStop
	}
	return nil
}

// after is add for rows that must rise from a position: those of a damaged file may lead in a circle, for ever.
func (r *rows) after(last eventstore.Position) func(row) error {
	return func(row row) error {
		p := eventstore.Position(row.int(0))
		if p <= last {
			return errDangling
		}
		last = p
		return r.add(row)
	}
}

// from is add for the rows of a stream, whose revisions have no gap.
func (r *rows) from(next eventstore.Revision) func(row) error {
	return func(row row) error {
		if eventstore.Revision(row.int(2)) != next+eventstore.Revision(len(r.events)) {
			return errDangling
		}
		return r.add(row)
	}
}

// named fills in the names of streams and types.
func (r *rows) named(c connection, n *names) (err error) {
	if err := n.prefetch(c, r.numbers); err != nil {
		return err
	}
	var seen numbers
	for i, number := range r.numbers {
		e := &r.events[i]
		if i > 0 && number.stream == seen.stream {
			e.Stream = r.events[i-1].Stream
		} else if e.Stream, err = n.stream(c, number.stream); err != nil {
			return err
		}
		if i > 0 && number.kind == seen.kind {
			e.Type = r.events[i-1].Type
		} else if e.Type, err = n.kind(c, number.kind); err != nil {
			return err
		}
		seen = number
	}
	return nil
}

// readPage returns the next events of one stream, and whether there may be more. Memory is asked before the index,
// into which events move: what is no longer here is there.
func (s *logReader) readPage(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) ([]eventstore.Recorded, bool, error) {
	if s.heads != nil {
		if head, ok := s.heads.get(stream); ok && from > head.revision {
			return nil, false, nil // the writer's knowledge is at no time older than what was acknowledged
		}
	}
	rows := newRows(ctx, s.page)
	err := s.pool.with(ctx, func(c connection) error {
		number, found, err := s.names.number(c, stream)
		if err != nil || !found {
			return err
		}
		recent := s.backlog.of(number, from)
		if len(recent) == 0 || recent[0].revision > int64(from) {
			err = c.query("SELECT "+columns+" FROM by_stream i CROSS JOIN events e ON e.position = i.position"+
				" WHERE i.stream = ? AND i.revision >= ? ORDER BY i.revision", rows.from(from), number, int64(from))
		}
		for _, p := range recent {
			if rows.cut || err != nil {
				break
			}
			if p.revision < int64(from)+int64(len(rows.events)) {
				continue // the index had it already
			}
			err = c.query("SELECT "+columns+" FROM events e WHERE e.position = ?", rows.from(from), p.position)
		}
		if err != nil {
			return err
		}
		return rows.named(c, s.names)
	})
	return rows.events, rows.cut, err
}
