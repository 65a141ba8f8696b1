package sqlite

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"rolewise/eventstore"
)

// An append writes its events at the end of one table and nowhere else. The indexes by stream and by plan, whose pages
// lie anywhere, follow in sorted runs, a piece with each commit: one page then takes many entries instead of one.
// Until then memory knows where the events of a stream are; a restart reads them again (docs/adr/0007).

// runLength is after how many events a run is sorted and written into the indexes.
const runLength = 32_768

// indexed is what the indexes say of an event.
type indexed struct{ stream, revision, plan, sequence, position int64 }

// place is where an event of a known stream stands.
type place struct{ revision, position int64 }

// run is a part of the log that is not in the indexes yet, or only in part.
type run struct {
	entries  []indexed
	byStream map[int64][]place // in the order of revisions
	lastOf   map[int64]indexed // of each plan
}

func newRun() *run { return &run{byStream: map[int64][]place{}, lastOf: map[int64]indexed{}} }

func (r *run) add(entries []indexed) {
	r.entries = append(r.entries, entries...)
	for _, e := range entries {
		r.byStream[e.stream] = append(r.byStream[e.stream], place{e.revision, e.position})
		r.lastOf[e.plan] = e
	}
}

// backlog holds the runs that the indexes lack: one that is being written, and one that grows.
// The writer changes it, readers look things up.
type backlog struct {
	mu     sync.Mutex
	frozen *run // nil: none
	fresh  *run
}

func newBacklog() *backlog { return &backlog{fresh: newRun()} }

// reset forgets everything and takes what is given.
func (b *backlog) reset(entries []indexed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen, b.fresh = nil, newRun()
	b.fresh.add(entries)
}

// add takes events that were committed.
func (b *backlog) add(entries []indexed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh.add(entries)
}

// freeze hands out the growing run once it is long enough. The run before must be written.
func (b *backlog) freeze(length int) []indexed {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fresh.entries) < length {
		return nil
	}
	b.frozen, b.fresh = b.fresh, newRun()
	return b.frozen.entries
}

// written forgets the frozen run, which the indexes hold now.
func (b *backlog) written() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = nil
}

// of returns the places of a stream from a revision on, as far as they are here.
func (b *backlog) of(stream int64, from eventstore.Revision) (places []place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range []*run{b.frozen, b.fresh} {
		if r == nil {
			continue
		}
		all := r.byStream[stream]
		first, _ := slices.BinarySearchFunc(all, int64(from), func(p place, revision int64) int { return cmp.Compare(p.revision, revision) })
		places = append(places, all[first:]...)
	}
	return places
}

// last returns the last place of a stream, if it is here.
func (b *backlog) last(stream int64) (place, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range []*run{b.fresh, b.frozen} {
		if r == nil {
			continue
		}
		if all := r.byStream[stream]; len(all) > 0 {
			return all[len(all)-1], true
		}
	}
	return place{}, false
}

// lastOf returns the last event of a plan, if it is here.
func (b *backlog) lastOf(plan int64) (indexed, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range []*run{b.fresh, b.frozen} {
		if r == nil {
			continue
		}
		if e, ok := r.lastOf[plan]; ok {
			return e, true
		}
	}
	return indexed{}, false
}

// indexer writes runs into the indexes, inside the writer's transactions.
type indexer struct {
	db      connection
	backlog *backlog
	length  int       // of a run
	streams []indexed // of the frozen run, sorted by stream; those not yet written
	plans   []indexed // the same, sorted by plan
	through int64     // the last position of the frozen run
	ending  bool      // the transaction under way writes the rest of the run
}

// A second writing of the same entry, after a crash or a rollback, changes nothing; another position for a revision
// would break the NOT NULL. This is the backstop of what the writer remembers of a stream's end.
const (
	indexStream = `INSERT INTO by_stream (stream, revision, position) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET position = iif(position = excluded.position, position, NULL)`
	indexPlan = `INSERT INTO by_plan (plan, plan_seq, position) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET position = iif(position = excluded.position, position, NULL)`
)

// work writes so many entries into each index, and begins a run when there is one.
func (x *indexer) work(entries int) error {
	if len(x.streams)+len(x.plans) == 0 {
		run := x.backlog.freeze(x.length)
		if run == nil {
			return nil
		}
		x.begin(run)
	}
	for _, e := range cut(&x.streams, entries) {
		if err := x.db.exec(indexStream, e.stream, e.revision, e.position); err != nil {
			return err
		}
	}
	for _, e := range cut(&x.plans, entries) {
		if err := x.db.exec(indexPlan, e.plan, e.sequence, e.position); err != nil {
			return err
		}
	}
	if len(x.streams)+len(x.plans) > 0 {
		return nil
	}
	x.ending = true
	return x.db.exec("UPDATE meta SET value = ? WHERE key = 'indexed'", fmt.Sprint(x.through))
}

func (x *indexer) begin(run []indexed) {
	x.through = run[len(run)-1].position
	x.streams, x.plans = slices.Clone(run), slices.Clone(run)
	slices.SortFunc(x.streams, func(a, b indexed) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.revision, b.revision))
	})
	slices.SortFunc(x.plans, func(a, b indexed) int {
		return cmp.Or(cmp.Compare(a.plan, b.plan), cmp.Compare(a.sequence, b.sequence))
	})
}

// committed is called after the commit of a transaction in which work was done.
func (x *indexer) committed() {
	if x.ending {
		x.ending = false
		x.backlog.written()
	}
}

// reload forgets what was going on and reads what the indexes lack out of the log.
func (x *indexer) reload() error {
	x.streams, x.plans, x.ending = nil, nil, false
	through, err := indexedThrough(x.db)
	if err != nil {
		return err
	}
	last, _, err := one(x.db, "SELECT max(position) FROM events")
	if err == nil && through > last {
		err = errIndexes
	}
	if err != nil {
		return err
	}
	entries, err := unindexed(x.db, through, math.MaxInt64)
	x.backlog.reset(entries)
	return err
}

// indexedThrough returns the position up to which the indexes hold everything.
func indexedThrough(c connection) (int64, error) {
	through, found, err := one(c, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'indexed'")
	if err == nil && !found {
		err = errDangling
	}
	return through, err
}

// cut takes the first n elements off a slice.
func cut[T any](from *[]T, n int) []T {
	n = min(n, len(*from))
	head := (*from)[:n]
	*from = (*from)[n:]
	return head
}
