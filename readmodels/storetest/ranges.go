package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolewise/readmodels"
)

func testEntrySet(t *testing.T, s *suite) {
	entry := func(value string) readmodels.Entry { return readmodels.Entry{Index: names, Value: value} }
	b := s.batch(0, 1)
	b.Add = []readmodels.Entry{entry("b"), entry("a"), entry("b")}
	b.Remove = []readmodels.Entry{entry("never there"), {Index: readmodels.Index{Plan: "acme", Name: "none"}, Value: "x"}}
	s.commit(t, b)
	equalTexts(t, "after adding", s.entries(t, names, readmodels.Range{}), []string{"a", "b"})
	b = s.batch(1, 2)
	b.Add, b.Remove = []readmodels.Entry{entry("a"), entry("c")}, []readmodels.Entry{entry("b"), entry("a")}
	s.commit(t, b)
	equalTexts(t, "added and removed at once stays", s.entries(t, names, readmodels.Range{}), []string{"a", "c"})
	b = s.batch(2, 3)
	b.Remove = []readmodels.Entry{entry("a"), entry("c")}
	s.commit(t, b)
	equalTexts(t, "after removing", s.entries(t, names, readmodels.Range{}), nil)
	equalTexts(t, "dump", Lines(s.ctx, t, s.Store, s.scope), nil)
}

// values are neighbours of each other in every way that orders and prefixes can be wrong.
var values = []string{
	"\x00", "\x00\x00", "\x00\xff", "(", "[", "+", "-", "a", "a\x00", "a\x00b", "a:", "a:1", "a:10", "a:2", "ab", "a\xff",
	"a\xff\x00", "a\xff\xff", "a\xff\xffz", "b", "B", "ä", "é", "e\u0301", "日本", "日本語", "😀", "\xfe", "\xfe\xff", "\xff",
	"\xff\x00", "\xff\xff", "\xff\xffa", strings.Repeat("long ", 1000),
}

// choose is what a range means, said once more.
func choose(sorted []string, r readmodels.Range) []string {
	var chosen []string
	for _, value := range sorted {
		if strings.HasPrefix(value, r.Prefix) && (r.After == "" || value > r.After) && (r.Limit == 0 || len(chosen) < r.Limit) {
			chosen = append(chosen, value)
		}
	}
	return chosen
}

func describe(r readmodels.Range) string {
	return fmt.Sprintf("entries with prefix %q after %q, %d at most", r.Prefix, r.After, r.Limit)
}

func testRanges(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	for _, value := range values {
		b.Add = append(b.Add, readmodels.Entry{Index: names, Value: value})
		// Same index name in another plan, same plan in another index: never seen.
		b.Add = append(b.Add, readmodels.Entry{Index: readmodels.Index{Plan: "other", Name: "names"}, Value: value + "?"},
			readmodels.Entry{Index: readmodels.Index{Plan: "acme", Name: "other"}, Value: value + "!"})
	}
	s.commit(t, b)
	sorted := slices.Sorted(slices.Values(values))
	ends := append([]string{"", "c", "a:3", "\xff\xff\xff", "日"}, values...)
	for _, prefix := range ends {
		for _, after := range ends {
			for _, limit := range []int{0, 1, 3} {
				r := readmodels.Range{Prefix: prefix, After: after, Limit: limit}
				equalTexts(t, describe(r), s.entries(t, names, r), choose(sorted, r))
			}
		}
	}
}

func testPaging(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	for _, value := range values {
		b.Add = append(b.Add, readmodels.Entry{Index: names, Value: value})
	}
	s.commit(t, b)
	for limit := 1; limit <= len(values)+1; limit++ {
		var got []string
		for r := (readmodels.Range{Limit: limit}); ; {
			page := s.entries(t, names, r)
			got = append(got, page...)
			if len(page) < limit || len(got) > len(values) {
				break
			}
			r.After = page[len(page)-1]
		}
		equalTexts(t, fmt.Sprintf("pages of %d", limit), got, slices.Sorted(slices.Values(values)))
	}
}

func testScopes(t *testing.T, s *suite) {
	others := []readmodels.Scope{
		{Projection: s.scope.Projection, Version: 3, Partition: 8},
		{Projection: s.scope.Projection, Version: 4, Partition: 7},
		{Projection: s.scope.Projection + "x", Version: 3, Partition: 7},
		{Projection: s.scope.Projection + "@3/07}:doc:acme:member", Version: 3, Partition: 7},
		{Projection: "}" + s.scope.Projection, Version: 3, Partition: 7},
		{Projection: s.scope.Projection, Version: 30, Partition: 7},
		{Projection: s.scope.Projection, Version: 3, Partition: 70},
		{Projection: s.scope.Projection, Version: 3, Partition: 107},
	}
	b := s.batch(0, 1)
	b.Put[alice], b.Fence = []byte("here"), 5
	b.Add = []readmodels.Entry{{Index: names, Value: "here"}}
	s.commit(t, b)
	here := Lines(s.ctx, t, s.Store, s.scope)
	for i, other := range others {
		there := &suite{Store: s.Store, ctx: s.ctx, scope: other}
		testEmpty(t, there)
		b := there.batch(0, 10)
		b.Fence = 1 // fences are the scope's own too
		b.Put[alice] = fmt.Appendf(nil, "there %d", i)
		b.Add = []readmodels.Entry{{Index: names, Value: "there"}}
		there.commit(t, b)
	}
	equalTexts(t, "the first scope", Lines(s.ctx, t, s.Store, s.scope), here)
	equal(t, "position", s.position(t), 1)
	for i, other := range others {
		there := &suite{Store: s.Store, ctx: s.ctx, scope: other}
		equal(t, "document", there.get(t, alice), []string{fmt.Sprintf("there %d", i)})
		equalTexts(t, "entries", there.entries(t, names, readmodels.Range{}), []string{"there"})
	}
}

// parts are such that joining them carelessly makes different names the same.
var parts = []string{"", "a", "b", ":", "a:", ":a", "a:b", "{", "}", "{a}", ".", "a.b", "|", "a|b", "/", "%", "%3A", "+", " ", "*", "?", "\\",
	"\x00", "\xff", "doc", "index", "checkpoint", "1", "11"}

func testNames(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	var keys []readmodels.Key
	var indexes []readmodels.Index
	for _, plan := range parts {
		for _, name := range parts {
			indexes = append(indexes, readmodels.Index{Plan: plan, Name: name})
			b.Add = append(b.Add, readmodels.Entry{Index: indexes[len(indexes)-1], Value: fmt.Sprintf("%q %q", plan, name)})
			for _, id := range parts {
				key := readmodels.Key{Plan: plan, Collection: name, ID: id}
				keys = append(keys, key)
				b.Put[key] = fmt.Appendf(nil, "%q", key)
			}
		}
	}
	s.commit(t, b)
	for i, got := range s.get(t, keys...) {
		equal(t, "document", got, fmt.Sprintf("%q", keys[i]))
	}
	for _, index := range indexes {
		equalTexts(t, "entries", s.entries(t, index, readmodels.Range{}), []string{fmt.Sprintf("%q %q", index.Plan, index.Name)})
	}
	equal(t, "lines", len(Lines(s.ctx, t, s.Store, s.scope)), len(keys)+len(indexes))
}
