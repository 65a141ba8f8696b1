package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// recordedLog is a log of given events, some of which may not be as they were written.
type recordedLog []eventstore.Recorded

func (l recordedLog) Info(context.Context) (eventstore.Info, error) {
	return eventstore.Info{ID: "log", Epoch: 1, Head: l[len(l)-1].Position}, nil
}

func (l recordedLog) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		head := l[len(l)-1].Position
		for some := range slices.Chunk(l, 50) {
			page := eventstore.Page{After: after, Through: some[len(some)-1].Position, Head: head}
			page.Live = page.Through == head
			for _, e := range some {
				if e.Position > after && (f.Plan == "" || f.Plan == e.Stream.Plan) {
					page.Events = append(page.Events, e)
				}
			}
			if page.Through <= after {
				continue
			}
			after = page.Through
			if !yield(page, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(eventstore.Page{}, ctx.Err())
	}
}

// without is the log without what is parked of a stream.
func (l recordedLog) without(stream eventstore.StreamID, from eventstore.Revision) recordedLog {
	return slices.DeleteFunc(slices.Clone(l), func(e eventstore.Recorded) bool { return e.Stream == stream && e.Revision >= from })
}

// feed applies a log to a projector in pages of a size, up to a position.
func (l recordedLog) feed(t fataler, to *projections.Projector, size int, through eventstore.Position) {
	t.Helper()
	for some := range slices.Chunk(l, size) {
		page := eventstore.Page{Events: some, After: to.Position(), Through: some[len(some)-1].Position}
		if page.Through > through {
			return
		}
		if page.Through <= page.After {
			continue
		}
		if err := to.Apply(context.Background(), page); err != nil {
			t.Fatal(err)
		}
	}
}

func (l recordedLog) head() eventstore.Position { return l[len(l)-1].Position }

// straight dumps a fold of the whole log in which nothing may be parked.
func (l recordedLog) straight(t fataler, p *projections.Projection, head eventstore.Position) []string {
	t.Helper()
	models := memory.New()
	defer models.Close()
	projector, err := projections.NewProjector(context.Background(), p, fixed{ID: "log", Epoch: 1, Head: head}, models, projections.StopAtFailure())
	if err != nil {
		t.Fatal(err)
	}
	if err := projector.Apply(context.Background(), eventstore.Page{Events: l, Through: head}); err != nil {
		t.Fatal(err)
	}
	return dump(t, models, p.Scope)
}

// unparked is a dump without what tells of parked and discarded events.
func unparked(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		parts := strings.SplitN(line, " ", 4)
		return parts[2] == `"parked"` || parts[2] == `"discarded"`
	})
}

func waiting(t fataler, models readmodels.Store, scope readmodels.Scope) []readmodels.ParkedStream {
	t.Helper()
	all, err := readmodels.Parked(context.Background(), models, scope)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// poison is one way in which an event cannot be applied.
type poison struct {
	name  string
	spoil func(e *eventstore.Recorded)                        // the event itself
	rule  func(f *projections.Fold, apply func() error) error // what its rule does
	says  string
}

// personal is a word that stands in no event but that of a rule's own text.
const personal = "unmistakable"

func spoilMetadata(e *eventstore.Recorded, change func(map[string]any)) {
	fields := map[string]any{}
	if err := json.Unmarshal(e.Metadata, &fields); err != nil {
		panic(err)
	}
	change(fields)
	e.Metadata, _ = json.Marshal(fields)
}

var poisons = []poison{
	{"data that is no JSON", func(e *eventstore.Recorded) { e.Data = []byte(`{"`) }, nil, "no JSON"},
	{"data of a wrong type", func(e *eventstore.Recorded) { e.Data = []byte(`["` + personal + `"]`) }, nil, "does not decode"},
	{"a later version of the data", func(e *eventstore.Recorded) {
		spoilMetadata(e, func(m map[string]any) { m["schema"] = 99 })
	}, nil, "version 99 of the data is unknown"},
	{"metadata that is no JSON", func(e *eventstore.Recorded) { e.Metadata = []byte(personal) }, nil, "metadata does not decode"},
	{"metadata of a wrong type", func(e *eventstore.Recorded) {
		spoilMetadata(e, func(m map[string]any) { m["schema"] = personal })
	}, nil, "metadata does not decode"},
	{"a time beyond all calendars", func(e *eventstore.Recorded) {
		spoilMetadata(e, func(m map[string]any) { m["time"] = "9999-12-31T23:59:59-01:00" })
	}, nil, "metadata does not decode"},
	{"a rule that fails at once", nil, func(*projections.Fold, func() error) error { return errors.New("not today") }, "error: not today"},
	{"a rule that fails half-way", nil, func(_ *projections.Fold, apply func() error) error {
		return errors.Join(apply(), errors.New("not today"))
	}, "error: not today"},
	{"a rule that panics half-way", nil, func(_ *projections.Fold, apply func() error) error {
		_ = apply()
		panic("not today")
	}, "panic: not today"},
	{"a rule that panics deep inside", nil, func(_ *projections.Fold, apply func() error) error {
		if err := apply(); err != nil {
			return err
		}
		var counts map[string]map[string]int
		func() { counts["a"]["b"]++ }()
		return nil
	}, "panic: assignment to entry in nil map"},
}

// victim picks an event that a projection has a rule for, with others of its stream after it, as many as there are.
func victim(t testing.TB, p *projections.Projection, events recordedLog, not ...string) (index, later int) {
	t.Helper()
	types := p.Types()
	left := map[eventstore.StreamID]int{}
	best := -1
	for i := len(events) - 1; i >= 0; i-- {
		if !slices.Contains(types, events[i].Type) {
			continue
		}
		stream := events[i].Stream
		if !slices.Contains(not, stream.Plan) && left[stream] >= 1 && (best < 0 || left[stream] <= 3 && left[stream] >= later) {
			best, later = i, left[stream]
		}
		left[stream]++
	}
	if best < 0 {
		t.Fatalf("%s: no stream with two events that it has rules for", p.Scope)
	}
	return best, later
}

func TestParking(t *testing.T) {
	good := recordedLog(generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 300}))
	stores := map[string]readmodels.Store{"memory": memory.New(), "redis": onRedis(t)}
	partition := 0
	for _, plain := range projections.All() {
		for _, bad := range poisons {
			for name, models := range stores {
				for _, size := range []int{1, 7, len(good)} {
					if name == "redis" && size == 1 {
						continue
					}
					partition++
					plain.Scope.Partition = partition // a fresh one
					t.Run(fmt.Sprintf("OPS-5 %s/%s/%s in pages of %d", plain.Scope.Projection, bad.name, name, size), func(t *testing.T) {
						checkParking(t, plain, bad, good, models, size)
					})
				}
			}
		}
	}
}

func checkParking(t *testing.T, plain *projections.Projection, bad poison, good recordedLog, models readmodels.Store, size int) {
	i, later := victim(t, plain, good)
	one := good[i]
	spoiled := slices.Clone(good)
	if bad.spoil != nil {
		bad.spoil(&spoiled[i])
	}
	var isFixed atomic.Bool
	p := plain.Hooked(func(f *projections.Fold, apply func() error) error {
		if bad.rule != nil && f.Position == one.Position && !isFixed.Load() {
			return bad.rule(f, apply)
		}
		return apply()
	})
	var told []*projections.RuleError
	projector, err := projections.NewProjector(t.Context(), p, good, models, projections.WhenParked(func(e *projections.RuleError) { told = append(told, e) }))
	if err != nil {
		t.Fatal(err)
	}
	spoiled.feed(t, projector, size, good.head())
	if n, _ := projector.Held(); n != 1 || len(told) != 1 || told[0].Position != one.Position || told[0].Stream != one.Stream {
		t.Errorf("%d streams held, told %v", n, told)
	}

	all := waiting(t, models, p.Scope)
	if len(all) != 1 {
		t.Fatalf("parked: %+v", all)
	}
	entry := all[0]
	if entry.Stream != one.Stream.String() || entry.First.Position != one.Position || entry.First.Revision != one.Revision || entry.First.Type != one.Type ||
		entry.Count != later+1 || entry.Last.Revision <= one.Revision || !strings.Contains(entry.Error, bad.says) {
		t.Errorf("parked %+v, want %d of %s from %d on, with %q", entry, later+1, one.Stream, one.Revision, bad.says)
	}
	if strings.Contains(text(t, entry), personal) {
		t.Errorf("the entry quotes the event: %s", text(t, entry))
	}
	got := dump(t, models, p.Scope)
	want := good.without(one.Stream, one.Revision).straight(t, plain, good.head())
	if !slices.Equal(unparked(got), want) {
		t.Errorf("what is not parked differs from a log without it:\n%s", difference(unparked(got), want))
	}

	still, err := projector.Replay(t.Context(), spoiled, one.Stream) // not fixed yet
	if err != nil || len(still) != 1 || !slices.Equal(dump(t, models, p.Scope), got) {
		t.Errorf("before the fix: %+v, %v:\n%s", still, err, difference(dump(t, models, p.Scope), got))
	}
	isFixed.Store(true)
	if still, err := projector.Replay(t.Context(), good, one.Stream); err != nil || len(still) != 0 {
		t.Fatalf("after the fix: %+v, %v", still, err)
	}
	if got, want := dump(t, models, p.Scope), good.straight(t, plain, good.head()); !slices.Equal(got, want) {
		t.Errorf("after the replay it differs from a full replay:\n%s", difference(got, want))
	}
}

// TestTransient lets everything fail that says nothing of an event, while a page is applied.
func TestTransient(t *testing.T) {
	good := recordedLog(generated(t, sample.Size{Members: 10, Teams: 2, Skills: 8, Roles: 2, Events: 300}))
	failures := map[string]error{
		"an unknown error":    errOutage,
		"no connection":       &readmodels.UnavailableError{Err: errOutage},
		"out of memory":       &readmodels.UnavailableError{Err: errors.New("OOM command not allowed when used memory > 'maxmemory'")},
		"failover":            fmt.Errorf("read: %w", &readmodels.UnavailableError{Err: errors.New("CLUSTERDOWN the cluster is down")}),
		"closed":              readmodels.ErrClosed,
		"the end of a wait":   context.DeadlineExceeded,
		"a newer lease":       &readmodels.FencedError{Fence: 1, Newer: 2},
		"another checkpoint":  &readmodels.OutOfStepError{Want: 1, Have: 2},
		"a document in ruins": &readmodels.DocumentError{Err: errors.New("invalid character")},
	}
	for name, failure := range failures {
		for where, swallow := range map[string]func(error) error{
			"as it is":                 func(err error) error { return err },
			"as an error of the rule":  func(err error) error { return fmt.Errorf("rule: %v", err) },
			"as a panic":               func(err error) error { panic(err) },
			"swallowed by a rule":      func(error) error { return nil },
			"from the rule, not store": nil,
		} {
			var ruin *readmodels.DocumentError
			if errors.As(failure, &ruin) && swallow != nil || failure == errOutage && swallow == nil {
				continue // no store returns the one; the other, from a rule, is the rule's
			}
			t.Run("DESIGN-9 "+name+" "+where+" never parks", func(t *testing.T) {
				for _, plain := range projections.All() {
					models := memory.New()
					store := &tripping{Store: models, failure: failure}
					left := 3
					p := plain.Hooked(func(f *projections.Fold, apply func() error) error {
						if swallow == nil && left > 0 && f.Revision >= 0 {
							left--
							_ = apply()
							return fmt.Errorf("apply: %w", failure)
						}
						err := apply()
						if err != nil && swallow != nil {
							return swallow(err)
						}
						return err
					})
					projector, err := projections.NewProjector(t.Context(), p, good, store)
					if err != nil {
						t.Fatal(err)
					}
					failed := 0
					page := eventstore.Page{Events: good, Through: good.head()}
					for n := 0; projector.Position() < good.head() && n < 100; n++ {
						if store.left = 0; swallow != nil && n < 20 {
							store.left, store.after = 1, n*3
						}
						if projector.Apply(t.Context(), page) != nil {
							failed++
						}
					}
					if failed == 0 {
						var step *readmodels.OutOfStepError
						if !errors.As(failure, &step) { // that one is settled within
							t.Errorf("%s: nothing failed", p.Scope)
						}
					}
					if got, want := dump(t, models, p.Scope), good.straight(t, plain, good.head()); !slices.Equal(got, want) {
						t.Errorf("%s differs:\n%s", p.Scope, difference(got, want))
					}
				}
			})
		}
	}
	t.Run("DESIGN-9 a cancelled context never parks", func(t *testing.T) {
		models := memory.New()
		ctx, cancel := context.WithCancel(t.Context())
		p := projections.All()[0].Hooked(func(f *projections.Fold, apply func() error) error {
			if f.Position == good[20].Position {
				cancel()
				return errors.New("what comes of it")
			}
			return apply()
		})
		projector, err := projections.NewProjector(t.Context(), p, good, models)
		if err != nil {
			t.Fatal(err)
		}
		if err := projector.Apply(ctx, eventstore.Page{Events: good, Through: good.head()}); !slices.Contains(p.Types(), good[20].Type) || !errors.Is(err, context.Canceled) {
			t.Errorf("apply %s: %v", good[20].Type, err)
		}
		if lines := dump(t, models, p.Scope); len(lines) != 0 {
			t.Errorf("committed: %v", lines)
		}
	})
	t.Run("a store that panics never parks", func(t *testing.T) {
		models := memory.New()
		store := &tripping{Store: models, left: 50, after: 5, panics: true, failure: errOutage}
		p := projections.All()[0]
		projector, err := projections.NewProjector(t.Context(), p, good, &tripping{Store: models})
		if err != nil {
			t.Fatal(err)
		}
		projector, err = projections.NewProjector(t.Context(), p, good, store)
		for n := 0; err == nil && projector.Position() < good.head() && n < 100; n++ {
			_ = projector.Apply(t.Context(), eventstore.Page{Events: good, Through: good.head()})
		}
		if got := waiting(t, models, p.Scope); err != nil || len(got) != 0 || store.left != 0 {
			t.Errorf("parked %+v, %v", got, err)
		}
	})
}

// tripping is a store of which a read fails.
type tripping struct {
	readmodels.Store
	failure error
	left    int // reads that fail
	after   int // so many that do not
	panics  bool
	lock    sync.Mutex
}

func (s *tripping) trips() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.left == 0 {
		return nil
	}
	if s.after > 0 {
		s.after--
		return nil
	}
	s.left--
	if s.panics {
		panic(s.failure)
	}
	return s.failure
}

func (s *tripping) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	if err := s.trips(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, scope, keys...)
}

func (s *tripping) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	if err := s.trips(); err != nil {
		return nil, err
	}
	return s.Store.Entries(ctx, scope, index, r)
}
