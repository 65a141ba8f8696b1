package immutable_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"rolewise/domain/immutable"
)

// Whatever is done to a map, it has what an ordinary map would have, and none that was handed out before changes.
func TestMap(t *testing.T) {
	// Of these, costarring and liquid have the same hash (FNV-1a, 32 bits), and so have declinate and macallums.
	keys := []string{"", "a", "b", "costarring", "liquid", "declinate", "macallums"}
	for i := range 40 {
		keys = append(keys, fmt.Sprint("key ", i))
	}
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			got  immutable.Map[string, int]
			want map[string]int
		}
		versions := []version{{want: map[string]int{}}}
		for i := range rapid.IntRange(1, 80).Draw(t, "changes") {
			from := versions[rapid.IntRange(max(0, len(versions)-2), len(versions)-1).Draw(t, "from")]
			key := rapid.SampledFrom(keys).Draw(t, "key")
			next := version{want: maps.Clone(from.want)}
			if rapid.Bool().Draw(t, "put") {
				next.got, next.want[key] = from.got.With(key, i), i
			} else {
				next.got = from.got.Without(key)
				delete(next.want, key)
			}
			versions = append(versions, next)
		}
		for i, v := range versions {
			got := maps.Collect(v.got.All())
			if !reflect.DeepEqual(got, v.want) || v.got.Len() != len(v.want) {
				t.Fatalf("version %d has %v, %d keys; want %v", i, got, v.got.Len(), v.want)
			}
			for _, key := range keys {
				value, ok := v.got.Get(key)
				want, has := v.want[key]
				if value != want || ok != has || v.got.Has(key) != has {
					t.Fatalf("version %d: %q is %d, %v; want %d, %v", i, key, value, ok, want, has)
				}
			}
			encoded, err := json.Marshal(v.got)
			plain, _ := json.Marshal(v.want)
			if err != nil || string(encoded) != string(plain) {
				t.Fatalf("version %d encodes as %s, %v; want %s", i, encoded, err, plain)
			}
		}
	})
}

// Equal maps are equal to reflect.DeepEqual, whatever became of them on the way.
func TestMapsAreCompared(t *testing.T) {
	var plain, winding immutable.Map[string, int]
	for i := range 1000 {
		winding = winding.With(fmt.Sprint(i), i)
	}
	for i := 10; i < 1000; i++ {
		winding = winding.Without(fmt.Sprint(i))
	}
	for i := range 10 {
		plain = plain.With(fmt.Sprint(i), i)
	}
	if !reflect.DeepEqual(plain, winding) {
		t.Error("two maps with the same content differ")
	}
	for range plain.All() {
		break // stops where the caller stops
	}
}
