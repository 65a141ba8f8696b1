package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"rolewise/domain"
	"rolewise/eventstore"
	"rolewise/leases"
	"rolewise/leases/redisleases"
	"rolewise/projections"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// plans makes some plans at work, and returns what goes on there.
func plans(w *world, n int) (goOn func(round int)) {
	goOns := make([]func(int), n)
	for i := range n {
		p := w.plan(domain.PlanID(fmt.Sprintf("plan-%d", i)))
		s := p.skills("Go", "SQL")
		r := p.role("Backend", s...)
		crew := p.team("Crew")
		p.assignTeams(r, crew)
		goOns[i] = func(round int) {
			m := p.member(fmt.Sprintf("Member %d", round))
			p.join(crew, m)
			p.measure(m, s[0], 80)
			p.measure(m, s[1], 20*(round%10))
		}
	}
	return func(round int) { goOns[round%n](round) }
}

// sameByPartition compares all read models with those of one straight pass over the events of each partition.
func sameByPartition(t *testing.T, log eventstore.Store, models readmodels.Store, parts readmodels.Partitions) {
	t.Helper()
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	straight := memory.New()
	defer straight.Close()
	for _, p := range projections.All() {
		for i := range parts.Count() {
			projector, err := projections.NewProjector(t.Context(), p.In(i), fixed(info), straight)
			if err != nil {
				t.Fatal(err)
			}
			if err := straightPass(t.Context(), log, projector, parts, i); err != nil {
				t.Fatal(err)
			}
			got, want := dump(t, models, p.Scope.In(i)), dump(t, straight, p.Scope.In(i))
			if len(want) == 0 && i < int(parts) || !slices.Equal(got, want) {
				t.Errorf("%s differs from one straight pass:\n%s", p.Scope.In(i), difference(got, want))
			}
		}
	}
}

func straightPass(ctx context.Context, log eventstore.Store, to *projections.Projector, parts readmodels.Partitions, partition int) error {
	for page, err := range log.Follow(ctx, 0, eventstore.Filter{PageSize: 10_000}) {
		if err != nil {
			return err
		}
		page.Events = slices.DeleteFunc(slices.Clone(page.Events), func(e eventstore.Recorded) bool {
			return !parts.Takes(partition, e.Stream.Plan)
		})
		if err := to.Apply(ctx, page); err != nil || page.Live {
			return err
		}
	}
	return errors.New("the log ended")
}

// runIn runs all projections in partitions, until the test ends or stop is called.
func runIn(t *testing.T, log eventstore.Store, models readmodels.Store, parts readmodels.Partitions, keeper leases.Keeper) (stop func()) {
	t.Helper()
	runner, err := projections.NewRunner(t.Context(), projections.Setup{
		Events: log, Models: models, Partitions: parts, Leases: keeper, Log: slog.New(slog.DiscardHandler),
	}, projections.All()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

func TestPartitions(t *testing.T) {
	onBoth(t, "OPS-4 each partition has what one pass over its own plans and the catalog gives", func(t *testing.T, models readmodels.Store) {
		w := newWorld(t, models)
		goOn := plans(w, 9)
		for round := range 9 {
			goOn(round)
		}
		runIn(t, w.log, models, 4, nil)
		for round := 9; round < 40; round++ {
			goOn(round)
		}
		reached(t, models, head(t, w.log), readmodels.Partitions(4).Scopes()...)
		sameByPartition(t, w.log, models, 4)
		ask := readmodels.NewQueries(models, 4)
		for i := range 9 {
			page, _, err := ask.Members(t.Context(), fmt.Sprintf("plan-%d", i), readmodels.MemberFilter{}, readmodels.Want{Limit: 100})
			if want := 1 + (40-i+8)/9; err != nil || len(page.Items) != want {
				t.Errorf("plan %d has %d members, not %d: %v", i, len(page.Items), want, err)
			}
		}
		all, _, err := ask.Plans(t.Context(), readmodels.Want{Limit: 5})
		rest, _, failure := ask.Plans(t.Context(), readmodels.Want{Limit: 20, After: all.Next})
		if err != nil || failure != nil || len(all.Items) != 5 || len(rest.Items) != 5 || all.Next == "" || rest.Next != "" {
			t.Errorf("%d and %d plans, %v, %v", len(all.Items), len(rest.Items), err, failure)
		}
	})
}

// TestShared has several runners share the partitions of one Redis, while some of them come and go.
func TestShared(t *testing.T) {
	models := onRedis(t)
	w := newWorld(t, models)
	goOn := plans(w, 9)
	join := func() (stop func()) {
		keeper, err := redisleases.New(redisleases.Options{
			Client: models.(*redis.Store).Client(), Group: t.Name(), Lease: time.Second, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return runIn(t, w.log, models, 4, keeper)
	}
	stop := join()
	join()
	round := 0
	for range 4 {
		for range 20 {
			goOn(round)
			round++
		}
		reached(t, models, head(t, w.log), readmodels.Partitions(4).Scopes()...)
		stop()
		stop = join()
	}
	sameByPartition(t, w.log, models, 4)
}
