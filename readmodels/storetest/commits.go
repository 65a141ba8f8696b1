package storetest

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

var (
	alice  = readmodels.Key{Plan: "acme", Collection: "member", ID: "alice"}
	bob    = readmodels.Key{Plan: "acme", Collection: "member", ID: "bob"}
	coders = readmodels.Key{Plan: "acme", Collection: "team", ID: "coders"}
	names  = readmodels.Index{Plan: "acme", Name: "names"}
)

func testEmpty(t *testing.T, s *suite) {
	equal(t, "documents", s.get(t, alice, bob), []string{"<none>", "<none>"})
	equal(t, "no keys", s.get(t), []string{})
	equalTexts(t, "entries", s.entries(t, names, readmodels.Range{}), nil)
	checkpoint, err := s.Checkpoint(s.ctx, s.scope)
	if err != nil || checkpoint != (readmodels.Checkpoint{}) {
		t.Fatalf("checkpoint: %+v, %v", checkpoint, err)
	}
	equalTexts(t, "dump", Lines(s.ctx, t, s.Store, s.scope), nil)
}

func testReadBack(t *testing.T, s *suite) {
	b := s.batch(0, 5)
	b.Put[alice], b.Put[coders] = []byte(`{"name":"Alice"}`), []byte{}
	b.Add = []readmodels.Entry{{Index: names, Value: "alice"}}
	s.commit(t, b)
	equal(t, "documents, in the order of the keys", s.get(t, coders, bob, alice, coders),
		[]string{"", "<none>", `{"name":"Alice"}`, ""})
	equalTexts(t, "entries", s.entries(t, names, readmodels.Range{}), []string{"alice"})
	equal(t, "position", s.position(t), 5)
}

func testCopies(t *testing.T, s *suite) {
	b, value := s.batch(0, 1), []byte("first")
	b.Put[alice], b.Put[bob] = value, []byte("second")
	s.commit(t, b)
	copy(value, "WRONG")
	b.Put[bob][0] = 'X'
	read, err := s.Get(s.ctx, s.scope, alice, alice)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(read[0], "and more"...) // must not write behind what another reader holds
	if more := read[1][:cap(read[1])]; bytes.Contains(more, []byte("more")) {
		t.Fatalf("two readers share %q", more)
	}
	equal(t, "documents", s.get(t, alice, bob), []string{"first", "second"})
}

func testReplace(t *testing.T, s *suite) {
	b := s.batch(0, 1)
	b.Put[alice], b.Put[bob] = []byte("a1"), []byte("b1")
	s.commit(t, b)
	b = s.batch(1, 2)
	b.Put[alice], b.Put[bob], b.Put[coders] = []byte("a2"), nil, nil
	s.commit(t, b)
	equal(t, "after the second", s.get(t, alice, bob, coders), []string{"a2", "<none>", "<none>"})
	b = s.batch(2, 3)
	b.Put[alice], b.Put[bob] = nil, []byte("b3")
	s.commit(t, b)
	equal(t, "after the third", s.get(t, alice, bob), []string{"<none>", "b3"})
}

func testCheckpoint(t *testing.T, s *suite) {
	zone := time.FixedZone("", -5*3600)
	after := eventstore.Position(0)
	for _, want := range []readmodels.Checkpoint{
		{Position: 9, Time: time.Date(2026, 2, 3, 4, 5, 6, 123456789, zone), StoreID: "0198-abc {x}:\x00", Epoch: 4, Repairs: 3},
		{Position: 10},
		{Position: 1 << 53, Time: time.Now(), Epoch: math.MaxInt},
		{Position: 1<<53 + 1, Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		{Position: math.MaxUint64 - 1, Time: time.Unix(0, 1).UTC()},
		{Position: math.MaxUint64, Time: time.Time{}},
	} {
		b := s.batch(after, 0)
		b.Checkpoint = want
		s.commit(t, b)
		got, err := s.Checkpoint(s.ctx, s.scope)
		if err != nil {
			t.Fatal(err)
		}
		want.Time = want.Time.Round(0).UTC() // nanoseconds, UTC, no clock reading: comparable with ==
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		after = want.Position
	}
}

func testOutOfStep(t *testing.T, s *suite) {
	b := s.batch(0, 3)
	b.Put[alice] = []byte("first")
	b.Add = []readmodels.Entry{{Index: names, Value: "first"}}
	s.commit(t, b)

	b.Put[alice], b.Fence = []byte("again"), 9
	outOfStep(t, s.Commit(s.ctx, b), readmodels.OutOfStepError{Scope: s.scope, Want: 0, Have: 3})
	wrong := s.batch(4, 6)
	wrong.Put[alice], wrong.Put[bob] = nil, []byte("wrong")
	wrong.Remove = b.Add
	outOfStep(t, s.Commit(s.ctx, wrong), readmodels.OutOfStepError{Scope: s.scope, Want: 4, Have: 3})

	equal(t, "documents", s.get(t, alice, bob), []string{"first", "<none>"})
	equalTexts(t, "entries", s.entries(t, names, readmodels.Range{}), []string{"first"})
	equal(t, "position", s.position(t), 3)

	// A refused commit leaves no fence either: the lease before it is still good.
	next := s.batch(3, 4)
	next.Fence = 8
	s.commit(t, next)

	// Neighbours that one double cannot tell apart.
	s.commit(t, s.batch(4, 1<<63+1))
	outOfStep(t, s.Commit(s.ctx, s.batch(1<<63, 1<<63+2)), readmodels.OutOfStepError{Scope: s.scope, Want: 1 << 63, Have: 1<<63 + 1})
}

func testSamePosition(t *testing.T, s *suite) {
	s.commit(t, s.batch(0, 7))
	b := s.batch(7, 7) // as when a parked event is replayed
	b.Put[alice] = []byte("replayed")
	s.commit(t, b)
	equal(t, "document", s.get(t, alice), []string{"replayed"})
	equal(t, "position", s.position(t), 7)
}

func testRace(t *testing.T, s *suite) {
	const writers, rounds = 8, 20
	for round := range eventstore.Position(rounds) {
		errs := make([]error, writers)
		var all sync.WaitGroup
		for w := range errs {
			all.Go(func() {
				b := s.batch(round, round+1)
				b.Put[alice] = []byte(strconv.Itoa(w))
				errs[w] = s.Commit(s.ctx, b)
			})
		}
		all.Wait()
		winner := -1
		for w, err := range errs {
			if err == nil && winner >= 0 {
				t.Fatalf("%d and %d committed the same page", winner, w)
			}
			if err == nil {
				winner = w
				continue
			}
			outOfStep(t, err, readmodels.OutOfStepError{Scope: s.scope, Want: round, Have: round + 1})
		}
		equal(t, "document", s.get(t, alice), []string{strconv.Itoa(winner)})
	}
}

func testFence(t *testing.T, s *suite) {
	at := eventstore.Position(0)
	step := func(fence uint64) readmodels.Batch {
		b := s.batch(at, at+1)
		b.Fence = fence
		b.Put[alice] = fmt.Appendf(nil, "by %d", fence)
		return b
	}
	for _, c := range []struct{ fence, newer uint64 }{
		{fence: 9}, {fence: 9}, {fence: 10}, {fence: 9, newer: 10}, {fence: 0}, {fence: 9, newer: 10}, {fence: 100},
		{fence: 11, newer: 100}, {fence: 99, newer: 100}, {fence: math.MaxUint64 - 1}, {fence: math.MaxUint64 - 2, newer: math.MaxUint64 - 1},
		{fence: 1 << 63, newer: math.MaxUint64 - 1}, {fence: math.MaxUint64}, {fence: math.MaxUint64 - 1, newer: math.MaxUint64},
	} {
		before := s.get(t, alice)
		err := s.Commit(s.ctx, step(c.fence))
		if c.newer == 0 {
			if err != nil {
				t.Fatalf("commit with fence %d: %v", c.fence, err)
			}
			at++
			equal(t, "document", s.get(t, alice), []string{fmt.Sprintf("by %d", c.fence)})
			continue
		}
		fenced(t, err, readmodels.FencedError{Scope: s.scope, Fence: c.fence, Newer: c.newer})
		equal(t, "document", s.get(t, alice), before)
		equal(t, "position", s.position(t), at)
	}
	// Whoever has lost the lease learns that, rather than that its page is late.
	late := s.batch(at+5, at+6)
	late.Fence = 1
	fenced(t, s.Commit(s.ctx, late), readmodels.FencedError{Scope: s.scope, Fence: 1, Newer: math.MaxUint64})
}

func testLarge(t *testing.T, s *suite) {
	const documents = 10_000
	filler := bytes.Repeat([]byte("x"), 1_000)
	key := func(i int) readmodels.Key {
		return readmodels.Key{Plan: "acme", Collection: fmt.Sprintf("c%d", i%3), ID: strconv.Itoa(i)}
	}
	entry := func(i int) readmodels.Entry { return readmodels.Entry{Index: names, Value: fmt.Sprintf("%05d", i)} }
	b := s.batch(0, 1)
	keys := make([]readmodels.Key, documents)
	for i := range documents {
		keys[i] = key(i)
		b.Put[keys[i]] = append([]byte(strconv.Itoa(i)+" "), filler...)
		b.Add = append(b.Add, entry(i))
	}
	s.commit(t, b)
	for i, value := range s.get(t, keys...) {
		if want := string(b.Put[keys[i]]); value != want {
			t.Fatalf("document %d is %.20q", i, value)
		}
	}
	all := s.entries(t, names, readmodels.Range{})
	if len(all) != documents || all[0] != "00000" || all[documents-1] != "09999" {
		t.Fatalf("%d entries", len(all))
	}
	b = s.batch(1, 2)
	for i := range documents - 1 {
		b.Put[key(i)] = nil
		b.Remove = append(b.Remove, entry(i))
	}
	s.commit(t, b)
	equalTexts(t, "what is left", Lines(s.ctx, t, s.Store, s.scope), []string{
		`doc "acme" "c0" "9999" 9999 ` + string(filler), `entry "acme" "names" "09999"`})
}

func testPartitions(t *testing.T, s *suite) {
	first, err := s.Store.Partitions(t.Context(), 4)
	if err != nil || first.Check() != nil {
		t.Fatalf("%d partitions, %v", first, err)
	}
	for _, wanted := range []readmodels.Partitions{1, 8} {
		if n, err := s.Store.Partitions(t.Context(), wanted); err != nil || n != first {
			t.Errorf("%d partitions, %v; they were %d", n, err, first)
		}
	}
	for _, none := range []readmodels.Partitions{-1, 0, 3, 512} {
		if n, err := s.Store.Partitions(t.Context(), none); err == nil {
			t.Errorf("%d partitions are %d", none, n)
		}
	}
}
