package durability

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolewise/eventstore"
)

// history is what a store without faults has after each writer made some appends, and the ledger of it. The last
// append of each writer was begun only, and arrived for the even ones.
func history(t *testing.T, l load, each int) ([]eventstore.Recorded, *book) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	notes, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []eventstore.Recorded
	heads := map[eventstore.StreamID]eventstore.Revision{}
	for n := range each * l.Writers {
		writer, number := n%l.Writers, n/l.Writers
		b := l.batch(writer, number)
		expected := heads[b.stream] - 1
		if err := notes.begin(writer, number, expected); err != nil {
			t.Fatal(err)
		}
		pending := number == each-1
		if pending && writer%2 == 1 {
			continue
		}
		for _, e := range b.events {
			all = append(all, eventstore.Recorded{Event: e, Stream: b.stream, Revision: heads[b.stream], Position: eventstore.Position(len(all) + 1)})
			heads[b.stream]++
		}
		if pending {
			continue
		}
		if err := notes.acknowledge(writer, number, expected, eventstore.Position(len(all))); err != nil {
			t.Fatal(err)
		}
	}
	if err := notes.close(); err != nil {
		t.Fatal(err)
	}
	b := newBook(path, l)
	if err := b.refresh(); err != nil {
		t.Fatal(err)
	}
	return all, b
}

// renumber gives the events of a doctored history places without gaps, as a store would.
func renumber(all []eventstore.Recorded) []eventstore.Recorded {
	all = slices.Clone(all)
	heads := map[eventstore.StreamID]eventstore.Revision{}
	for i := range all {
		all[i].Position, all[i].Revision = eventstore.Position(i+1), heads[all[i].Stream]
		heads[all[i].Stream]++
	}
	return all
}

// TestCheck doctors a history and a ledger that fit, and demands that each fault is found for what it is.
func TestCheck(t *testing.T) {
	l := load{Seed: 1, Writers: 4, Streams: 5, Largest: 1000, Large: 10}
	const each = 50
	span := func(b *book, all []eventstore.Recorded, writer, number int) (from, to int) {
		to = int(b.appends[writer][number].Position)
		return to - len(l.batch(writer, number).events), to
	}
	several := 10
	for len(l.batch(1, several).events) < 3 {
		several++
	}
	tests := []struct {
		name   string
		doctor func(all []eventstore.Recorded, b *book) []eventstore.Recorded
		kind   func(findings) int
	}{
		{"the newest append is lost", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			b.appends[3][each-1] = entry{Begun: true, Acknowledged: true, Position: eventstore.Position(len(all) + 1)}
			return all
		}, func(f findings) int { return f.lost }},
		{"an append in the middle is lost", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			from, to := span(b, all, 2, 20)
			return renumber(slices.Delete(all, from, to))
		}, func(f findings) int { return f.lost }},
		{"the end of an append is lost", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			_, to := span(b, all, 1, several)
			return renumber(slices.Delete(all, to-1, to))
		}, func(f findings) int { return f.partial }},
		{"the beginning of an append is lost", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			from, _ := span(b, all, 1, several)
			return renumber(slices.Delete(all, from, from+1))
		}, func(f findings) int { return f.partial }},
		{"an append is there twice", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			from, to := span(b, all, 1, several)
			return renumber(append(all, all[from:to]...))
		}, func(f findings) int { return f.doubled }},
		{"an append with unknown outcome is there twice", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			return renumber(append(all, all[len(all)-1]))
		}, func(f findings) int { return f.doubled }},
		{"a position is missing", func(all []eventstore.Recorded, _ *book) []eventstore.Recorded {
			for i := range all[60:] {
				all[60+i].Position++
			}
			return all
		}, func(f findings) int { return f.wrong }},
		{"a revision is missing", func(all []eventstore.Recorded, _ *book) []eventstore.Recorded {
			all[len(all)-1].Revision++
			return all
		}, func(f findings) int { return f.wrong }},
		{"a byte is another", func(all []eventstore.Recorded, _ *book) []eventstore.Recorded {
			all[60].Metadata = slices.Clone(all[60].Metadata)
			all[60].Metadata[10] ^= 1
			return all
		}, func(f findings) int { return f.wrong }},
		{"the type is another", func(all []eventstore.Recorded, _ *book) []eventstore.Recorded {
			all[60].Type += "s"
			return all
		}, func(f findings) int { return f.wrong }},
		{"two appends changed places", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			_, to := span(b, all, 2, 20)
			all[to-1], all[to] = all[to], all[to-1]
			return renumber(all)
		}, func(f findings) int { return f.wrong }},
		{"an acknowledged position is another", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			b.appends[2][20].Position--
			return all
		}, func(f findings) int { return f.wrong }},
		{"an append is there that nobody made", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			b.appends[0] = b.appends[0][:each-1]
			return all
		}, func(f findings) int { return f.wrong }},
		{"an event is there that is of no load", func(all []eventstore.Recorded, b *book) []eventstore.Recorded {
			last := all[len(all)-1]
			last.Position, last.Revision, last.Data = last.Position+1, last.Revision+1, []byte("hello")
			return append(all, last)
		}, func(f findings) int { return f.wrong }},
	}
	judge := func(all []eventstore.Recorded, b *book) findings {
		c := newChecker(l)
		for i := range all {
			c.feed(&all[i])
		}
		return c.judge(b)
	}
	all, b := history(t, l, each)
	if f := judge(all, b); !f.clean() || f.events != len(all) || f.arrived != l.Writers/2 {
		t.Fatalf("a history without fault: %s, %d arrived: %q", &f, f.arrived, f.complaints)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, b := history(t, l, each)
			f := judge(tt.doctor(all, b), b)
			if tt.kind(f) == 0 {
				t.Errorf("%s: %q", &f, f.complaints)
			}
		})
	}
}

// TestLedger shows what a ledger is worth after a kill, and that a book does not take nonsense.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	const torn = "begin 0 0 -1\nacknowledged 0 0 -1 1\nbegin 1 0 4\nbegin 1 0 7\nbegin 0 1 0\nacknowledged 0 1"
	if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBook(path, load{Writers: 3})
	if err := b.refresh(); err != nil {
		t.Fatal(err)
	}
	want := []next{{1, entry{Begun: true}}, {0, entry{Begun: true, Expected: 7}}, {}}
	if got := b.next(); !slices.Equal(got, want) {
		t.Errorf("after a torn line: %+v, want %+v", got, want)
	}
	notes, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := notes.acknowledge(0, 1, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := notes.close(); err != nil {
		t.Fatal(err)
	}
	if err := b.refresh(); err != nil || b.next()[0] != (next{Number: 2}) {
		t.Errorf("after the note of another process: %+v, %v", b.next(), err)
	}
	for _, line := range []string{"", "begin 0 5 0", "begin 7 0 0", "acknowledged 0 2 0 3", "acknowledged 0 1 0 2", "acknowledged 1 0 8 2", "begin 0 0 0", "begin 0"} {
		t.Run(fmt.Sprintf("refuse %q", line), func(t *testing.T) {
			err := newBook(path, load{Writers: 3}).refresh()
			if err != nil {
				t.Fatal(err)
			}
			bad := newBook(path, load{Writers: 3})
			if err := bad.refresh(); err != nil {
				t.Fatal(err)
			}
			if err := bad.note([]byte(line)); err == nil || strings.Contains(err.Error(), "%!") {
				t.Errorf("taken, or told badly: %v", err)
			}
		})
	}
}
