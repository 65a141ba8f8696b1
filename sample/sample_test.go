package sample_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/domain/results"
	"rolewise/domain/team"
	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/sample"
)

var (
	end      = time.Date(2025, time.June, 30, 15, 4, 5, 678_000_000, time.UTC)
	emailKey = []byte("a key for tests")
	small    = sample.Options{Seed: 7, Plan: "small", End: end, Size: sample.Size{Members: 30, Teams: 6, Skills: 14, Roles: 14, Events: 1200}}
)

func openStore(t testing.TB) eventstore.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func generate(t testing.TB, store eventstore.Store, o sample.Options) sample.Mix {
	t.Helper()
	mix, err := sample.Generate(context.Background(), store, emailKey, o)
	if err != nil {
		t.Fatal(err)
	}
	return mix
}

// history is the whole log.
func history(t testing.TB, store eventstore.Store) []eventstore.Recorded {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var events []eventstore.Recorded
	for page, err := range store.Follow(ctx, 0, eventstore.Filter{}) {
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

// script is the log as text, with a word for the owner's id, which is chance.
func script(t testing.TB, store eventstore.Store, id domain.PlanID) []string {
	t.Helper()
	state, err := commands.New(store, time.Now, emailKey).Plan(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range history(t, store) {
		if e.Type == "CommandAnswered" { // holds positions, and the time that the command took
			e.Data = nil
		}
		line := fmt.Sprintf("%s %s %s %s", metadata(t, e).Time.Format(time.RFC3339Nano), e.Stream, e.Type, e.Data)
		lines = append(lines, strings.ReplaceAll(line, string(state.Owner), "OWNER"))
	}
	return lines
}

func metadata(t testing.TB, e eventstore.Recorded) eventstore.Metadata {
	t.Helper()
	meta, err := eventstore.DecodeMetadata(e.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

func sameLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("event %d of %d and %d differs:\n%s\n%s", i, len(got), len(want), slices.Concat(got, []string{"none"})[min(i, len(got))], slices.Concat(want, []string{"none"})[min(i, len(want))])
		}
	}
}

func decode[E any](t *testing.T, e eventstore.Recorded) E {
	t.Helper()
	var event E
	if err := json.Unmarshal(e.Data, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// expected are the types that a year of the default size has at least so many of.
var expected = map[string]int{
	"PlanCreated": 1, "MemberInvited": 240, "Reserved": 240, "InvitationAccepted": 220, "TeamCreated": 14, "TeamRenamed": 1, "TeamMoved": 1,
	"TeamMemberAdded": 240, "TeamRoleChanged": 10, "TeamMemberRemoved": 10, "SkillDefined": 45, "SkillRenamed": 1, "SkillValidated": 1,
	"SkillRetired": 1, "BenchmarkPublished": 45, "RoleCreated": 13, "RoleDuplicated": 1, "RoleDescribed": 14, "RoleRenamed": 1, "RoleSkillAdded": 70,
	"RoleSkillRemoved": 1, "RoleSkillsReordered": 3, "RoleSkillRequirementSet": 3, "GoalAdjusted": 10, "RequiredLevelSet": 10, "RolePublished": 30,
	"MemberAssigned": 300, "MemberUnassigned": 100, "TeamAssigned": 14, "TeamUnassigned": 3, "LevelSelected": 300, "RoleVisited": 3000,
	"ProgressRefreshed": 30, "SkillIQMeasured": 8000, "BetaAssessmentTaken": 50, "SkillIQInvalidated": 20,
}

func TestDefaultSize(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	var last, total int
	began := time.Now()
	mix := generate(t, store, sample.Options{Seed: 0, End: end, Progress: func(done, all int) {
		if done < last {
			t.Errorf("progress fell from %d to %d", last, done)
		}
		last, total = done, all
	}})
	t.Logf("generated in %v\n%s", time.Since(began).Round(time.Millisecond), mix)
	events := history(t, store)

	t.Run("the mix is what the log has, 20,000 events of every kind", func(t *testing.T) {
		counted := map[string]int{}
		for _, e := range events {
			counted[e.Type]++
		}
		if !reflect.DeepEqual(mix.Events, counted) {
			t.Errorf("the mix is %v, the log has %v", mix.Events, counted)
		}
		if len(events) != 20_000 || mix.Total() != 20_000 || last != 20_000 || total != 20_000 {
			t.Errorf("log %d, mix %d, progress %d of %d: want 20,000", len(events), mix.Total(), last, total)
		}
		for name, least := range expected {
			if counted[name] < least {
				t.Errorf("%d %s, want at least %d", counted[name], name, least)
			}
		}
		if counted["MemberInvited"] != 240 || counted["SkillDefined"] != 45 || counted["RoleCreated"]+counted["RoleDuplicated"] != 14 {
			t.Errorf("%d members, %d skills", counted["MemberInvited"], counted["SkillDefined"])
		}
	})
	t.Run("time never goes back and fills the year", func(t *testing.T) {
		at := end.AddDate(0, 0, -365)
		months := map[time.Month]int{}
		for i, e := range events {
			meta := metadata(t, e)
			if meta.Time.Before(at) || meta.Time.After(end) {
				t.Fatalf("event %d is of %v, after %v", i, meta.Time, at)
			}
			at = meta.Time
			months[at.Month()]++
			if actor := "system:sample"; meta.Actor != actor && i >= 5 {
				t.Fatalf("event %d is by %s", i, meta.Actor)
			}
		}
		for month := time.January; month <= time.December; month++ {
			if months[month] < 1000 {
				t.Errorf("%d events in %v", months[month], month)
			}
		}
	})
	t.Run("teams nest", func(t *testing.T) {
		tree, err := commands.New(store, time.Now, emailKey).Teams(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		if deepest := depth(tree); tree.Teams.Len() != 14 || deepest < 3 {
			t.Errorf("%d teams, %d deep", tree.Teams.Len(), deepest)
		}
	})
	t.Run("MSR-2, MSR-5 sittings lie 14 days apart, and some results arrive late and out of order", func(t *testing.T) { checkSittings(t, events) })
	t.Run("PRG-1, PRG-2 members stand everywhere from assigned to senior", func(t *testing.T) { checkStandings(t, store, events) })
}

func depth(tree team.State) int {
	deepest := 0
	for id := range tree.Teams.All() {
		levels := 0
		for id != "" {
			above, _ := tree.Get(id)
			id = above.Parent
			levels++
		}
		deepest = max(deepest, levels)
	}
	return deepest
}

func checkSittings(t *testing.T, events []eventstore.Recorded) {
	taken := map[string][]time.Time{}
	first, grown := map[string]int{}, 0
	late, overtaken, retakes := 0, 0, 0
	for _, e := range events {
		if e.Type != "SkillIQMeasured" {
			continue
		}
		m := decode[results.SkillIQMeasured](t, e)
		pair := e.Stream.ID
		for _, other := range taken[pair] {
			if apart := m.MeasuredAt.Sub(other).Abs(); apart < 14*24*time.Hour {
				t.Fatalf("%s was measured twice within %v", pair, apart)
			}
			if m.MeasuredAt.Before(other) {
				overtaken++
			}
		}
		if metadata(t, e).Time.Sub(m.MeasuredAt) > 20*time.Hour {
			late++
		}
		if had, again := first[pair]; again {
			retakes++
			if m.Score > had {
				grown++
			}
		} else {
			first[pair] = m.Score
		}
		taken[pair] = append(taken[pair], m.MeasuredAt)
	}
	if late < 300 || overtaken < 20 || retakes < 2000 || grown*100 < retakes*60 {
		t.Errorf("%d late, %d overtaken, %d retakes of which %d better than the first", late, overtaken, retakes, grown)
	}
}

func TestSameSeedSameHistory(t *testing.T) {
	t.Parallel()
	one, two, other := openStore(t), openStore(t), openStore(t)
	generate(t, one, small)
	generate(t, two, small)
	sameLines(t, script(t, two, small.Plan), script(t, one, small.Plan))
	another := small
	another.Seed++
	generate(t, other, another)
	if slices.Equal(script(t, other, small.Plan), script(t, one, small.Plan)) {
		t.Error("another seed gives the same history")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []sample.Size{
		{Members: 10, Teams: 1, Skills: 8, Roles: 1, Events: 0},
		{Members: 10, Teams: 5, Skills: 9, Roles: 2, Events: 1500},
		{Members: 60, Teams: 30, Skills: 45, Roles: 14, Events: 1500},
		{Members: 300, Teams: 45, Skills: 120, Roles: 60, Events: 3500},
	} {
		t.Run(fmt.Sprintf("%+v", size), func(t *testing.T) {
			mix := generate(t, openStore(t), sample.Options{Seed: 3, Plan: "sized", Size: size, End: end})
			if got := mix.Total(); size.Events > 0 && got != size.Events {
				t.Errorf("%d events, want %d", got, size.Events)
			}
			got := sample.Size{
				Members: mix.Events["MemberInvited"], Teams: mix.Events["TeamCreated"], Skills: mix.Events["SkillDefined"],
				Roles: mix.Events["RoleCreated"] + mix.Events["RoleDuplicated"], Events: size.Events,
			}
			if got != size || mix.Events["RolePublished"] < size.Roles {
				t.Errorf("made %+v, %d versions published", got, mix.Events["RolePublished"])
			}
		})
	}
	for _, size := range []sample.Size{{Members: 9, Teams: 1, Skills: 8, Roles: 1}, {Members: 10, Teams: 6, Skills: 8, Roles: 1}, {Members: 10, Teams: 1, Skills: 7, Roles: 1}, {Members: 10, Teams: 1, Skills: 8}} {
		if _, err := sample.Generate(t.Context(), openStore(t), emailKey, sample.Options{Size: size, End: end}); err == nil {
			t.Errorf("%+v was accepted", size)
		}
	}
}

func TestSecondStartAddsNothing(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	generate(t, store, small)
	before := script(t, store, small.Plan)
	later := small
	later.End = end.Add(3 * time.Hour)
	mix := generate(t, store, later)
	if !mix.Already || mix.Total() != 0 || mix.String() != "the sample is there already: nothing was added\n" {
		t.Errorf("the second time gives %+v", mix)
	}
	sameLines(t, script(t, store, small.Plan), before)
}

// failing is a store that stops taking events after some appends, in the way of a crash: with lost, the append that
// fails was committed all the same.
type failing struct {
	eventstore.Store
	left atomic.Int64
	lost bool
}

var errCrash = errors.New("the store is gone")

func (f *failing) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	left := f.left.Add(-1)
	if left >= 0 || (left == -1 && f.lost) {
		position, err := f.Store.Append(ctx, stream, expected, events...)
		if left >= 0 || err != nil {
			return position, err
		}
	}
	return 0, &eventstore.UnavailableError{Unknown: f.lost, Err: errCrash}
}

func crash(t *testing.T, store eventstore.Store, o sample.Options, appends int) {
	t.Helper()
	broken := &failing{Store: store, lost: appends%2 == 1}
	broken.left.Store(int64(appends))
	if _, err := sample.Generate(t.Context(), broken, emailKey, o); !errors.Is(err, errCrash) {
		t.Fatalf("ended with %v after %d appends", err, appends)
	}
}

func TestCutOffIsCompleted(t *testing.T) {
	t.Parallel()
	tiny := small
	tiny.Size = sample.Size{Members: 10, Teams: 3, Skills: 9, Roles: 2, Events: 300}
	whole := openStore(t)
	want := generate(t, whole, tiny)
	lines := script(t, whole, tiny.Plan)
	for appends := 0; appends < 270; appends += 1 + appends/5 {
		store := openStore(t)
		crash(t, store, tiny, appends)
		if appends > 20 && appends < 200 { // and once more, on the way
			crash(t, store, tiny, appends/10)
		}
		later := tiny
		later.End = end.Add(time.Hour)
		if appends < 2 { // before the plan was created, another end is another year
			later.End = end
		}
		mix := generate(t, store, later)
		sameLines(t, script(t, store, tiny.Plan), lines)
		if !maps.Equal(mix.Events, want.Events) || mix.Already {
			t.Fatalf("after %d appends the mix is\n%sinstead of\n%s", appends, mix, want)
		}
	}
}

func TestForeignPlans(t *testing.T) {
	request := commands.Request{Plan: small.Plan, Principal: access.Principal{ID: "operator", Vendor: true}}
	t.Run("made by somebody else", func(t *testing.T) {
		store := openStore(t)
		create := commands.CreatePlan{Plan: small.Plan, Name: "Mine", Tier: plan.Enterprise, OwnerName: "Me", OwnerEmail: "me@acme.example"}
		if _, err := commands.New(store, time.Now, emailKey).Handle(t.Context(), request, create); err != nil {
			t.Fatal(err)
		}
		if _, err := sample.Generate(t.Context(), store, emailKey, small); domain.CodeOf(err) != "plan_exists" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("changed while incomplete", func(t *testing.T) {
		store := openStore(t)
		crash(t, store, small, 9) // three of six teams so far
		if _, err := commands.New(store, time.Now, emailKey).Handle(t.Context(), request, commands.CreateTeam{Name: "Mine"}); err != nil {
			t.Fatal(err)
		}
		var foreign *sample.ForeignEventError
		if _, err := sample.Generate(t.Context(), store, emailKey, small); !errors.As(err, &foreign) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := small
	o.Progress = func(done, _ int) {
		if done > 500 {
			cancel()
		}
	}
	store := openStore(t)
	if _, err := sample.Generate(ctx, store, emailKey, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	if mix := generate(t, store, small); mix.Resumed < 500 || mix.Total() != small.Events {
		t.Errorf("resumed %d, %d events in all", mix.Resumed, mix.Total())
	}
}

func TestEndOf(t *testing.T) {
	store := openStore(t)
	none, err := sample.EndOf(t.Context(), store, small.Plan)
	if err != nil || !none.IsZero() {
		t.Errorf("without the plan: %v, %v", none, err)
	}
	generate(t, store, small)
	if got, err := sample.EndOf(t.Context(), store, small.Plan); err != nil || !got.Equal(end) {
		t.Errorf("got %v, %v", got, err)
	}
}
