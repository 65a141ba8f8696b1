package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

func testDump(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	key := func(plan, collection, id string) readmodels.Key {
		return readmodels.Key{Plan: plan, Collection: collection, ID: id}
	}
	b.Put[key("b", "a", "1")] = []byte(`{"text":"two \"words\""}`)
	b.Put[key("a", "b", "2")] = []byte(`[]`)
	b.Put[key("a", "b", "10")] = []byte(`"ä"`)
	b.Put[key("a", "b\n", "x")] = []byte("line\nbreak")
	b.Put[key("a", "B", "\xff")] = []byte("\xff")
	b.Put[key("a", "", "")] = []byte{}
	for _, entry := range []readmodels.Entry{
		{Index: readmodels.Index{Plan: "b", Name: "a"}, Value: "x"},
		{Index: readmodels.Index{Plan: "a", Name: "z"}, Value: "2"},
		{Index: readmodels.Index{Plan: "a", Name: "z"}, Value: "10"},
		{Index: readmodels.Index{Plan: "a", Name: "z"}, Value: "\xff\x00"},
	} {
		b.Add = append(b.Add, entry)
	}
	s.commit(t, b)
	equalTexts(t, "dump", Lines(s.ctx, t, s.Store, s.scope), []string{
		`doc "a" "" "" `,
		`raw "a" "B" "\xff" "\xff"`,
		`doc "a" "b" "10" "ä"`,
		`doc "a" "b" "2" []`,
		`raw "a" "b\n" "x" "line\nbreak"`,
		`doc "b" "a" "1" {"text":"two \"words\""}`,
		`entry "a" "z" "10"`,
		`entry "a" "z" "2"`,
		`entry "a" "z" "\xff\x00"`,
		`entry "b" "a" "x"`,
	})
	stop := errors.New("enough")
	count := 0
	if err := s.Dump(s.ctx, s.scope, func(string) error { count++; return stop }); !errors.Is(err, stop) || count != 1 {
		t.Fatalf("a refusing caller got %d lines and %v", count, err)
	}
}

// model is what a scope should hold, as plainly as can be said.
type model struct {
	position  eventstore.Position
	fence     uint64
	documents map[readmodels.Key]string
	entries   map[readmodels.Entry]bool
}

func (m *model) commit(b readmodels.Batch) error {
	if b.Fence != 0 && b.Fence < m.fence {
		return &readmodels.FencedError{Scope: b.Scope, Fence: b.Fence, Newer: m.fence}
	}
	if b.After != m.position {
		return &readmodels.OutOfStepError{Scope: b.Scope, Want: b.After, Have: m.position}
	}
	for key, value := range b.Put {
		if value == nil {
			delete(m.documents, key)
		} else {
			m.documents[key] = string(value)
		}
	}
	for _, entry := range b.Remove {
		delete(m.entries, entry)
	}
	for _, entry := range b.Add {
		m.entries[entry] = true
	}
	m.position = b.Checkpoint.Position
	m.fence = max(m.fence, b.Fence)
	return nil
}

func (m *model) index(index readmodels.Index) []string {
	var values []string
	for entry := range m.entries {
		if entry.Index == index {
			values = append(values, entry.Value)
		}
	}
	slices.Sort(values)
	return values
}

var (
	genPart  = rapid.SampledFrom([]string{"a", "b", ":", "a:b", "{a}", "\xff"})
	genID    = rapid.SampledFrom([]string{"1", "2", "3", "a:1", "\x00"})
	genValue = rapid.OneOf(rapid.SampledFrom(values[:24]), rapid.StringN(1, 3, 8))
	genKey   = rapid.Custom(func(t *rapid.T) readmodels.Key {
		return readmodels.Key{Plan: genPart.Draw(t, "plan"), Collection: genPart.Draw(t, "collection"), ID: genID.Draw(t, "id")}
	})
	genIndex = rapid.Custom(func(t *rapid.T) readmodels.Index {
		return readmodels.Index{Plan: genPart.Draw(t, "plan"), Name: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name")}
	})
	genEntry = rapid.Custom(func(t *rapid.T) readmodels.Entry {
		return readmodels.Entry{Index: genIndex.Draw(t, "index"), Value: genValue.Draw(t, "value")}
	})
	genDocument = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 20),
		rapid.Custom(func(t *rapid.T) []byte { return []byte(strconv.Quote(rapid.String().Draw(t, "text"))) }))
)

func genBatch(t *rapid.T, scope readmodels.Scope, m *model) readmodels.Batch {
	b := readmodels.Batch{
		Scope: scope, After: m.position,
		Fence: rapid.SampledFrom([]uint64{0, 0, 1, 2, 9, 10, 11}).Draw(t, "fence"),
		Put:   rapid.MapOfN(genKey, genDocument, 0, 8).Draw(t, "put"),
		Add:   rapid.SliceOfN(genEntry, 0, 8).Draw(t, "add"),
	}
	b.Checkpoint.Position = b.After + eventstore.Position(rapid.Uint32().Draw(t, "step"))
	if rapid.IntRange(0, 5).Draw(t, "out of step") == 0 {
		b.After += eventstore.Position(rapid.IntRange(1, 3).Draw(t, "by"))
	}
	// Mostly what is there, so that removing does something.
	if held := slices.SortedFunc(maps.Keys(m.entries), compareEntries); len(held) > 0 {
		b.Remove = rapid.SliceOfN(rapid.SampledFrom(held), 0, 4).Draw(t, "remove")
	}
	b.Remove = append(b.Remove, rapid.SliceOfN(genEntry, 0, 2).Draw(t, "remove others")...)
	return b
}

func compareEntries(a, b readmodels.Entry) int {
	return slices.Compare([]string{a.Index.Plan, a.Index.Name, a.Value}, []string{b.Index.Plan, b.Index.Name, b.Value})
}

func testModel(t *testing.T, s *suite) {
	rapid.Check(t, func(rt *rapid.T) {
		scope, reference := NewScope(), memory.New()
		m := &model{documents: map[readmodels.Key]string{}, entries: map[readmodels.Entry]bool{}}
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			b := genBatch(rt, scope, m)
			got, reference, want := s.Commit(s.ctx, b), reference.Commit(s.ctx, b), m.commit(b)
			if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
				rt.Fatalf("commit: got %v, want %v", got, want)
			}
			if fmt.Sprint(reference) != fmt.Sprint(want) {
				rt.Fatalf("commit in memory: got %v, want %v", reference, want)
			}
			compareReads(rt, s, scope, m)
		}
		equalTexts(rt, "dump, compared with that of memory", Lines(s.ctx, rt, s.Store, scope), Lines(s.ctx, rt, reference, scope))
	})
}

func compareReads(t *rapid.T, s *suite, scope readmodels.Scope, m *model) {
	checkpoint, err := s.Checkpoint(s.ctx, scope)
	if err != nil || checkpoint.Position != m.position {
		t.Fatalf("checkpoint: got %v and %v, want %v", checkpoint.Position, err, m.position)
	}
	keys := rapid.SliceOfN(genKey, 0, 6).Draw(t, "keys")
	documents, err := s.Get(s.ctx, scope, keys...)
	if err != nil || len(documents) != len(keys) {
		t.Fatalf("get: %d documents and %v", len(documents), err)
	}
	for i, key := range keys {
		want, held := m.documents[key]
		if string(documents[i]) != want || (documents[i] != nil) != held {
			t.Fatalf("document %q: got %q, want %q (%t)", key, documents[i], want, held)
		}
	}
	index := genIndex.Draw(t, "index")
	r := readmodels.Range{Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "with prefix") {
		r.Prefix = genValue.Draw(t, "prefix")
	}
	if rapid.Bool().Draw(t, "with after") {
		r.After = genValue.Draw(t, "after")
	}
	got, err := s.Entries(s.ctx, scope, index, r)
	if err != nil {
		t.Fatalf("entries: %v", err)
	}
	equalTexts(t, describe(r), got, choose(m.index(index), r))
}
