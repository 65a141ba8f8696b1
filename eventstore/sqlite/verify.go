package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// Verified is what Verify found to be true of a log.
type Verified struct {
	Store  string // its ID
	Epoch  int
	Events int64
	Plans  int
	Last   eventstore.Position
	Hash   chain.Hash // of the store's chain at Last
	Head   Head       // what stands outside the database, which Last reaches; zero: there is none, or it is damaged
	Behind int64      // events beyond the head: committed and never acknowledged, or added since by another hand
}

// Verify reads the log in a file from its first event to its last and proves that nothing in it was edited, removed,
// inserted or moved, that it reaches its head, and that its indexes find every event (SPEC AUD-4). The store may be
// in use. A log that is not what it should be gets a *DamageError, which names the first event that is wrong.
func Verify(ctx context.Context, path string, progress func(done, total int)) (v Verified, err error) {
	if path, err = resolve(path); err != nil {
		return v, explain(path, err)
	}
	if v, err = verify(ctx, path, progress); err != nil && ctx.Err() == nil {
		err = explain(path, err)
	}
	return v, err
}

func verify(ctx context.Context, path string, progress func(done, total int)) (v Verified, err error) {
	// The head first, the indexes next, the log last: what the one names the next one has.
	head, headless := ReadHead(path)
	var damage *DamageError
	if headless != nil && !errors.As(headless, &damage) {
		return v, headless
	}
	v.Head = head
	indexes, err := snapshot(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, indexes.close()) }()
	log, err := snapshot(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	info, err := identity(log)
	if err != nil {
		return v, err
	}
	last, _, err := one(log, "SELECT max(position) FROM events")
	if err != nil {
		return v, err
	}
	if headless == nil {
		if err := prove(log, info, v.Head, eventstore.Position(last)); err != nil {
			return v, err
		}
	}
	v.Store, v.Epoch = info.ID, info.Epoch
	if err := checkSchema(log); err != nil {
		return v, err
	}
	seed := maphash.MakeSeed()
	through, err := indexedThrough(indexes)
	if err != nil {
		return v, err
	}
	if through > last {
		return v, errIndexes
	}
	walk := &walk{log: log, through: eventstore.Position(through), plans: map[int64]*planWalk{}, later: map[int64]indexed{}, types: map[int64]bool{}, names: newNames(), progress: progress, seed: seed, total: int(v.Head.Count)}
	check := &indexCheck{db: indexes, through: through, seed: seed}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return check.run(ctx) })
	group.Go(func() error { return walk.run(ctx) })
	if err := group.Wait(); err != nil {
		return v, err
	}
	v.Events, v.Plans, v.Last, v.Hash = walk.events, len(walk.plans), walk.last, walk.store
	v.Behind = v.Events - v.Head.Count
	if err := walk.agrees(check); err != nil {
		return v, err
	}
	if err := walk.used(log); err != nil {
		return v, err
	}
	if headless != nil {
		return v, fmt.Errorf("both chains of its %d events hold, up to position %s, but nothing proves that this is its end: %w", v.Events, v.Last, headless)
	}
	return v, nil
}

// snapshot opens a connection that sees the database as it is now, for as long as it lasts.
func snapshot(ctx context.Context, path string) (*conn, error) {
	c, err := connect(ctx, path, readerCache, inspect)
	if err != nil {
		return nil, err
	}
	version, _, err := one(c, "PRAGMA user_version")
	if err == nil && version != int64(len(migrations)) {
		err = errors.New("it was written by an older release: open it once with this one")
	}
	if err == nil {
		err = c.exec("BEGIN")
	}
	if err == nil {
		_, _, err = one(c, "SELECT count(*) FROM meta")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// Of how many events a part of the walk consists, which is read while the part before is hashed.
const walkPart = 2048

// walk goes through the log in the order of positions and computes every link again.
type walk struct {
	log      connection
	names    *names
	progress func(done, total int)
	total    int
	seed     maphash.Seed

	events  int64
	last    eventstore.Position
	store   chain.Hash
	plans   map[int64]*planWalk
	through eventstore.Position // of the indexes
	streams fingerprint         // of the entries that the indexes should have
	byPlan  fingerprint
	later   map[int64]indexed // events that the indexes may have
	number  int64             // of the last stream that has come; they are numbered as they come
	types   map[int64]bool
}

type planWalk struct {
	name     string
	sequence int64
	hash     chain.Hash
}

// walkedPart is some events with what the database says of them.
type walkedPart struct {
	rows  *rows
	links []storedLinks
}

type storedLinks struct {
	plan, sequence int64
	inPlan, store  chain.Hash
}

func (w *walk) run(ctx context.Context) error {
	parts := make(chan walkedPart, 2)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(parts)
		return w.read(ctx, parts)
	})
	group.Go(func() error {
		links := chain.NewLinker()
		for part := range parts {
			for i := range part.rows.events {
				if err := w.event(links, &part.rows.events[i], part.rows.numbers[i], part.links[i]); err != nil {
					return err
				}
			}
			if w.progress != nil {
				w.progress(int(w.events), max(w.total, int(w.events)))
			}
		}
		return nil
	})
	return group.Wait()
}

// read hands over the log part by part.
func (w *walk) read(ctx context.Context, parts chan<- walkedPart) error {
	for after := int64(0); ; {
		part := walkedPart{rows: newRows(ctx, walkPart)}
		err := w.log.query("SELECT "+columns+", e.plan, e.plan_seq, e.plan_hash, e.hash FROM events e WHERE e.position > ? ORDER BY e.position",
			func(r row) (err error) {
				if !r.is("iiiibbbiibb") {
					return errDangling
				}
				link := storedLinks{plan: r.int(7), sequence: r.int(8)}
				if link.inPlan, err = hashOf(r.bytes(9)); err != nil {
					return err
				}
				if link.store, err = hashOf(r.bytes(10)); err != nil {
					return err
				}
				part.links = append(part.links, link)
				return part.rows.add(r)
			}, after)
		if err == nil {
			err = part.rows.named(w.log, w.names)
		}
		if err != nil {
			return err
		}
		if len(part.links) == 0 {
			return nil
		}
		after = int64(part.rows.events[len(part.rows.events)-1].Position)
		select {
		case parts <- part:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// event checks one event against everything before it.
func (w *walk) event(links *chain.Linker, e *eventstore.Recorded, of numbers, stored storedLinks) error {
	stream, kind := of.stream, of.kind
	plan := w.plans[stored.plan]
	if plan == nil {
		plan = &planWalk{name: e.Stream.Plan}
		w.plans[stored.plan] = plan
	}
	wrong := func(what string) error {
		return &DamageError{fmt.Sprintf("its event at position %s (revision %d of %s) %s: restore a backup", e.Position, e.Revision, e.Stream, what)}
	}
	w.types[kind] = true
	w.number = max(w.number, stream)
	plan.sequence++
	plan.hash = links.Plan(plan.hash, e)
	w.store = links.Store(w.store, e.Position, plan.hash)
	switch {
	case plan.name != e.Stream.Plan:
		return wrong("belongs to two plans")
	case e.Revision < 0 || stream > w.number:
		return wrong("stands in a stream that cannot be")
	case plan.sequence != stored.sequence:
		return wrong(fmt.Sprintf("is number %d of its plan and should be number %d", stored.sequence, plan.sequence))
	case plan.hash != stored.inPlan:
		return wrong("does not fit the chain of its plan: it, or one before it, was changed")
	case w.store != stored.store:
		return wrong("does not fit the chain of the store: it, or one before it, was changed")
	}
	keys := indexed{stream, int64(e.Revision), stored.plan, stored.sequence, int64(e.Position)}
	if e.Position <= w.through {
		w.streams.add(w.seed, keys.stream, keys.revision, keys.position)
		w.byPlan.add(w.seed, keys.plan, keys.sequence, keys.position)
	} else {
		w.later[keys.position] = keys
	}
	w.events++
	w.last = e.Position
	return nil
}

// used demands that the tables of names hold what the log refers to and nothing else: a plan under another's name would
// be shown the other's events, and a number that is taken already would stop the next append.
func (w *walk) used(c connection) error {
	names := 0
	err := c.query("SELECT id, name FROM plans", func(r row) error {
		names++
		if plan := w.plans[r.int(0)]; plan == nil || plan.name != r.text(1) {
			return errNames
		}
		return nil
	})
	if err != nil {
		return err
	}
	streams, _, err := one(c, "SELECT max(id) FROM streams")
	if err != nil {
		return err
	}
	kinds, _, err := one(c, "SELECT count(*) FROM types")
	if err != nil {
		return err
	}
	if names != len(w.plans) || streams != w.number || int(kinds) != len(w.types) {
		return errNames
	}
	return nil
}

var errNames = &DamageError{"its tables of names do not fit its events: they were changed; restore a backup"}

// agrees compares the log with its indexes.
func (w *walk) agrees(check *indexCheck) error {
	if w.streams != check.streams || w.byPlan != check.plans {
		return errIndexes
	}
	for _, e := range check.later {
		known, ok := w.later[e.position]
		if !ok || e.stream != 0 && (e.stream != known.stream || e.revision != known.revision) ||
			e.plan != 0 && (e.plan != known.plan || e.sequence != known.sequence) {
			return errIndexes
		}
	}
	return nil
}

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
	later          []indexed // entries of events beyond the position up to which the indexes have everything
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
	seen := 0
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
		if seen++; seen%walkPart == 0 {
			return ctx.Err()
		}
		return nil
	})
}

// structure lets SQLite look at its own pages, and reads the names by both of their ways.
func (c *indexCheck) structure(ctx context.Context) error {
	finding := ""
	err := c.db.query("PRAGMA quick_check(1)", func(r row) error {
		finding = r.text(0)
		return errStop
	})
	if err == nil && finding != "ok" {
		err = &DamageError{fmt.Sprintf("is damaged (%s): restore a backup", finding)}
	}
	for _, table := range []string{"streams", "plans", "types"} {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = c.bothWays(table)
		}
	}
	return err
}

// bothWays compares the names in a table with those in its index.
func (c *indexCheck) bothWays(table string) error {
	var byNumber, byName fingerprint
	n := int64(0)
	err := c.db.query("SELECT id, name FROM "+table+" ORDER BY id", func(r row) error {
		if n++; r.int(0) != n || !r.is("it") {
			return errNames
		}
		byNumber.add(c.seed, n, int64(maphash.String(c.seed, r.text(1))), 0)
		return nil
	})
	if err != nil {
		return err
	}
	last := ""
	err = c.db.query("SELECT id, name FROM "+table+" INDEXED BY sqlite_autoindex_"+table+"_1 ORDER BY name", func(r row) error {
		if name := r.text(1); name <= last {
			return errNames
		}
		last = r.text(1)
		byName.add(c.seed, r.int(0), int64(maphash.String(c.seed, last)), 0)
		return nil
	})
	if err == nil && byNumber != byName {
		err = errNames
	}
	return err
}
