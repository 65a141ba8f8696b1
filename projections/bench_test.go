package projections_test

import (
	"slices"
	"testing"

	"rolewise/commands"
	"rolewise/eventstore"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/sample"
)

// generated returns the events of a generated plan.
func generated(t testing.TB, size sample.Size) []eventstore.Recorded {
	t.Helper()
	log := openLog(t)
	if err := commands.New(log, nowAtStart, emailKey).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sample.Generate(t.Context(), log, emailKey, sample.Options{Seed: 1, Size: size, End: began}); err != nil {
		t.Fatal(err)
	}
	var events []eventstore.Recorded
	for page, err := range log.Follow(t.Context(), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Events...)
		if page.Live {
			break
		}
	}
	return events
}

// apply folds events into a store, in pages of a size.
func apply(t testing.TB, p *projections.Projection, events []eventstore.Recorded, size int, into readmodels.Store) {
	t.Helper()
	head := events[len(events)-1].Position
	projector, err := projections.NewProjector(t.Context(), p, fixed{ID: "log", Head: head}, into)
	if err != nil {
		t.Fatal(err)
	}
	after := eventstore.Position(0)
	for some := range slices.Chunk(events, size) {
		through := some[len(some)-1].Position
		if err := projector.Apply(t.Context(), eventstore.Page{Events: some, After: after, Through: through, Head: head}); err != nil {
			t.Fatal(err)
		}
		after = through
	}
}

func TestMemoryAndRedisAreEqual(t *testing.T) {
	events := generated(t, sample.Size{Members: 30, Teams: 4, Skills: 12, Roles: 4, Events: 1500})
	inMemory, inRedis := memory.New(), onRedis(t)
	defer inMemory.Close()
	for _, p := range projections.All() {
		apply(t, p, events, 512, inMemory)
		apply(t, p, events, 97, inRedis)
		got, want := dump(t, inRedis, p.Scope), dump(t, inMemory, p.Scope)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: Redis differs from memory:\n%s", p.Scope, difference(got, want))
		}
	}
}

// BenchmarkCatchUp folds the history of the sample plan, about 20,000 events, in pages as long as in catch-up.
func BenchmarkCatchUp(b *testing.B) {
	events := generated(b, sample.DefaultSize)
	for _, p := range projections.All() {
		for name, open := range map[string]func() readmodels.Store{
			"memory": func() readmodels.Store { return memory.New() },
			"redis":  func() readmodels.Store { return onRedis(b) },
		} {
			b.Run(p.Scope.Projection+"/"+name, func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					into := open()
					b.StartTimer()
					apply(b, p, events, 1024, into)
				}
				b.ReportMetric(float64(len(events)*b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
