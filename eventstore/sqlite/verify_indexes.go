package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
)

var errIndexes = &DamageError{"its indexes do not find every event where it is: restore a backup"}

// fingerprint stands for a set of entries, in whatever order they came. It is keyed by a seed that nobody knows
// beforehand, so that no other set can be made to have the same.
type fingerprint struct{ high, low uint64 }

func (f *fingerprint) add(seed maphash.Seed, owner, number, position int64) {
	low := maphash.Comparable(seed, [4]int64{0, owner, number, position})
	high := maphash.Comparable(seed, [4]int64{1, owner, number, position})
	var carry uint64
	f.low, carry = bits.Add64(f.low, low, 0)
	f.high, _ = bits.Add64(f.high, high, carry)
}

// indexCheck reads the indexes and the structure of the database.
type indexCheck struct {
	db             connection
	through        int64 // up to where the indexes have everything
	seed           maphash.Seed
	streams, plans fingerprint
	names          fingerprint // of the streams
	later          []indexed   // entries of events beyond the position up to which the indexes have everything
}

func (c *indexCheck) run(ctx context.Context) error {
	err := c.entries(ctx, "SELECT stream, revision, position FROM by_stream ORDER BY stream, revision", 0, &c.streams, func(p indexed) {
		c.later = append(c.later, indexed{stream: p.stream, revision: p.revision, position: p.position})
	})
	if err != nil {
		return err
	}
	err = c.entries(ctx, "SELECT plan, plan_seq, position FROM by_plan ORDER BY plan, plan_seq", 1, &c.plans, func(p indexed) {
		c.later = append(c.later, indexed{plan: p.stream, sequence: p.revision, position: p.position})
	})
	if err != nil {
		return err
	}
	return c.structure(ctx)
}

// entries reads one index, whose numbers begin with first for each owner and have no gap.
func (c *indexCheck) entries(ctx context.Context, query string, first int64, sum *fingerprint, later func(indexed)) error {
	var last indexed
	seen := int64(0)
	return c.db.query(query, func(r row) error {
		e := indexed{stream: r.int(0), revision: r.int(1), position: r.int(2)}
		if !r.is("iii") || e.stream < 1 {
			return errIndexes
		}
		next := first
		if e.stream == last.stream {
			next = last.revision + 1
		}
		if e.stream < last.stream || e.revision != next {
			return errIndexes
		}
		last = e
		if e.position <= c.through {
			sum.add(c.seed, e.stream, e.revision, e.position)
		} else {
			later(e)
		}
		seen++
		return now(ctx, seen)
	})
}

// structure lets SQLite look at its own pages, and reads the names; those of the streams by name only.
func (c *indexCheck) structure(ctx context.Context) error {
	finding := ""
	err := c.db.query("PRAGMA quick_check(1)", func(r row) error {
		finding = r.text(0)
		return errStop
	})
	if err == nil && finding != "ok" {
		err = &DamageError{fmt.Sprintf("is damaged (%s): restore a backup", finding)}
	}
	for _, table := range []string{"plans", "types"} {
		if err == nil {
			err = c.bothWays(ctx, table)
		}
	}
	if err == nil {
		c.names, err = namesByName(ctx, c.db, c.seed, "streams")
	}
	return err
}

// bothWays compares the names in a table with those in its index.
func (c *indexCheck) bothWays(ctx context.Context, table string) error {
	byNumber, err := namesByNumber(ctx, c.db, c.seed, table, math.MaxInt64, func(int64, string) error { return nil })
	if err != nil {
		return err
	}
	byName, err := namesByName(ctx, c.db, c.seed, table)
	if err == nil && byNumber != byName {
		err = errNames
	}
	return err
}

// namesByNumber reads a table of names, which are numbered from 1 on without a gap.
// The sum is that of the names that the indexes, read from an earlier snapshot, can have.
func namesByNumber(ctx context.Context, c connection, seed maphash.Seed, table string, indexed int64, each func(number int64, name string) error) (sum fingerprint, err error) {
	last := int64(0)
	err = c.query("SELECT id, name FROM "+table+" ORDER BY id", func(r row) error {
		if last++; r.int(0) != last || !r.is("it") {
			return errNames
		}
		name := r.text(1)
		if last <= indexed {
			sum.add(seed, last, int64(maphash.String(seed, name)), 0)
		}
		return errors.Join(each(last, name), now(ctx, last))
	})
	return sum, err
}

// namesByName reads the index of a table of names.
func namesByName(ctx context.Context, c connection, seed maphash.Seed, table string) (sum fingerprint, err error) {
	last, n := "", int64(0)
	err = c.query("SELECT id, name FROM "+table+" INDEXED BY sqlite_autoindex_"+table+"_1 ORDER BY name", func(r row) error {
		name := r.text(1)
		if name <= last {
			return errNames
		}
		last = name
		sum.add(seed, r.int(0), int64(maphash.String(seed, name)), 0)
		n++
		return now(ctx, n)
	})
	return sum, err
}

// now returns the context's error, looked at from time to time.
func now(ctx context.Context, n int64) error {
	if n%walkPart == 0 {
		return ctx.Err()
	}
	return nil
}
