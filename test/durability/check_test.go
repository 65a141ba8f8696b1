package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// findings is what a checker found wrong, by kind, and what it saw.
type findings struct {
	lost    int // acknowledged appends that are not in the store
	doubled int // events that are there twice
	partial int // appends of which a part is there
	wrong   int // anything else: gaps, other places than acknowledged, other content, events that nobody appended

	complaints []string // the first of them, in words

	events  int // in the store
	arrived int // appends with unknown outcome that are in the store
}

func (f *findings) clean() bool { return f.lost+f.doubled+f.partial+f.wrong == 0 }

func (f *findings) String() string {
	return fmt.Sprintf("%d lost, %d doubled, %d partial, %d wrong of %d events", f.lost, f.doubled, f.partial, f.wrong, f.events)
}

// mostComplaints bounds what is said in words.
const mostComplaints = 10

func (f *findings) complain(kind *int, format string, args ...any) {
	*kind++
	if len(f.complaints) < mostComplaints {
		f.complaints = append(f.complaints, fmt.Sprintf(format, args...))
	}
}

// checker holds a store against the load that was put on it and the book of what was acknowledged.
//
// Every acknowledged append is there, whole, once, at its revision and position, with its content; one with unknown
// outcome is there whole and once or not at all; nothing else is there; positions and revisions have no gap.
type checker struct {
	load load
	last eventstore.Position // read so far
	next map[eventstore.StreamID]eventstore.Revision
	seen [][]seen // by writer and number
	read findings // that do not need the book

	batch struct { // the one generated last
		place
		batch
	}
}

// seen is what was read of one append.
type seen struct {
	mask     uint8               // bit by index
	count    uint8               // events that it should have; 0: nothing was seen
	revision eventstore.Revision // of its first event
	position eventstore.Position // of its first event
}

func newChecker(l load) *checker {
	return &checker{load: l, next: map[eventstore.StreamID]eventstore.Revision{}, seen: make([][]seen, l.Writers)}
}

// check reads a store from its beginning, in all ways, and judges it.
func check(ctx context.Context, store eventstore.Store, l load, b *book) (findings, error) {
	c := newChecker(l)
	if err := c.follow(ctx, store); err != nil {
		return findings{}, err
	}
	if err := errors.Join(c.browse(ctx, store, len(c.next)), c.plans(ctx, store)); err != nil {
		return findings{}, err
	}
	return c.judge(b), nil
}

// checkFile opens a store, checks it, and has it verify itself.
func checkFile(ctx context.Context, path string, l load, b *book) (f findings, err error) {
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if f, err = check(ctx, store, l, b); err != nil {
		return f, err
	}
	verified, err := store.Verify(ctx, nil)
	if err == nil && verified.Events != int64(f.events) {
		err = fmt.Errorf("verified %d events of %d", verified.Events, f.events)
	}
	return f, err
}

// follow reads what a store has after the last position read, up to its end.
func (c *checker) follow(ctx context.Context, store eventstore.Store) error {
	for page, err := range store.Follow(ctx, c.last, eventstore.Filter{}) {
		if err != nil {
			return fmt.Errorf("follow the store after %s: %w", c.last, err)
		}
		for i := range page.Events {
			c.feed(&page.Events[i])
		}
		if page.Live {
			return nil
		}
	}
	return errors.New("follow ended before the end of the store")
}

// browse reads some streams by themselves, for which the store has an index, and holds them against the log.
func (c *checker) browse(ctx context.Context, store eventstore.Store, most int) error {
	f := &c.read
	for stream, end := range c.next {
		if most--; most < 0 {
			break
		}
		due := eventstore.Revision(0)
		for e, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return err
			}
			if p, ok := placeOf(e.Data); e.Revision != due || e.Stream != stream || !ok || !c.asAppended(&e, p) {
				f.complain(&f.wrong, "%s as read has at revision %d: %d, position %s, %s", stream, due, e.Revision, e.Position, p)
			}
			due = e.Revision + 1
		}
		if due != end {
			f.complain(&f.wrong, "%s as read ends at %d, in the log at %d", stream, due, end)
		}
	}
	return nil
}

// plans follows each plan by itself, for which the store has an index too, and holds them against the log.
func (c *checker) plans(ctx context.Context, store eventstore.Store) error {
	f := &c.read
	events := 0
	for _, plan := range plans {
		last := eventstore.Position(0)
		for page, err := range store.Follow(ctx, 0, eventstore.Filter{Plan: plan}) {
			if err != nil {
				return err
			}
			for _, e := range page.Events {
				if e.Position <= last || e.Stream.Plan != plan {
					f.complain(&f.wrong, "plan %s as followed has %s at %s after %s", plan, e.Stream, e.Position, last)
				}
				last = e.Position
			}
			if events += len(page.Events); page.Live {
				break
			}
		}
	}
	if events != f.events {
		f.complain(&f.wrong, "the plans have %d events, the log %d", events, f.events)
	}
	return nil
}

func (c *checker) asAppended(e *eventstore.Recorded, p place) bool {
	b := c.generate(p)
	return p.index < len(b.events) && same(e, b.stream, &b.events[p.index])
}

// feed takes one event after the other, in the order of the store.
func (c *checker) feed(e *eventstore.Recorded) {
	f := &c.read
	f.events++
	if e.Position != c.last+1 {
		f.complain(&f.wrong, "position %s comes after %s", e.Position, c.last)
	}
	c.last = e.Position
	due, known := c.next[e.Stream]
	if !known {
		due = 0
	}
	if e.Revision != due {
		f.complain(&f.wrong, "%s: revision %d comes where %d was due", e.Stream, e.Revision, due)
	}
	c.next[e.Stream] = e.Revision + 1
	p, ok := placeOf(e.Data)
	if !ok || p.writer >= c.load.Writers || p.number > len(c.seen[p.writer])+1_000_000 {
		f.complain(&f.wrong, "position %s: nobody appended %q", e.Position, e.Data[:min(len(e.Data), 40)])
		return
	}
	b := c.generate(p)
	if p.index >= len(b.events) {
		f.complain(&f.wrong, "position %s: nobody appended %s", e.Position, p)
		return
	}
	if !c.asAppended(e, p) {
		f.complain(&f.wrong, "position %s: the event %s is not as it was appended", e.Position, p)
	}
	c.mark(e, p, len(b.events))
}

func same(e *eventstore.Recorded, stream eventstore.StreamID, want *eventstore.Event) bool {
	return e.Stream == stream && e.ID == want.ID && e.Type == want.Type && bytes.Equal(e.Data, want.Data) && bytes.Equal(e.Metadata, want.Metadata)
}

// generate makes the batch of an event; those of one batch mostly come together.
func (c *checker) generate(p place) batch {
	p.index = 0
	if c.batch.place != p || c.batch.events == nil {
		c.batch.place, c.batch.batch = p, c.load.batch(p.writer, p.number)
	}
	return c.batch.batch
}

// mark notes that an event of an append is there.
func (c *checker) mark(e *eventstore.Recorded, p place, count int) {
	f := &c.read
	all := &c.seen[p.writer]
	for len(*all) <= p.number {
		*all = append(*all, seen{})
	}
	s := &(*all)[p.number]
	position, revision := e.Position-eventstore.Position(p.index), e.Revision-eventstore.Revision(p.index)
	switch bit := uint8(1) << p.index; {
	case s.mask&bit != 0:
		f.complain(&f.doubled, "position %s: the event %s is there twice", e.Position, p)
	case s.mask == 0:
		*s = seen{mask: bit, count: uint8(count), revision: revision, position: position}
	default:
		s.mask |= bit
		if s.position != position || s.revision != revision {
			f.complain(&f.wrong, "position %s: the event %s is away from the others of its append", e.Position, p)
		}
	}
}

// judge compares what was read with what was acknowledged.
func (c *checker) judge(b *book) findings {
	f := c.read
	f.complaints = append([]string(nil), f.complaints...)
	for writer := range c.seen {
		for number := range max(len(c.seen[writer]), len(b.appends[writer])) {
			var s seen
			var e entry
			if number < len(c.seen[writer]) {
				s = c.seen[writer][number]
			}
			if number < len(b.appends[writer]) {
				e = b.appends[writer][number]
			}
			f.judge(place{writer: writer, number: number}, s, e)
		}
	}
	return f
}

func (f *findings) judge(p place, s seen, e entry) {
	switch {
	case s.mask == 0:
		if e.Acknowledged {
			f.complain(&f.lost, "append %d of writer %d was acknowledged at %s and is not there", p.number, p.writer, e.Position)
		}
		return
	case s.mask != 1<<s.count-1:
		f.complain(&f.partial, "append %d of writer %d: of %d events there are only some (%b)", p.number, p.writer, s.count, s.mask)
	case !e.Begun:
		f.complain(&f.wrong, "append %d of writer %d is there, but was never made", p.number, p.writer)
	case s.revision != e.Expected+1:
		f.complain(&f.wrong, "append %d of writer %d was made at revision %d and stands at %d", p.number, p.writer, e.Expected+1, s.revision)
	case e.Acknowledged && s.position+eventstore.Position(s.count)-1 != e.Position:
		f.complain(&f.wrong, "append %d of writer %d was acknowledged at %s and ends at %d", p.number, p.writer, e.Position, int(s.position)+int(s.count)-1)
	}
	if !e.Acknowledged {
		f.arrived++
	}
}
