package redisleases

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestShare(t *testing.T) {
	well := func(id string) member { return member{id, unlimited} }
	tests := []struct {
		name       string
		partitions int
		members    []member
		want       []int
	}{
		{"one alone", 8, []member{well("a")}, []int{8}},
		{"even", 8, []member{well("a"), well("b")}, []int{4, 4}},
		{"the elder have more", 8, []member{well("a"), well("b"), well("c")}, []int{3, 3, 2}},
		{"order does not matter", 8, []member{well("c"), well("a"), well("b")}, []int{2, 3, 3}},
		{"fewer partitions than members", 2, []member{well("a"), well("b"), well("c")}, []int{1, 1, 0}},
		{"one that can have none", 8, []member{well("a"), {"b", 0}}, []int{8, 0}},
		{"one that can have little", 8, []member{{"a", 1}, well("b"), well("c")}, []int{1, 4, 3}},
		{"one that has too much and can't have more", 8, []member{{"a", 8}, well("b")}, []int{4, 4}},
		{"none is well", 8, []member{{"a", 1}, {"b", 0}}, []int{4, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			for _, m := range tt.members {
				size, _ := share(tt.members, m.id, tt.partitions)
				got = append(got, size)
			}
			if !slices.Equal(got, tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSharesCoverAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := rapid.IntRange(1, 1025).Draw(t, "partitions")
		var members []member
		for i := range rapid.IntRange(1, 40).Draw(t, "members") {
			members = append(members, member{fmt.Sprint(100 + i), rapid.SampledFrom([]int{unlimited, unlimited, 0, 1, 20}).Draw(t, "most")})
		}
		even := (partitions + len(members) - 1) / len(members)
		sum, limited := 0, false
		for _, m := range members {
			size, first := share(members, m.id, partitions)
			if first < 0 || size < 0 || (first >= partitions && size > 0 && sum < partitions) {
				t.Fatalf("%v has %d from %d on", m, size, first)
			}
			limited = limited || m.most != unlimited
			sum += size
			if m.most != unlimited && size > even {
				t.Fatalf("%v has %d of %d among %d", m, size, partitions, len(members))
			}
		}
		if sum < partitions || (!limited && sum != partitions) {
			t.Fatalf("%d of %d are shared among %v", sum, partitions, members)
		}
	})
}
