package sqlite

import (
	"context"

	"rolewise/eventstore"
)

// found is what the caller of an append has read of its stream, beside the writer, which has better things to do.
type found struct {
	head  streamHead
	turns int // of the writer's memory, before it was read
}

// look reads the head of a stream that the writer does not remember; nil leaves it to the writer. What is found may be
// out of date once the writer gets to it, but the writer remembers every stream that was written since, unless it has
// forgotten something in between.
func (s *Store) look(ctx context.Context, stream eventstore.StreamID) *found {
	f := &found{turns: s.heads.turns()}
	if _, ok := s.heads.get(stream); ok {
		return nil
	}
	err := s.lookers.with(ctx, func(c connection) (err error) {
		f.head, err = headOf(c, s.backlog, stream)
		return err
	})
	if err != nil {
		return nil // the writer meets the reason too, if it lasts
	}
	return f
}

// stream returns the number and the last revision of a stream, as this transaction sees it, with what was found before.
func (w *writer) stream(id eventstore.StreamID, f *found) (streamHead, error) {
	if head, ok := w.streams.get(id); ok {
		return head, nil
	}
	if f != nil && f.turns == w.streams.turns() {
		return f.head, nil
	}
	head, err := headOf(w.db, w.backlog, id)
	if err == nil && head.number != 0 {
		w.streams.put(id, head)
	}
	return head, err
}

// headOf reads the number and the last revision of a stream. Memory is asked before the index, into which events move.
func headOf(c connection, b *backlog, stream eventstore.StreamID) (streamHead, error) {
	head := streamHead{revision: eventstore.NoStream}
	number, found, err := one(c, "SELECT id FROM streams WHERE name = ?", stream.String())
	if err != nil || !found {
		return head, err
	}
	head.number = number
	if last, ok := b.last(number); ok {
		head.revision = eventstore.Revision(last.revision)
		return head, nil
	}
	last, indexed, err := one(c, "SELECT max(revision) FROM by_stream WHERE stream = ?", number)
	if err == nil && !indexed {
		err = errDangling
	}
	head.revision = eventstore.Revision(last)
	return head, err
}
