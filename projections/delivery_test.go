package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

// The property of all projections: whatever happens on the way, the read model is that of one straight pass.

func TestDelivery(t *testing.T) {
	t.Run("any delivery gives the read models of one straight pass, on memory", func(t *testing.T) {
		cases(t, 25)
		hs := newHistories(t)
		rapid.Check(t, func(r *rapid.T) {
			events := hs.random(r, 40, 150).events()
			for _, p := range projections.All() {
				checkDelivery(r, p, events, memory.New(), faulty)
			}
		})
		hs.covered()
	})
	t.Run("any delivery gives the read models of one straight pass, on Redis", func(t *testing.T) {
		cases(t, 8)
		hs := newHistories(t)
		models := onRedis(t)
		rapid.Check(t, func(r *rapid.T) {
			events := hs.random(r, 30, 80).events()
			for _, p := range projections.All() {
				p.Scope.Partition = hs.count // a fresh one: the server keeps those of the cases before
				checkDelivery(r, p, events, models, faulty)
			}
		})
	})
}

// TestDeliveryIsCaught shows that the property above sees what it is for: stores and projectors that take away one
// safeguard each do not pass it.
func TestDeliveryIsCaught(t *testing.T) {
	const differs, skips = "differs from one straight pass", "does not follow"
	for name, broken := range map[string]struct {
		wrap    func(readmodels.Store) *flaky
		noticed string
	}{
		"a commit that does not check where the scope stands": {
			func(s readmodels.Store) *flaky { return faulty(&anywhere{Store: s}) }, differs,
		},
		"a projector that ignores the checkpoint": {
			func(s readmodels.Store) *flaky { return faulty(&anywhere{Store: s, forgetful: true}) }, differs,
		},
		"a projector that takes a failed commit for done": {
			func(s readmodels.Store) *flaky { return &flaky{Store: s, reads: -1, silent: true} }, skips,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cases(t, 50)
			setting(t, "rapid.nofailfile", "true")
			setting(t, "rapid.shrinktime", "0s")
			hs := newHistories(t)
			said := caught(t, func(r *rapid.T) {
				events := hs.random(r, 20, 60).events()
				for _, p := range projections.All() {
					checkDelivery(r, p, events, memory.New(), broken.wrap)
				}
			})
			if !strings.Contains(said, broken.noticed) {
				t.Errorf("the property does not notice: %s", said)
			}
		})
	}
}

// caught runs a property that must fail, and returns what it said.
func caught(t *testing.T, property func(*rapid.T)) (said string) {
	test := &expecting{T: t, said: &said}
	defer func() {
		if cause := recover(); cause != nil && !test.failed {
			panic(cause)
		}
	}()
	rapid.Check(test, property)
	return said
}

// expecting is a test that is to fail; it keeps what it would say.
type expecting struct {
	*testing.T
	said   *string
	failed bool
}

func (e *expecting) Logf(format string, args ...any)   { *e.said += fmt.Sprintf(format, args...) + "\n" }
func (e *expecting) Log(args ...any)                   { *e.said += fmt.Sprintln(args...) }
func (e *expecting) Errorf(format string, args ...any) { e.Logf(format, args...); e.failed = true }
func (e *expecting) Fatalf(format string, args ...any) { e.Logf(format, args...); e.FailNow() }
func (e *expecting) Fail()                             { e.failed = true }
func (e *expecting) FailNow()                          { e.failed = true; panic("failed") }
func (e *expecting) Failed() bool                      { return e.failed }

// anywhere is a store whose commits land wherever it stands.
type anywhere struct {
	readmodels.Store
	forgetful bool // it also tells every reader that nothing was committed
}

func (s *anywhere) Commit(ctx context.Context, b readmodels.Batch) error {
	at, err := s.Store.Checkpoint(ctx, b.Scope)
	if err != nil {
		return err
	}
	b.After = at.Position
	return s.Store.Commit(ctx, b)
}

func (s *anywhere) Checkpoint(ctx context.Context, scope readmodels.Scope) (readmodels.Checkpoint, error) {
	if s.forgetful {
		return readmodels.Checkpoint{}, nil
	}
	return s.Store.Checkpoint(ctx, scope)
}

// flaky is a store whose next calls fail as told.
type flaky struct {
	readmodels.Store
	reads  int // fail after so many reads more; negative: never
	commit fault
	silent bool // failures of commits are kept from the caller
}

type fault int

const (
	none    fault = iota
	lost          // the commit does not arrive
	unknown       // it arrives, its answer does not
)

var errOutage = errors.New("no connection")

func faulty(s readmodels.Store) *flaky { return &flaky{Store: s, reads: -1} }

func (s *flaky) fails() error {
	switch {
	case s.reads < 0:
		return nil
	case s.reads == 0:
		s.reads = -1
		return errOutage
	}
	s.reads--
	return nil
}

func (s *flaky) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, scope, keys...)
}

func (s *flaky) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Entries(ctx, scope, index, r)
}

func (s *flaky) Commit(ctx context.Context, b readmodels.Batch) error {
	mode := s.commit
	s.commit = none
	switch {
	case mode == lost && s.silent:
		return nil
	case mode == lost:
		return errOutage
	}
	err := s.Store.Commit(ctx, b)
	if err == nil && mode == unknown && !s.silent {
		return errOutage
	}
	return err
}

// delivery hands the log to two projectors that work on the same scope.
type delivery struct {
	*rapid.T
	ctx        context.Context
	projection *projections.Projection
	events     []eventstore.Recorded
	cuts       []eventstore.Position // where a page may begin or end: at every event of the log
	store      *flaky
	projectors [2]*projections.Projector
	last       eventstore.Page
}

func checkDelivery(t *rapid.T, p *projections.Projection, events []eventstore.Recorded, store readmodels.Store, wrap func(readmodels.Store) *flaky) {
	d := &delivery{T: t, ctx: context.Background(), projection: p, events: events, store: wrap(store), cuts: []eventstore.Position{0}}
	for _, e := range events {
		d.cuts = append(d.cuts, e.Position)
	}
	straight := memory.New()
	defer straight.Close()
	want, wantAt := d.straight(straight)

	d.restart(0)
	d.restart(1)
	for range number(t, 5, 40, "steps") {
		d.step()
	}
	d.finish()
	if got := dump(t, store, p.Scope); !slices.Equal(got, want) {
		t.Fatalf("%s differs from one straight pass:\n%s", p.Scope, difference(got, want))
	}
	at, err := store.Checkpoint(d.ctx, p.Scope)
	if err != nil || at.Position != wantAt.Position || !at.Time.Equal(wantAt.Time) {
		t.Fatalf("%s stands at %+v (%v), after one straight pass at %+v", p.Scope, at, err, wantAt)
	}
}

// straight folds everything as one page.
func (d *delivery) straight(into readmodels.Store) ([]string, readmodels.Checkpoint) {
	projector, err := projections.NewProjector(d.ctx, d.projection, fixed(d.info()), into)
	if err != nil {
		d.Fatal(err)
	}
	if err := projector.Apply(d.ctx, d.page(0, d.head())); err != nil {
		d.Fatal(err)
	}
	at, err := into.Checkpoint(d.ctx, d.projection.Scope)
	if err != nil {
		d.Fatal(err)
	}
	return dump(d, into, d.projection.Scope), at
}

func (d *delivery) head() eventstore.Position { return d.cuts[len(d.cuts)-1] }
func (d *delivery) info() eventstore.Info {
	return eventstore.Info{ID: "log", Epoch: 1, Head: d.head()}
}

// page is what a feed would hand out between two positions.
func (d *delivery) page(after, through eventstore.Position) eventstore.Page {
	page := eventstore.Page{After: after, Through: through, Head: d.head(), Live: through == d.head()}
	for _, e := range d.events {
		if e.Position > after && e.Position <= through {
			page.Events = append(page.Events, e)
		}
	}
	return page
}

// next draws a page that begins at a position: one event, a few, or many.
func (d *delivery) next(after eventstore.Position) eventstore.Page {
	i, _ := slices.BinarySearch(d.cuts, after)
	size := []int{1, 1, 2, 5, 17, 64, 1000}[number(d.T, 0, 6, "page")]
	return d.page(after, d.cuts[min(i+size, len(d.cuts)-1)])
}

// restart loses all that a projector had in memory.
func (d *delivery) restart(i int) {
	projector, err := projections.NewProjector(d.ctx, d.projection, fixed(d.info()), d.store)
	if err != nil {
		d.Fatal(err)
	}
	d.projectors[i] = projector
}

// step is one thing that may happen.
func (d *delivery) step() {
	i := number(d.T, 0, 1, "projector")
	at := d.projectors[i].Position()
	switch number(d.T, 0, 9, "step") {
	case 0, 1, 2, 3: // the next page
		d.deliver(i, d.next(at))
	case 4: // a page once more, to the same or to the other
		d.deliver(i, d.last)
	case 5: // from an earlier position on, and split differently
		from := d.cuts[number(d.T, 0, max(0, slices.Index(d.cuts, at)), "from")]
		d.deliver(i, d.next(from))
	case 6: // a crash
		d.restart(i)
	case 7:
		d.store.commit = fault(number(d.T, int(lost), int(unknown), "fault"))
		d.deliver(i, d.next(at))
	case 8: // a crash right at the commit
		d.store.commit = fault(number(d.T, int(lost), int(unknown), "fault"))
		d.deliver(i, d.next(at))
		d.restart(i)
	case 9:
		d.store.reads = number(d.T, 0, 20, "reads")
		d.deliver(i, d.next(at))
	}
	d.store.reads, d.store.commit = -1, none
}

// deliver hands over a page. It may fail where something was made to fail; a page that does not follow is refused.
func (d *delivery) deliver(i int, page eventstore.Page) {
	at, troubled := d.projectors[i].Position(), d.store.reads >= 0 || d.store.commit != none
	err := d.projectors[i].Apply(d.ctx, page)
	switch {
	case err == nil && page.Through > d.projectors[i].Position():
		d.Fatalf("%s took a page through %s and stands at %s", d.projection.Scope, page.Through, d.projectors[i].Position())
	case err == nil:
		d.last = page
	case page.After > at || (troubled && errors.Is(err, errOutage)):
	default:
		d.Fatalf("%s at %s refused a page from %s to %s: %v", d.projection.Scope, at, page.After, page.Through, err)
	}
}

// finish lets both come to the end, in turns.
func (d *delivery) finish() {
	for d.projectors[0].Position() < d.head() || d.projectors[1].Position() < d.head() {
		for i := range d.projectors {
			d.deliver(i, d.next(d.projectors[i].Position()))
		}
	}
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

func dump(t fataler, store readmodels.Store, scope readmodels.Scope) []string {
	t.Helper()
	var lines []string
	err := store.Dump(context.Background(), scope, func(line string) error {
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// difference shows the lines that only one of two dumps has.
func difference(got, want []string) string {
	text := ""
	for _, line := range got {
		if !slices.Contains(want, line) {
			text += "+ " + line + "\n"
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			text += "- " + line + "\n"
		}
	}
	return text
}
