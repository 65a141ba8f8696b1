package projections_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// ailing is a projection whose rules fail half-way at some events, until they are fixed.
type ailing struct {
	*projections.Projection
	at map[eventstore.Position]bool
	ok atomic.Bool
}

func ails(plain *projections.Projection, at ...eventstore.Position) *ailing {
	b := &ailing{at: map[eventstore.Position]bool{}}
	for _, position := range at {
		b.at[position] = true
	}
	b.Projection = plain.Hooked(func(f *projections.Fold, apply func() error) error {
		if !b.at[f.Position] || b.ok.Load() {
			return apply()
		}
		if err := apply(); err != nil {
			return err
		}
		if f.Position%2 == 0 {
			panic("not today")
		}
		return errors.New("not today")
	})
	return b
}

// drawPoison draws some events, and the log without what they hold up.
func drawPoison(t *rapid.T, p *projections.Projection, events recordedLog) (at []eventstore.Position, left recordedLog) {
	left = events
	types := p.Types()
	for range number(t, 1, 4, "poisons") {
		e := events[number(t, 0, len(events)-1, "poison")]
		if slices.Contains(types, e.Type) {
			at = append(at, e.Position)
			left = left.without(e.Stream, e.Revision)
		}
	}
	return at, left
}

// TestParkingDelivery is the property of all projections, with events that cannot be applied: however the log is
// delivered, what is not parked is that of one straight pass of a log without it, and what is parked comes back.
func TestParkingDelivery(t *testing.T) {
	property := func(open func() readmodels.Store) func(*testing.T, int) {
		return func(t *testing.T, n int) {
			cases(t, n)
			hs := newHistories(t)
			models := open()
			rapid.Check(t, func(r *rapid.T) {
				events := recordedLog(hs.random(r, 20, 80).events())
				for _, plain := range projections.All() {
					plain.Scope.Partition = hs.count
					at, left := drawPoison(r, plain, events)
					b := ails(plain, at...)
					checkDelivery(r, b.Projection, events, models, faulty)
					got, want := unparked(dump(r, models, plain.Scope)), left.straight(r, plain, events.head())
					if !slices.Equal(got, want) {
						r.Fatalf("%s: what is not parked differs:\n%s", plain.Scope, difference(got, want))
					}
					replayAll(r, b, plain, events, models)
				}
			})
		}
	}
	t.Run("OPS-5 on memory", func(t *testing.T) { property(func() readmodels.Store { return memory.New() })(t, 25) })
	t.Run("OPS-5 on Redis", func(t *testing.T) { property(func() readmodels.Store { return onRedis(t) })(t, 6) })
}

// replayAll fixes the rules and replays in some order.
func replayAll(t *rapid.T, b *ailing, plain *projections.Projection, events recordedLog, models readmodels.Store) {
	b.ok.Store(true)
	projector, err := projections.NewProjector(context.Background(), b.Projection, events, models)
	if err != nil {
		t.Fatal(err)
	}
	for {
		all := waiting(t, models, plain.Scope)
		if len(all) == 0 {
			break
		}
		stream, err := eventstore.ParseStreamID(all[number(t, 0, len(all)-1, "replay")].Stream)
		if err != nil {
			t.Fatal(err)
		}
		if still, err := projector.Replay(context.Background(), events, stream); err != nil || len(still) != 0 {
			t.Fatalf("replay of %s: %+v, %v", stream, still, err)
		}
	}
	if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
		t.Fatalf("%s: after all replays it differs from a full replay:\n%s", plain.Scope, difference(got, want))
	}
}

func small(t testing.TB) recordedLog {
	t.Helper()
	return generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 300})
}

func projectorOn(t testing.TB, p *projections.Projection, log recordedLog, models readmodels.Store, options ...projections.Option) *projections.Projector {
	t.Helper()
	projector, err := projections.NewProjector(t.Context(), p, log, models, options...)
	if err != nil {
		t.Fatal(err)
	}
	return projector
}

func TestReplay(t *testing.T) {
	onBoth(t, "OPS-5 pages go on being applied while it runs", func(t *testing.T, models readmodels.Store) {
		events := small(t)
		for _, plain := range projections.All() {
			i, _ := victim(t, plain, events)
			b := ails(plain, events[i].Position)
			projector := projectorOn(t, b.Projection, events, models)
			half := events[max(i+1, len(events)/2)].Position
			events.feed(t, projector, 1, half)
			b.ok.Store(true)
			rounds := 2 // before the last, in which pages wait; a plan and the catalog are read in each
			if events[i].Stream.Plan != readmodels.Catalog {
				rounds = 4
			}
			rest := events[slices.IndexFunc(events, func(e eventstore.Recorded) bool { return e.Position > half }):]
			replaying := &passed{recordedLog: events, calls: rounds, before: func() {
				n := min(len(rest), 10)
				rest[:n].feed(t, projector, 1, events.head())
				rest = rest[n:]
			}}
			if still, err := projector.Replay(t.Context(), replaying, events[i].Stream); err != nil || len(still) != 0 {
				t.Errorf("%s: %+v, %v", plain.Scope, still, err)
			}
			events.feed(t, projector, 1, events.head())
			if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
				t.Errorf("%s differs from a full replay:\n%s", plain.Scope, difference(got, want))
			}
			// Documents below the position changed: who watches the plan must learn of it (SPEC ANA-9).
			if at, err := models.Checkpoint(t.Context(), plain.Scope); err != nil || at.Repairs != 1 {
				t.Errorf("ANA-9 %s tells of %d repairs, %v", plain.Scope, at.Repairs, err)
			}
		}
	})
	onBoth(t, "OPS-5 a stream of the catalog is replayed for all plans", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		c := w.catalog()
		s := c.skills("Go", "SQL")
		r := c.role("Backend", s...)
		for _, id := range []string{"acme", "beech"} {
			p := w.plan(domainPlan(id))
			ada := p.member("Ada")
			p.assign(r, ada)
			p.measure(ada, s[0], 230)
			p.measure(ada, s[1], 160)
		}
		events := recordedLog{}
		for page, err := range w.log.Follow(t.Context(), 0, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if events = append(events, page.Events...); page.Live {
				break
			}
		}
		for _, plain := range projections.All() {
			for _, e := range events {
				if e.Stream.Plan != readmodels.Catalog || !slices.Contains(plain.Types(), e.Type) {
					continue
				}
				plain.Scope.Partition++
				b := ails(plain, e.Position)
				projector := projectorOn(t, b.Projection, events, models)
				events.feed(t, projector, 1000, events.head())
				b.ok.Store(true)
				if still, err := projector.Replay(t.Context(), events, e.Stream); err != nil || len(still) != 0 {
					t.Fatalf("%s: %+v, %v", plain.Scope, still, err)
				}
				if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
					t.Errorf("%s, %s: differs from a full replay:\n%s", plain.Scope, e.Type, difference(got, want))
				}
			}
		}
	})
	t.Run("DESIGN-7 whoever holds an older fence is refused afterwards", func(t *testing.T) {
		events := small(t)
		for _, plain := range projections.All() {
			models := memory.New()
			i, _ := victim(t, plain, events)
			b := ails(plain, events[i].Position)
			half := events[max(i+1, len(events)/2)].Position
			old := projectorOn(t, b.Projection, events, models, projections.WithFence(1))
			events.feed(t, old, 1, half)
			b.ok.Store(true)
			young := projectorOn(t, b.Projection, events, models, projections.WithFence(2))
			if _, err := young.Replay(t.Context(), events, events[i].Stream); err != nil {
				t.Fatal(err)
			}
			var fenced *readmodels.FencedError
			if err := old.Apply(t.Context(), eventstore.Page{Events: events, Through: events.head()}); !errors.As(err, &fenced) {
				t.Errorf("%s: the older lease: %v", plain.Scope, err)
			}
			if _, err := old.Discard(t.Context(), events[i].Stream); err == nil {
				t.Errorf("%s: the older lease discards", plain.Scope)
			}
			events.feed(t, young, 1000, events.head())
			if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
				t.Errorf("%s differs:\n%s", plain.Scope, difference(got, want))
			}
		}
	})
	t.Run("a commit of a replay whose answer is lost can be repeated", func(t *testing.T) {
		events := small(t)
		for _, plain := range projections.All() {
			for _, mode := range []fault{lost, unknown} {
				models := memory.New()
				store := faulty(models)
				i, _ := victim(t, plain, events)
				b := ails(plain, events[i].Position)
				projector := projectorOn(t, b.Projection, events, store)
				half := events[max(i+1, len(events)/2)].Position
				events.feed(t, projector, 1, half)
				b.ok.Store(true)
				store.commit = mode
				if _, err := projector.Replay(t.Context(), events, events[i].Stream); !errors.Is(err, errOutage) {
					t.Errorf("%s: %v", plain.Scope, err)
				}
				var notHeld *projections.NotHeldError
				if _, err := projector.Replay(t.Context(), events, events[i].Stream); err != nil && !(mode == unknown && errors.As(err, &notHeld)) {
					t.Errorf("%s: again: %v", plain.Scope, err)
				}
				events.feed(t, projector, 1, events.head())
				if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
					t.Errorf("%s differs:\n%s", plain.Scope, difference(got, want))
				}
			}
		}
	})
}

// passed is a log that grows, and is applied, each time somebody begins to read it again.
type passed struct {
	recordedLog
	calls  int
	before func()
}

func (l *passed) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	if l.calls > 0 {
		l.calls--
		l.before()
	}
	return l.recordedLog.Follow(ctx, after, f)
}

func TestDiscard(t *testing.T) {
	onBoth(t, "OPS-5 what is discarded stays away, what comes after it is applied", func(t *testing.T, models readmodels.Store) {
		events := small(t)
		for _, plain := range projections.All() {
			i, later := victim(t, plain, events)
			one := events[i]
			var mine recordedLog // of the stream, with a rule
			for _, e := range events[i:] {
				if e.Stream == one.Stream && slices.Contains(plain.Types(), e.Type) {
					mine = append(mine, e)
				}
			}
			last := mine[len(mine)-1]
			b := ails(plain, one.Position)
			projector := projectorOn(t, b.Projection, events, models)
			events.feed(t, projector, 1, last.Position-1)
			run, err := projector.Discard(t.Context(), one.Stream)
			if err != nil || run.Count != later {
				t.Fatalf("%s: discarded %+v, %v", plain.Scope, run, err)
			}
			events.feed(t, projector, 1, events.head())

			if got := waiting(t, models, plain.Scope); len(got) != 0 {
				t.Errorf("%s: parked %+v", plain.Scope, got)
			}
			given, err := readmodels.Discarded(t.Context(), models, plain.Scope)
			if err != nil || len(given) != 1 || len(given[0].Runs) != 1 || given[0].Runs[0] != run || given[0].Stream != one.Stream.String() {
				t.Errorf("%s: discarded %+v, %v", plain.Scope, given, err)
			}
			left := slices.DeleteFunc(slices.Clone(events), func(e eventstore.Recorded) bool {
				return e.Stream == one.Stream && e.Revision >= one.Revision && e.Revision < last.Revision
			})
			if got, want := unparked(dump(t, models, plain.Scope)), left.straight(t, plain, events.head()); !slices.Equal(got, want) {
				t.Errorf("%s differs from a log without what was discarded:\n%s", plain.Scope, difference(got, want))
			}
			var notHeld *projections.NotHeldError
			if _, err := projector.Discard(t.Context(), one.Stream); !errors.As(err, &notHeld) {
				t.Errorf("%s: a second time: %v", plain.Scope, err)
			}
			b.ok.Store(true) // and it can be taken back
			if still, err := projector.Replay(t.Context(), events, one.Stream); err != nil || len(still) != 0 {
				t.Fatalf("%s: %+v, %v", plain.Scope, still, err)
			}
			if got, want := dump(t, models, plain.Scope), events.straight(t, plain, events.head()); !slices.Equal(got, want) {
				t.Errorf("%s differs from a full replay:\n%s", plain.Scope, difference(got, want))
			}
		}
	})
	t.Run("OPS-5 the replay of another stream leaves it discarded", func(t *testing.T) {
		events := small(t)
		for _, plain := range projections.All() {
			models := memory.New()
			i, _ := victim(t, plain, events)
			k := slices.IndexFunc(events, func(e eventstore.Recorded) bool {
				return e.Stream != events[i].Stream && e.Stream.Plan == events[i].Stream.Plan && slices.Contains(plain.Types(), e.Type)
			})
			b := ails(plain, events[i].Position, events[k].Position)
			projector := projectorOn(t, b.Projection, events, models)
			events.feed(t, projector, 13, events.head())
			if _, err := projector.Discard(t.Context(), events[i].Stream); err != nil {
				t.Fatal(err)
			}
			b.ok.Store(true)
			if still, err := projector.Replay(t.Context(), events, events[k].Stream); err != nil || len(still) != 0 {
				t.Fatalf("%s: %+v, %v", plain.Scope, still, err)
			}
			left := events.without(events[i].Stream, events[i].Revision)
			if got, want := unparked(dump(t, models, plain.Scope)), left.straight(t, plain, events.head()); !slices.Equal(got, want) {
				t.Errorf("%s differs from a log without what was discarded:\n%s", plain.Scope, difference(got, want))
			}
		}
	})
}

func TestStopAtFailure(t *testing.T) {
	onBoth(t, "OPS-5 a rebuild stops at the first failure, and goes on once it is discarded there", func(t *testing.T, models readmodels.Store) {
		events := small(t)
		for _, plain := range projections.All() {
			i, _ := victim(t, plain, events)
			spoiled := slices.Clone(events)
			spoiled[i].Data = []byte(`{"`)
			for form, log := range map[string]recordedLog{"rule": events, "data": spoiled} {
				plain.Scope.Partition++
				p := plain
				if form == "rule" {
					p = ails(plain, events[i].Position).Projection
				}
				projector := projectorOn(t, p, log, models, projections.StopAtFailure())
				page := eventstore.Page{Events: log, Through: log.head()}
				var failure *projections.RuleError
				for range 2 {
					if err := projector.Apply(t.Context(), page); !errors.As(err, &failure) || failure.Position != events[i].Position || failure.Stream != events[i].Stream {
						t.Fatalf("%s: %v", p.Scope, err)
					}
					if lines := dump(t, models, p.Scope); len(lines) != 0 {
						t.Errorf("%s: half of a page: %v", p.Scope, lines)
					}
				}
				if _, err := projector.Discard(t.Context(), events[i].Stream); err != nil {
					t.Fatal(err)
				}
				if err := projector.Apply(t.Context(), page); err != nil {
					t.Fatal(err)
				}
				left := slices.Delete(slices.Clone(events), i, i+1)
				if got, want := unparked(dump(t, models, p.Scope)), left.straight(t, plain, log.head()); !slices.Equal(got, want) {
					t.Errorf("%s: differs:\n%s", p.Scope, difference(got, want))
				}
			}
		}
	})
}

func TestReasonsQuoteNoEvent(t *testing.T) {
	events := small(t)
	i := slices.IndexFunc(events, func(e eventstore.Recorded) bool { return e.Type == "MemberInvited" })
	p := projections.All()[0]
	for _, bad := range []func(data string) any{
		func(data string) any { return errors.New("cannot take " + data) },
		func(data string) any { return data },
	} {
		models := memory.New()
		hooked := p.Hooked(func(f *projections.Fold, apply func() error) error {
			if f.Position == events[i].Position {
				panic(bad(string(events[i].Data)))
			}
			return apply()
		})
		events.feed(t, projectorOn(t, hooked, events, models), 1000, events.head())
		all := waiting(t, models, p.Scope)
		if len(all) != 1 {
			t.Fatalf("parked %+v", all)
		}
		for word := range strings.FieldsFuncSeq(string(events[i].Data), func(r rune) bool { return strings.ContainsRune(`{}":,-.@ `, r) }) {
			if strings.Contains(all[0].Error, word) && !strings.Contains(`member name email title access_role take cannot`, word) {
				t.Errorf("the reason quotes %q: %s", word, all[0].Error)
			}
		}
	}
}
