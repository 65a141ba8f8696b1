package torture

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
	"rolewise/sample"
	"rolewise/test/harness"
)

const (
	plan    = "acme"
	workers = 8
)

// kills is how often the server is killed under load: 50 times, five times as often with ROLEWISE_TORTURE.
func kills() int {
	if os.Getenv("ROLEWISE_TORTURE") != "" {
		return 250
	}
	return 50
}

// TestKill kills the server under load, again and again, and now and then while it starts.
func TestKill(t *testing.T) {
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv("ROLEWISE_TORTURE_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("seed %d; set ROLEWISE_TORTURE_SEED to repeat the same commands and pauses", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	folder, url := t.TempDir(), redistest.Start(t)
	source := fill(t, folder, seed)
	server := harness.Serve(t, folder, url)
	key := server.Operator.Command(t, plan, "create-api-key", harness.Body{"name": "torture", "scopes": []string{"*"}}).APIKey
	setUp := server.Operator.As(key).Events(t, plan)
	start := number(setUp[len(setUp)-1].Position)

	var book ledger
	crew := make([]*worker, workers)
	for i := range crew {
		crew[i] = &worker{load: source, ledger: &book}
	}
	early := 0
	for n := range kills() {
		if n > 0 {
			for random.IntN(5) == 0 {
				server.Relaunch(t)
				pause(time.Duration(random.IntN(150)) * time.Millisecond)
				server.Kill(t)
				early++
			}
			server.Again(t)
		}
		client := server.Operator.As(key)
		wantNewest(t, client, &book)
		workAndKill(t, server, client, crew, time.Duration(300+random.IntN(700))*time.Millisecond)
	}
	server.Again(t)
	client := server.Operator.As(key)
	repeats := 0
	for _, w := range crew {
		w.finish(t, client)
		repeats += w.repeats
	}
	history := eventsOf(client.Events(t, plan))
	t.Logf("%d kills under load, %d more during the start; %d commands acknowledged, %d sent again; %d events", kills(), early, len(book.entries), repeats, len(history))
	if len(book.entries) < kills()*workers || repeats < kills() {
		t.Errorf("there was hardly any load")
	}
	for i, wrong := range check(book.entries, history, start) {
		if i == 20 {
			t.Error("and more")
			break
		}
		t.Error(wrong)
	}
	knownBad(t, book.entries, history, start)
	head(t, server) // every read model has reached the end of the log
	server.Stop(t)
	compareModels(t, folder, url)
}

// fill writes the small organisation on which the load works.
func fill(t *testing.T, folder string, seed uint64) *load {
	t.Helper()
	store, emailKey, done := harness.OpenStore(t, filepath.Join(folder, "events.db"))
	defer done()
	options := sample.Options{
		Seed: 7, Plan: plan, Size: sample.Size{Members: 40, Teams: 6, Skills: 14, Roles: 5, Events: 600}, End: time.Now().Add(-time.Minute),
	}
	if _, err := sample.Generate(t.Context(), store, emailKey, options); err != nil {
		t.Fatal(err)
	}
	end, err := sample.EndOf(t.Context(), store, plan)
	if err != nil {
		t.Fatal(err)
	}
	options.End = end
	source, err := sample.NewSource(options, seed, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &load{source: source}
}

// workAndKill lets the workers work for a while, and kills the server in the middle of it.
func workAndKill(t *testing.T, server *harness.Server, client harness.Client, crew []*worker, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	for _, w := range crew {
		group.Go(func() { w.run(ctx, t, client) })
	}
	pause(while)
	server.Kill(t)
	group.Wait() // each of them finds that the server is gone
}

// pause is how long a kill is waited for; nothing depends on what happens meanwhile.
func pause(d time.Duration) { <-time.After(d) }

// wantNewest demands that the newest acknowledged event survived the kill.
func wantNewest(t *testing.T, client harness.Client, book *ledger) {
	t.Helper()
	newest, found := book.newest()
	if !found {
		return
	}
	before := strconv.FormatUint(number(newest.answer.Position)-1, 10)
	list := harness.Decode[harness.List[harness.Event]](t, client.Get(t, "/v1/plans/"+plan+"/events", "after", before, "limit", "1"))
	if len(list.Items) != 1 || list.Items[0].Stream != newest.answer.Stream || list.Items[0].Revision != newest.answer.Revision {
		t.Fatalf("%s %s: %s revision %d was acknowledged at %s, after the kill there is %+v", newest.name, newest.key,
			newest.answer.Stream, newest.answer.Revision, newest.answer.Position, list.Items)
	}
}

// knownBad shows on the real history that a single lost or repeated event would have been found.
func knownBad(t *testing.T, entries []acknowledged, history []event, start uint64) {
	t.Helper()
	middle := len(history) / 2
	for ; guards(history[middle]) || history[middle].position <= start; middle++ {
	}
	lost := slices.Delete(slices.Clone(history), middle, middle+1)
	if len(check(entries, lost, start)) == 0 {
		t.Errorf("the loss of %+v is not found", history[middle])
	}
	twice := history[middle]
	twice.id, twice.position = "another", history[len(history)-1].position+1
	twice.revision = int64(len(history))
	if len(check(entries, append(slices.Clone(history), twice), start)) == 0 {
		t.Errorf("the repetition of %+v is not found", history[middle])
	}
}

// head waits until all read models have reached the end of the log.
func head(t *testing.T, server *harness.Server) {
	t.Helper()
	client := server.Operator
	newest := client.Command(t, plan, "create-team", harness.Body{"name": "The last"}).Position
	for _, path := range []string{"/members", "/roles", "/analytics/roles"} {
		client.Get(t, "/v1/plans/"+plan+path, "min_position", newest)
	}
}

// compareModels demands that the read models in Redis are those that a replay of the whole log gives, and shows that a
// replay without one event gives others.
func compareModels(t *testing.T, folder, url string) {
	t.Helper()
	store, _, _ := harness.OpenStore(t, filepath.Join(folder, "events.db"))
	live, err := redis.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	parts := partitionsOf(t, live)
	got, want := dump(t, live), replay(t, store, parts, everything)
	for _, scope := range readmodels.Scopes() {
		scope = scope.In(parts.Of(plan))
		if lines := want[scope.String()]; len(lines) < 10 {
			t.Errorf("%s has %d lines only: the comparison would show nothing", scope, len(lines))
		}
	}
	for _, difference := range differences(got, want) {
		t.Error(difference)
	}
	var measured eventstore.Position
	bad := replay(t, store, parts, func(e eventstore.Recorded) bool {
		if measured == 0 && e.Type == "SkillIQMeasured" {
			measured = e.Position
		}
		return e.Position != measured
	})
	if len(differences(got, bad)) == 0 {
		t.Error("a replay without one measurement gives the same read models")
	}
}
