package sqlite

import (
	"context"
	"fmt"
	"hash/maphash"

	"golang.org/x/sync/errgroup"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// Of how many events a part of the walk consists, which is read while the part before is hashed.
const walkPart = 2048

// walk goes through the log in the order of positions and computes every link again.
type walk struct {
	log      connection
	names    *names
	progress func(done, total int)
	total    int
	seed     maphash.Seed

	events         int64
	last           eventstore.Position
	store          chain.Hash
	plans          map[int64]*planWalk
	through        eventstore.Position // of the indexes
	indexedStreams int64
	streams        fingerprint // of the entries that the indexes should have
	byPlan         fingerprint
	named          fingerprint       // of the names of the streams
	later          map[int64]indexed // events that the indexes may have
	number         int64             // of the last stream that has come; they are numbered as they come
	types          map[int64]bool
}

// newWalk prepares a walk beside indexes that have everything through a position, and so many streams.
func newWalk(log connection, seed maphash.Seed, through, streams, total int64) *walk {
	return &walk{log: log, names: newNames(), total: int(total), seed: seed, through: eventstore.Position(through), indexedStreams: streams,
		plans: map[int64]*planWalk{}, later: map[int64]indexed{}, types: map[int64]bool{}}
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

// learn reads the names of all streams once and remembers as many as it may; one by one they would cost more.
func (w *walk) learn(ctx context.Context) (err error) {
	w.named, err = namesByNumber(ctx, w.log, w.seed, "streams", w.indexedStreams, func(number int64, name string) error {
		if number > rememberedStreams {
			return nil
		}
		id, err := eventstore.ParseStreamID(name)
		if err != nil {
			return errNames
		}
		w.names.streams.put(number, id)
		return nil
	})
	return err
}

// read hands over the log part by part.
func (w *walk) read(ctx context.Context, parts chan<- walkedPart) error {
	if err := w.learn(ctx); err != nil {
		return err
	}
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
	if w.named != check.names {
		return errNames
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
