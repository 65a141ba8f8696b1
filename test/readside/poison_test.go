package readside

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/test/harness"
)

// poisoned is a log of which some events of one plan cannot be applied, until they are mended.
type poisoned struct {
	eventstore.Store
	plan   string
	every  uint64 // one of so many positions
	mended atomic.Bool

	mu  sync.Mutex
	all map[eventstore.Position]spoiled
}

// spoiled is an event as it was, and which of the spoils it got.
type spoiled struct {
	eventstore.Recorded
	how int
}

// spoils are the ways in which an event that was read cannot be applied.
var spoils = []func(e *eventstore.Recorded){
	func(e *eventstore.Recorded) { e.Data = []byte(`{"`) },
	func(e *eventstore.Recorded) { e.Data = []byte(`["of a wrong type"]`) },
	func(e *eventstore.Recorded) { e.Metadata = []byte("no JSON") },
	func(e *eventstore.Recorded) {
		fields := map[string]any{}
		_ = json.Unmarshal(e.Metadata, &fields) // what is none is spoiled anyway
		fields["schema"] = 99
		e.Metadata, _ = json.Marshal(fields)
	},
}

func (p *poisoned) Follow(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for page, err := range p.Store.Follow(ctx, after, f) {
			page.Events = slices.Clone(page.Events)
			for i := range page.Events {
				p.spoil(&page.Events[i])
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

func (p *poisoned) spoil(e *eventstore.Recorded) {
	if p.mended.Load() || e.Stream.Plan != p.plan || uint64(e.Position)*2654435761>>7%p.every != 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one, again := p.all[e.Position]
	if !again {
		one = spoiled{*e, len(p.all) % len(spoils)} // each of them in turn
		p.all[e.Position] = one
	}
	spoils[one.how](e)
}

// parked says which streams must stand still in a scope, and since which position.
func (p *poisoned) parked(projection *projections.Projection, partition int) map[string]eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := map[string]eventstore.Position{}
	for position, e := range p.all {
		if !parts.Takes(partition, p.plan) || !slices.Contains(projection.Types(), e.Type) {
			continue
		}
		stream := e.Stream.String()
		if at, known := first[stream]; !known || position < at {
			first[stream] = position
		}
	}
	return first
}

// TestPoison projects a log of which some events of one plan cannot be applied, in each form, while commands come in.
// Each of their streams stands still since just that event; other plans are not held up; and once the events are mended
// and replayed, the read models are those of a full replay.
func TestPoison(t *testing.T) {
	harness.UsePlain(t)
	server := redistest.StartServer(t)
	w := prepare(t, server.URL, server.URL)
	log := &poisoned{Store: w.log, plan: plans[0], every: long[uint64](20, 10_000), all: map[eventstore.Position]spoiled{}}
	stop := w.project(t, log)
	w.launch(t, 1, 0)
	w.load.start(t)
	meter := w.meter(t, plans[1:])
	w.load.more(t, long[int64](300, 100_000))
	w.load.halt()
	w.settle(t)
	lag := meter()
	stop()
	t.Logf("%d of %s's events were spoiled; the others were behind by %s at most in 99 of 100 looks of %d",
		len(log.all), log.plan, lag.p99.Round(time.Millisecond), lag.looks)
	if lag.p99 > 2*time.Second || lag.looks < 20 {
		t.Error("other plans were held up, or nobody looked")
	}

	log.mended.Store(true)
	waited := 0
	for _, projection := range projections.All() {
		for partition := range parts.Count() {
			waited += w.mend(t, log, projection.In(partition))
		}
	}
	if waited < len(spoils) {
		t.Errorf("%d streams have waited only", waited)
	}
	w.compare(t)
}

// mend demands that just those streams wait in a scope that were spoiled, replays them, and returns how many they were.
func (w *world) mend(t *testing.T, log *poisoned, projection *projections.Projection) int {
	t.Helper()
	want := log.parked(projection, projection.Scope.Partition)
	waiting, err := readmodels.Parked(t.Context(), w.live, projection.Scope)
	if err != nil {
		t.Fatal(err)
	}
	var streams []eventstore.StreamID
	for _, one := range waiting {
		if at, known := want[one.Stream]; !known || at != one.First.Position {
			t.Errorf("%s: %s waits since %s, must since %s", projection.Scope, one.Stream, one.First.Position, at)
		}
		delete(want, one.Stream)
		stream, err := eventstore.ParseStreamID(one.Stream)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	for stream, at := range want {
		t.Errorf("%s: %s was skipped at %s", projection.Scope, stream, at)
	}
	if len(streams) == 0 {
		return 0
	}
	takes := func(plan string) bool { return parts.Takes(projection.Scope.Partition, plan) }
	projector, err := projections.NewProjector(t.Context(), projection, log, w.live, projections.OfPlans(takes))
	if err != nil {
		t.Fatal(err)
	}
	if still, err := projector.Replay(t.Context(), log, streams...); err != nil || len(still) > 0 {
		t.Errorf("%s: after the replay %d streams wait still: %v", projection.Scope, len(still), err)
	}
	return len(streams)
}

// project runs all projections here, until it is stopped.
func (w *world) project(t *testing.T, log eventstore.Store) (stop func()) {
	t.Helper()
	if _, err := w.live.Partitions(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
	runner, err := projections.NewRunner(t.Context(), projections.Setup{
		Events: log, Models: w.live, Partitions: parts, Log: slog.New(slog.DiscardHandler),
	}, projections.All()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// behind is how much later than acknowledged something was visible.
type behind struct {
	looks int
	p99   time.Duration
}

// meter looks again and again how long it takes until all read models of plans show what was acknowledged last.
func (w *world) meter(t *testing.T, of []string) (end func() behind) {
	ctx, cancel := context.WithCancel(t.Context())
	var all []time.Duration
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			begin, position := time.Now(), eventstore.Position(w.load.newest.Load())
			for _, plan := range of {
				for _, scope := range readmodels.Scopes() {
					if err := w.live.Wait(ctx, scope.In(parts.Of(plan)), position); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
			}
			if ctx.Err() == nil {
				all = append(all, time.Since(begin))
			}
			pause(20 * time.Millisecond)
		}
	})
	return func() behind {
		cancel()
		looking.Wait()
		slices.Sort(all)
		return behind{len(all), all[len(all)*99/100]}
	}
}
