package readmodels_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

func TestBuild(t *testing.T) {
	for text, want := range map[string]readmodels.Build{
		"1": {Version: 1}, "3": {Version: 3}, "3+1795323600": {Version: 3, Number: 1795323600}, "12+1": {Version: 12, Number: 1},
	} {
		if got, err := readmodels.ParseBuild(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "01", "3+", "3+0", "3++1", "3+01", "3+-1", "3+1+1", " 3", "3 ", "x", "3+99999999999999999999"} {
		if got, err := readmodels.ParseBuild(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
	scope := readmodels.Scope{Projection: "roles", Version: 1, Partition: 4}
	build := readmodels.Build{Version: 3, Number: 7}
	if of := scope.Of(build); of.Build() != build || of.Partition != 4 || of.Projection != "roles" || of.String() != "roles@3+7/04" {
		t.Errorf("of the build: %s", of)
	}
}

// TestBuildsTransitions changes what there is of a projection in any order: each build that was ever begun is known, in
// one place, until it was forgotten; the live one never leaves.
func TestBuildsTransitions(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := &readmodels.Builds{Live: readmodels.Build{Version: 1}}
		begun := []readmodels.Build{b.Live}
		clock := time.Unix(1_795_323_600, 0)
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			live := b.Live
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0:
				clock = clock.Add(time.Duration(rapid.IntRange(0, 1).Draw(r, "later")) * time.Second)
				b.Rebuild(readmodels.Next{Build: readmodels.Build{Version: rapid.IntRange(1, 3).Draw(r, "version")}, Begun: clock})
				if slices.Contains(begun, b.Next.Build) {
					r.Fatalf("%s was begun twice", b.Next.Build)
				}
				begun = append(begun, b.Next.Build)
			case 1:
				if next := b.Next; next != nil {
					b.Promote()
					if b.Live != next.Build || b.Next != nil || b.Before == nil || *b.Before != live {
						r.Fatalf("after the promotion of %s: %+v", next.Build, b)
					}
				}
			case 2:
				if b.Before != nil {
					before := *b.Before
					b.Rollback()
					if b.Live != before || *b.Before != live {
						r.Fatalf("after going back to %s: %+v", before, b)
					}
				}
			case 3:
				build := rapid.SampledFrom(begun).Draw(r, "dropped")
				droppable := build != b.Live && slices.Contains(b.All(), build)
				if err := b.Drop(build); (err == nil) != droppable || droppable && !slices.Contains(b.Leaving, build) {
					r.Fatalf("drop of %s: %v, %+v", build, err, b)
				}
				if droppable && build.Version > b.Live.Version && b.Cancelled != build.Version {
					r.Fatalf("%s was given up, and would be begun again by itself", build)
				}
			case 4:
				build := rapid.SampledFrom(b.All()).Draw(r, "paused")
				b.Paused = append(b.Paused, build)
				b.Orders = append(b.Orders, readmodels.Order{Build: build})
			case 5:
				for _, gone := range b.Leaving {
					begun = slices.DeleteFunc(begun, func(one readmodels.Build) bool { return one == gone })
				}
				b.Leaving = nil
			}
			check(r, b, begun)
		}
	})
}

func check(r *rapid.T, b *readmodels.Builds, begun []readmodels.Build) {
	places := slices.Concat(b.All(), b.Leaving)
	for _, build := range begun {
		if n := len(slices.DeleteFunc(slices.Clone(places), func(one readmodels.Build) bool { return one != build })); n != 1 || !b.Knows(build) {
			r.Fatalf("%s stands in %d places of %+v", build, n, b)
		}
	}
	if len(places) != len(begun) {
		r.Fatalf("%v, but begun were %v", places, begun)
	}
	for _, build := range b.Leaving {
		if slices.Contains(b.Paused, build) || slices.ContainsFunc(b.Orders, func(one readmodels.Order) bool { return one.Build == build }) {
			r.Fatalf("%s leaves and is still paused or ordered about: %+v", build, b)
		}
	}
	for version := 1; version <= 3; version++ {
		build, readable := b.Readable(version)
		if readable && (build.Version != version || build != b.Live && build != *b.Before) || !readable && b.Live.Version == version {
			r.Fatalf("a program of version %d reads %s of %+v", version, build, b)
		}
	}
	text, err := json.Marshal(b)
	if err != nil {
		r.Fatal(err)
	}
	var again readmodels.Builds
	if err := json.Unmarshal(text, &again); err != nil {
		r.Fatal(err)
	}
	if back, _ := json.Marshal(&again); string(back) != string(text) {
		r.Fatalf("%s comes back as %s", text, back)
	}
}

func TestChangeBuilds(t *testing.T) {
	read := func(store readmodels.Store) map[string]*readmodels.Builds {
		t.Helper()
		all, err := readmodels.ReadBuilds(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	first := func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b == nil {
			b = &readmodels.Builds{Live: readmodels.Build{Version: 1}}
		}
		return b, nil
	}
	t.Run("nothing stays nothing", func(t *testing.T) {
		store := memory.New()
		b, err := readmodels.ChangeBuilds(t.Context(), store, "roles", func(b *readmodels.Builds) (*readmodels.Builds, error) { return b, nil })
		if all := read(store); err != nil || b != nil || len(all) != 0 {
			t.Errorf("%+v, %v, %v", b, err, all)
		}
	})
	t.Run("an error changes nothing", func(t *testing.T) {
		store, failure := memory.New(), errors.New("no")
		if _, err := readmodels.ChangeBuilds(t.Context(), store, "roles", first); err != nil {
			t.Fatal(err)
		}
		_, err := readmodels.ChangeBuilds(t.Context(), store, "roles", func(b *readmodels.Builds) (*readmodels.Builds, error) {
			b.Live.Version = 9
			return b, failure
		})
		if all := read(store); !errors.Is(err, failure) || all["roles"].Live.Version != 1 {
			t.Errorf("%v, %+v", err, all["roles"])
		}
	})
	t.Run("no change of several at once is lost", func(t *testing.T) {
		store := memory.New()
		const writers = 8
		errs := make([]error, writers)
		var all sync.WaitGroup
		for w := range errs {
			all.Go(func() {
				_, errs[w] = readmodels.ChangeBuilds(t.Context(), store, "roles", func(b *readmodels.Builds) (*readmodels.Builds, error) {
					b, err := first(b)
					b.Paused = append(b.Paused, readmodels.Build{Version: w + 1})
					return b, err
				})
			})
		}
		all.Wait()
		if b := read(store)["roles"]; errors.Join(errs...) != nil || len(b.Paused) != writers {
			t.Errorf("%v, %+v", errors.Join(errs...), b)
		}
	})
	t.Run("what is not understood is said and left", func(t *testing.T) {
		store := memory.New()
		if _, err := store.SetRecord(t.Context(), "roles", nil, []byte("[]")); err != nil {
			t.Fatal(err)
		}
		_, err := readmodels.ChangeBuilds(t.Context(), store, "roles", first)
		_, failure := readmodels.ReadBuilds(context.Background(), store)
		if records, _ := store.Records(t.Context()); err == nil || failure == nil || string(records["roles"]) != "[]" {
			t.Errorf("%v, %v, %q", err, failure, records)
		}
	})
}
