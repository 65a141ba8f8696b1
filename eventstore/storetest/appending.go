package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

func appendAndRead(t *testing.T, s *session) {
	if got := s.read(t, s.stream("none"), 0); len(got) != 0 {
		t.Fatalf("a stream that never was has %d events", len(got))
	}
	want := []eventstore.Event{
		event("A", `{"name":"Ünïcödé \u0000"}`),
		event("B", "\x00\xff binary \x80"),
		event("A", ""),
	}
	first := s.must(t, s.stream("x"), eventstore.NoStream, want[0])
	last := s.must(t, s.stream("x"), 0, want[1:]...)
	if last <= first {
		t.Fatalf("positions %s, %s do not grow", first, last)
	}
	got := s.read(t, s.stream("x"), 0)
	same(t, got, want)
	if got[0].Position != first || got[2].Position != last {
		t.Errorf("positions %s and %s, appended at %s and %s", got[0].Position, got[2].Position, first, last)
	}
	same(t, s.read(t, s.stream("x"), 1), want[1:])
	same(t, s.read(t, s.stream("x"), 3), nil)
	same(t, s.read(t, s.stream("x"), 1000), nil)
	same(t, s.read(t, s.stream("y"), 0), nil)
	for e, err := range s.Read(s.ctx, s.stream("x"), 0) { // stops without trouble
		if err != nil || e.Revision != 0 {
			t.Fatalf("first event: %v, %v", e.Revision, err)
		}
		break
	}
}

func optimisticConcurrency(t *testing.T, s *session) {
	id := s.stream("x")
	_, err := s.Append(s.ctx, id, 0, event("A", ""))
	conflict(t, err, 0, eventstore.NoStream)
	s.must(t, id, eventstore.NoStream, events(3)...)
	for _, expected := range []eventstore.Revision{eventstore.NoStream, 0, 1, 3, 1 << 40} {
		_, err := s.Append(s.ctx, id, expected, event("A", ""))
		conflict(t, err, expected, 2)
	}
	s.must(t, id, 2, event("A", ""))
	if n := len(s.read(t, id, 0)); n != 4 {
		t.Fatalf("stream has %d events, want 4", n)
	}
}

func oneWinner(t *testing.T, s *session) {
	const rivals, rounds = 16, 20
	id := s.stream("contested")
	for round := range rounds {
		expected := eventstore.Revision(round - 1)
		errs := make([]error, rivals)
		var group sync.WaitGroup
		for i := range rivals {
			group.Go(func() { _, errs[i] = s.Append(s.ctx, id, expected, event("A", fmt.Sprint(i))) })
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			conflict(t, err, expected, expected+1)
		}
		if won != 1 {
			t.Fatalf("round %d has %d winners", round, won)
		}
	}
	if n := len(s.read(t, id, 0)); n != rounds {
		t.Fatalf("stream has %d events, want %d", n, rounds)
	}
}

func atomicAppend(t *testing.T, s *session) {
	after := s.head(t)
	const writers, each = 8, 25
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				batch := []eventstore.Event{event("A", ""), event("B", ""), event("C", "")}
				_, err := s.Append(s.ctx, s.stream(fmt.Sprint(w)), eventstore.Revision(3*i-1), batch...)
				if err != nil {
					t.Errorf("append: %v", err)
				}
				// A refused append of several leaves none of them.
				_, err = s.Append(s.ctx, s.stream(fmt.Sprint(w)), eventstore.Revision(3*i), batch[1], event("X", ""))
				if err == nil {
					t.Error("an append at a wrong revision was taken")
				}
			}
		})
	}
	group.Wait()
	all := s.history(t, after, eventstore.Filter{})
	if len(all) != writers*each*3 {
		t.Fatalf("log has %d events, want %d", len(all), writers*each*3)
	}
	for i := 0; i < len(all); i += 3 {
		if all[i].Type+all[i+1].Type+all[i+2].Type != "ABC" || all[i].Stream != all[i+2].Stream {
			t.Fatalf("events of one append are torn apart at %s", all[i].Position)
		}
	}
}

func repeatedAppend(t *testing.T, s *session) {
	id := s.stream("x")
	one, several := event("A", "1"), events(3)
	first := s.must(t, id, eventstore.NoStream, one)
	second := s.must(t, id, 0, several...)
	check := func() {
		t.Helper()
		if p := s.must(t, id, eventstore.NoStream, one); p != first {
			t.Errorf("repeat of the first returned %s, not %s", p, first)
		}
		if p := s.must(t, id, 0, several...); p != second {
			t.Errorf("repeat of the second returned %s, not %s", p, second)
		}
	}
	check()
	s.must(t, s.stream("other"), eventstore.NoStream, events(2)...)
	s.must(t, id, 3, event("B", "later"))
	check()
	if n := len(s.read(t, id, 0)); n != 5 {
		t.Errorf("stream has %d events, want 5", n)
	}
}

func repeatedAtOnce(t *testing.T, s *session) {
	for round := range 10 {
		id, batch := s.stream(fmt.Sprint(round)), events(2)
		positions := make([]eventstore.Position, 16)
		var group sync.WaitGroup
		for i := range positions {
			group.Go(func() {
				var err error
				if positions[i], err = s.Append(s.ctx, id, eventstore.NoStream, batch...); err != nil {
					t.Errorf("append: %v", err)
				}
			})
		}
		group.Wait()
		if slices.Min(positions) != slices.Max(positions) {
			t.Errorf("the same append returned %v", positions)
		}
		same(t, s.read(t, id, 0), batch)
	}
}

func partlyMatching(t *testing.T, s *session) {
	after := s.head(t)
	id, batch := s.stream("x"), events(3)
	s.must(t, id, eventstore.NoStream, batch...)
	for name, try := range map[string]struct {
		expected eventstore.Revision
		events   []eventstore.Event
	}{
		"another first":           {eventstore.NoStream, []eventstore.Event{event("A", ""), batch[1], batch[2]}},
		"another in the middle":   {eventstore.NoStream, []eventstore.Event{batch[0], event("A", ""), batch[2]}},
		"another last":            {eventstore.NoStream, []eventstore.Event{batch[0], batch[1], event("A", "")}},
		"another order":           {eventstore.NoStream, []eventstore.Event{batch[1], batch[0], batch[2]}},
		"the last two swapped":    {eventstore.NoStream, []eventstore.Event{batch[0], batch[2], batch[1]}},
		"longer":                  {eventstore.NoStream, []eventstore.Event{batch[0], batch[1], batch[2], event("A", "")}},
		"one longer before it":    {eventstore.NoStream, []eventstore.Event{event("A", ""), batch[0], batch[1], batch[2]}},
		"one left out":            {eventstore.NoStream, []eventstore.Event{batch[0], batch[2]}},
		"one that is there":       {eventstore.NoStream, []eventstore.Event{batch[2]}},
		"the rest at the start":   {eventstore.NoStream, []eventstore.Event{batch[1], batch[2]}},
		"all of it one later":     {0, batch},
		"all of it two later":     {1, batch},
		"the first one later":     {0, batch[:1]},
		"beyond the end":          {0, []eventstore.Event{batch[1], batch[2], event("A", "")}},
		"the last, then another":  {1, []eventstore.Event{batch[2], event("A", "")}},
		"nothing of it":           {eventstore.NoStream, events(3)},
		"the same but for its id": {eventstore.NoStream, []eventstore.Event{batch[0], batch[1], {ID: uuid.New(), Type: batch[2].Type, Data: batch[2].Data, Metadata: batch[2].Metadata}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Append(s.ctx, id, try.expected, try.events...)
			conflict(t, err, try.expected, 2)
		})
	}
	all := s.read(t, id, 0)
	// Whether a part of an append that is all there counts as a repeat is left to the store; nothing is appended by it.
	for name, try := range map[string][2]int{"its beginning": {0, 2}, "its middle": {1, 2}, "its end": {1, 3}} {
		t.Run(name, func(t *testing.T) {
			p, err := s.Append(s.ctx, id, eventstore.Revision(try[0]-1), batch[try[0]:try[1]]...)
			if err != nil {
				conflict(t, err, eventstore.Revision(try[0]-1), 2)
			} else if want := all[try[1]-1].Position; p != want {
				t.Errorf("returned %s, the last of them is at %s", p, want)
			}
		})
	}
	if n := len(s.history(t, after, eventstore.Filter{Plan: s.plan})); n != 3 {
		t.Errorf("log has %d events, want 3", n)
	}
	same(t, s.read(t, id, 0), batch)
	// The same ids elsewhere are another append.
	s.must(t, s.stream("y"), eventstore.NoStream, batch...)
}

func invalidAppends(t *testing.T, s *session) {
	after := s.head(t)
	good := event("A", "")
	for name, try := range map[string]struct {
		expected eventstore.Revision
		events   []eventstore.Event
	}{
		"no event":                {eventstore.NoStream, nil},
		"no type":                 {eventstore.NoStream, []eventstore.Event{{ID: uuid.New()}}},
		"no id":                   {eventstore.NoStream, []eventstore.Event{{Type: "A"}}},
		"an id twice":             {eventstore.NoStream, []eventstore.Event{good, good}},
		"a revision that is none": {-2, []eventstore.Event{good}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Append(s.ctx, s.stream("x"), try.expected, try.events...)
			var invalid *eventstore.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an InvalidError", err)
			}
		})
	}
	if all := s.history(t, after, eventstore.Filter{}); len(all) != 0 {
		t.Errorf("%d events were appended", len(all))
	}
}

func sizes(t *testing.T, s *session) {
	id, expected := s.stream("x"), eventstore.NoStream
	content := bytes.Repeat([]byte("0123456789abcdef"), eventstore.MaxAppend/16+1)
	for _, size := range []int{0, 1, 127, 4095, 4096, 65536, eventstore.MaxAppend / 2, eventstore.MaxAppend - 3} {
		e := eventstore.Event{ID: uuid.New(), Type: "A", Data: content[:size], Metadata: []byte("{}")}
		s.must(t, id, expected, e)
		expected++
		same(t, s.read(t, id, expected), []eventstore.Event{e})
	}
	for name, e := range map[string]eventstore.Event{
		"no data":          {ID: uuid.New(), Type: "A", Metadata: []byte("{}")},
		"the least type":   {ID: uuid.New(), Type: "a", Data: []byte{0}, Metadata: []byte("{}")},
		"the longest type": {ID: uuid.New(), Type: strings.Repeat("T", eventstore.MaxType), Metadata: []byte("{}")},
	} {
		t.Run(name, func(t *testing.T) {
			s.must(t, s.stream(name), eventstore.NoStream, e)
			same(t, s.read(t, s.stream(name), 0), []eventstore.Event{e})
		})
	}
	e := event("A", "")
	half := eventstore.MaxAppend/2 - len(e.Type) - len(e.Metadata)
	for name, batch := range map[string][]eventstore.Event{
		"data":     {{ID: uuid.New(), Type: "A", Data: content[:eventstore.MaxAppend]}},
		"metadata": {{ID: uuid.New(), Type: "A", Metadata: content[:eventstore.MaxAppend]}},
		"together": {event("A", string(content[:half])), event("A", string(content[:half+1]))},
	} {
		t.Run("too large by "+name, func(t *testing.T) {
			_, err := s.Append(s.ctx, id, expected, batch...)
			var large *eventstore.TooLargeError
			if !errors.As(err, &large) || large.Size != eventstore.MaxAppend+1 {
				t.Fatalf("got %v, want a TooLargeError of %d", err, eventstore.MaxAppend+1)
			}
		})
	}
	s.must(t, id, expected, event("A", string(content[:half])), event("A", string(content[:half])))
}

func hostileIDs(t *testing.T, s *session) {
	good := []string{
		"a", ".", "-", "..", "-.", "a.b-c.d", "role-other.x", "'; DROP TABLE events; --", "%", "_", "*", "?", "\\", "/../x",
		"\n", " ", " a", "a ", "\t", "日本語", "🙂", "e\u0301", "é", "A", "\u202e", "$ce-x", "@1", strings.Repeat("x", 1024),
		strings.Repeat("é", 512), `"`, "`", "[a]", "{a}", "\x7f", "\u0080", "\U0010ffff",
		"a.b", "a.b-", "aa", "aaa", "a%", "a_", "$$x", "$$$all", "$all", "$streams", "@@x", "$et-A", "plan", "role", "role-" + s.plan + ".a",
		"\u05d0\u05d1", "\u0627\u200f\u0644", "\u2066a\u2069", "a\u0301\u0323", "a\u0323\u0301", "\ufb01", "fi", "ß", "SS", "ı", "İ", "\ufeff", "\ufffd",
		"\u200b", "\r\n", "a\rb", "\x1b[31m", "%00", "%2e", "+", "&", "#", "a/b", "a//b", "a:b", "a\\b", strings.Repeat("x", 1023),
		strings.Repeat("\u0301", 512), strings.Repeat("🙂", 256),
	}
	for c := rune(1); c < ' '; c++ {
		good = append(good, "control"+string(c))
	}
	after := s.head(t)
	for i, text := range good {
		s.must(t, s.stream(text), eventstore.NoStream, event("A", fmt.Sprint(i)))
	}
	for i, text := range good {
		got := s.read(t, s.stream(text), 0)
		if len(got) != 1 || string(got[0].Data) != fmt.Sprint(i) {
			t.Errorf("stream id %.40q: got %d events", text, len(got))
		}
	}
	for i, e := range s.history(t, after, eventstore.Filter{}) {
		if e.Stream != s.stream(good[i]) {
			t.Errorf("followed %.40q, want %.40q", e.Stream.ID, good[i])
		}
	}
	for _, text := range good { // a prefix is text, not a pattern
		filter := eventstore.Filter{Plan: s.plan, Prefixes: []string{s.stream(text).String()}}
		var want []string
		for _, other := range good {
			if strings.HasPrefix(other, text) {
				want = append(want, other)
			}
		}
		var got []string
		for _, e := range s.history(t, after, filter) {
			got = append(got, e.Stream.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with the prefix %.40q came %.200q, want %.200q", text, got, want)
		}
	}
	bad := []eventstore.StreamID{
		s.stream(""), s.stream(strings.Repeat("x", 1025)), s.stream("a\x00b"), s.stream("\xff"),
		{Category: "", Plan: s.plan, ID: "x"}, {Category: "Role", Plan: s.plan, ID: "x"}, {Category: "role-x", Plan: s.plan, ID: "x"},
		{Category: "role", Plan: "", ID: "x"}, {Category: "role", Plan: "a.b", ID: "x"}, {Category: "role", Plan: "ABC", ID: "x"},
	}
	for _, id := range bad {
		var invalid *eventstore.InvalidError
		if _, err := s.Append(s.ctx, id, eventstore.NoStream, event("A", "")); !errors.As(err, &invalid) {
			t.Errorf("append to %.40q: got %v, want an InvalidError", id, err)
		}
		for _, err := range s.Read(s.ctx, id, 0) {
			if !errors.As(err, &invalid) {
				t.Errorf("read %.40q: got %v, want an InvalidError", id, err)
			}
		}
	}
}

// callersBytes proves that the store keeps none of the caller's slices.
func callersBytes(t *testing.T, s *session) {
	after := s.head(t)
	data, metadata := []byte("as appended"), []byte(`{"plan":"contract"}`)
	e := eventstore.Event{ID: uuid.New(), Type: "A", Data: data, Metadata: metadata}
	s.must(t, s.stream("x"), eventstore.NoStream, e)
	want := eventstore.Event{ID: e.ID, Type: "A", Data: []byte("as appended"), Metadata: []byte(`{"plan":"contract"}`)}
	clear(data)
	clear(metadata)
	same(t, s.history(t, after, eventstore.Filter{}), []eventstore.Event{want})
	same(t, s.read(t, s.stream("x"), 0), []eventstore.Event{want})
}

func manyStreams(t *testing.T, s *session) {
	after := s.head(t)
	streams, writers := s.suite.streams, 64
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w; i < streams; i += writers {
				for revision := range 2 {
					_, err := s.Append(s.ctx, s.stream(fmt.Sprint(i)), eventstore.Revision(revision-1), event("A", fmt.Sprint(i)))
					if err != nil {
						t.Errorf("append: %v", err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	next := map[eventstore.StreamID]eventstore.Revision{}
	for _, e := range s.history(t, after, eventstore.Filter{}) {
		if e.Revision != next[e.Stream] || string(e.Data) != e.Stream.ID {
			t.Fatalf("%s at revision %d holds %q", e.Stream, e.Revision, e.Data)
		}
		next[e.Stream]++
	}
	if len(next) != streams {
		t.Fatalf("log has %d streams, want %d", len(next), streams)
	}
	for i := 0; i < streams; i += streams / 100 {
		if got := s.read(t, s.stream(fmt.Sprint(i)), 0); len(got) != 2 {
			t.Fatalf("stream %d has %d events, want 2", i, len(got))
		}
	}
}
