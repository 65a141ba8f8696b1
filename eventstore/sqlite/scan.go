package sqlite

import (
	"errors"
	"sort"
	"strings"

	"rolewise/eventstore"
)

// stride is the most events that a filtered scan looks at for one page, so that a rare event is searched in pieces
// between which the follower's checkpoint moves and its context is looked at.
const stride = 20_000

// scan reads pages of history that pass a filter, by keyset, never by offset.
type scan struct {
	types    []string         // searched for
	kinds    map[string]int64 // the numbers of those that exist
	where    string           // conditions on streams, and what they refer to
	join     string
	args     []any
	filtered bool
	apart    bool // positions have gaps

	// Where the plan's own log stands: all of its events up to position at have a plan_seq of sequence at most.
	at       eventstore.Position
	sequence int64
}

func newScan(filter eventstore.Filter, apart bool) scan {
	s := scan{apart: apart, types: filter.Types, kinds: map[string]int64{}}
	s.filtered = len(filter.Types) > 0
	var prefixes []string
	for _, prefix := range filter.Prefixes {
		if prefix == "" {
			s.args = nil
			return s // every stream has this one
		}
		condition := "s.name >= ?"
		s.args = append(s.args, prefix)
		if end, ok := beyond(prefix); ok {
			condition += " AND s.name < ?"
			s.args = append(s.args, end)
		}
		prefixes = append(prefixes, "("+condition+")")
	}
	if len(prefixes) > 0 {
		s.filtered = true
		// CROSS JOIN keeps SQLite from beginning with the streams: pages follow the log.
		s.join = " CROSS JOIN streams s ON s.id = e.stream"
		s.where = " AND (" + strings.Join(prefixes, " OR ") + ")"
	}
	return s
}

// beyond returns the first text in byte order that lies after everything that begins with prefix.
func beyond(prefix string) (string, bool) {
	b := []byte(prefix)
	for len(b) > 0 {
		if last := len(b) - 1; b[last] < 0xff {
			b[last]++
			return string(b), true
		} else {
			b = b[:last]
		}
	}
	return "", false
}

// condition returns what the filter adds to a query. none tells that no event can pass, since no type exists yet.
func (s *scan) condition(c connection) (where string, none bool, err error) {
	if len(s.types) == 0 {
		return s.where, false, nil
	}
	var ids []int64
	for _, name := range s.types {
		id, known := s.kinds[name]
		if !known {
			if id, known, err = one(c, "SELECT id FROM types WHERE name = ?", name); err != nil {
				return "", false, err
			}
		}
		if known {
			s.kinds[name] = id
			ids = append(ids, id)
		}
	}
	return s.where + " AND e.type IN (" + list(ids) + ")", len(ids) == 0, nil
}

// log reads from the whole log between two positions and returns how far it came.
func (s *scan) log(c connection, rows *rows, after, head eventstore.Position) (eventstore.Position, error) {
	where, none, err := s.condition(c)
	if err != nil || none {
		return head, err
	}
	through := head
	switch {
	case !s.filtered || head <= after+stride:
	case !s.apart:
		through = after + stride
	default:
		last, found, err := one(c, "SELECT position FROM events WHERE position > ? ORDER BY position LIMIT 1 OFFSET ?", int64(after), int64(stride-1))
		if err != nil {
			return head, err
		}
		if found {
			through = min(head, eventstore.Position(last))
		}
	}
	args := append([]any{int64(after), int64(through)}, s.args...)
	err = c.query("SELECT "+columns+" FROM events e"+s.join+
		" WHERE e.position > ? AND e.position <= ?"+where+" ORDER BY e.position", rows.after(after), args...)
	if rows.cut {
		through = rows.events[len(rows.events)-1].Position
	}
	return through, err
}

// plan reads from the log of one plan between two positions and returns how far it came. Other plans are not touched,
// but for the end of the log, which the index does not have yet.
func (s *scan) plan(c connection, rows *rows, name string, after, head eventstore.Position) (eventstore.Position, error) {
	where, none, err := s.condition(c)
	if err != nil || none {
		return head, err
	}
	plan, found, err := one(c, "SELECT id FROM plans WHERE name = ?", name)
	if err != nil || !found {
		return head, err
	}
	indexed, err := indexedThrough(c)
	if err != nil {
		return 0, err
	}
	if int64(after) >= indexed {
		return s.unindexed(c, rows, plan, where, after, head)
	}
	head = min(head, eventstore.Position(indexed))
	last, _, err := one(c, "SELECT max(plan_seq) FROM by_plan WHERE plan = ?", plan)
	if err != nil {
		return 0, err
	}
	if s.at != after {
		if s.sequence, err = seek(c, plan, last, after); err != nil {
			return 0, err
		}
	}
	end, through := last, head
	if s.filtered && end > s.sequence+stride {
		end = s.sequence + stride
		place, err := placeOf(c, plan, end)
		if err != nil {
			return 0, err
		}
		through = min(head, place)
	}
	args := append([]any{plan, s.sequence, end, int64(through)}, s.args...)
	err = c.query("SELECT "+columns+" FROM by_plan i CROSS JOIN events e ON e.position = i.position"+s.join+
		" WHERE i.plan = ? AND i.plan_seq > ? AND i.plan_seq <= ? AND i.position <= ?"+where+" ORDER BY i.plan_seq",
		rows.after(after), args...)
	if rows.cut {
		through = rows.events[len(rows.events)-1].Position
	}
	s.at = 0 // to be sought again, unless it is known, sequences being without gaps
	switch {
	case !s.filtered && rows.cut:
		s.at, s.sequence = through, s.sequence+int64(len(rows.events))
	case s.filtered && !rows.cut && through < head:
		s.at, s.sequence = through, end
	}
	return through, err
}

// unindexed reads from the part of the log that the indexes do not have yet, which is short.
func (s *scan) unindexed(c connection, rows *rows, plan int64, where string, after, head eventstore.Position) (eventstore.Position, error) {
	args := append([]any{int64(after), int64(head), plan}, s.args...)
	err := c.query("SELECT "+columns+" FROM events e"+s.join+
		" WHERE e.position > ? AND e.position <= ? AND e.plan = ?"+where+" ORDER BY e.position", rows.after(after), args...)
	if rows.cut {
		head = rows.events[len(rows.events)-1].Position
	}
	return head, err
}

// seek returns the plan_seq of a plan's last event at or before a position.
func seek(c connection, plan, last int64, p eventstore.Position) (sequence int64, err error) {
	if p == 0 {
		return 0, nil
	}
	found := sort.Search(int(last), func(i int) bool {
		at, failure := placeOf(c, plan, int64(i)+1)
		err = errors.Join(err, failure)
		return at > p
	})
	return int64(found), err
}

// placeOf returns the position of an event of a plan.
func placeOf(c connection, plan, sequence int64) (eventstore.Position, error) {
	at, found, err := one(c, "SELECT position FROM by_plan WHERE plan = ? AND plan_seq = ?", plan, sequence)
	if err == nil && !found {
		err = errDangling
	}
	return eventstore.Position(at), err
}
