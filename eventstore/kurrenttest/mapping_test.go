package kurrenttest

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

func TestPositionsAreInvertibleAndHaveGaps(t *testing.T) {
	gaps := map[uint64]bool{}
	for p := eventstore.Position(1); p < 5000; p++ {
		c := CommitPosition(p)
		gaps[CommitPosition(p+1)-c] = true
		for at := c; at < CommitPosition(p+1); at++ {
			got, exact := StorePosition(at)
			if got != p || exact != (at == c) {
				t.Fatalf("commit position %d (of %d) is %d, exact %t", at, p, got, exact)
			}
		}
		if s, ok := (system{every: 1}).behind(p, time.Time{}); !ok || s.commit <= c || s.commit >= CommitPosition(p+1) {
			t.Fatalf("the system event behind %d lies at %d", p, s.commit)
		}
	}
	if len(gaps) < 2 {
		t.Errorf("all gaps are %v", gaps)
	}
	for c := range CommitPosition(1) {
		if p, exact := StorePosition(c); p != 0 || exact {
			t.Fatalf("commit position %d is %d, exact %t", c, p, exact)
		}
	}
	largest := eventstore.Position(math.MaxInt64 / stride)
	if p, exact := StorePosition(CommitPosition(largest)); p != largest || !exact {
		t.Errorf("the largest position comes back as %d, %t", p, exact)
	}
}

func TestNamesAreMappedInjectively(t *testing.T) {
	texts := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune("ab-.$\x00\x01kurentdf 😀")), 1, 40, 1000),
		rapid.StringMatching(`(kurrentdb|role|\$ce)-(front|acme|a)\.[a-z\x00\x01]{1,4}`),
		rapid.String().Filter(func(s string) bool { return s != "" && len(s) < 400 }),
	)
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts.Draw(t, "a"), texts.Draw(t, "b")
		x, err := streamOf(a)
		if err != nil {
			t.Fatalf("%q: %v", a, err)
		}
		if err := x.Validate(); err != nil {
			t.Fatalf("%q became %q: %v", a, x, err)
		}
		if got := nameOf(x); got != a {
			t.Fatalf("%q became %q and came back as %q", a, x, got)
		}
		y, err := streamOf(b)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if a != b && x == y {
			t.Fatalf("%q and %q are both %q", a, b, x)
		}
		parsed, err := eventstore.ParseStreamID(a)
		if err == nil && parsed.Category != foreign && x != parsed {
			t.Fatalf("%q has the port's form, but became %q", a, x)
		}
	})
	for _, name := range []string{"", strings.Repeat("x", 1025), "\xff", strings.Repeat("\x00", 600)} {
		if stream, err := streamOf(name); err == nil {
			t.Errorf("%.20q became %q", name, stream)
		}
	}
}

func FuzzRetention(f *testing.F) {
	for _, seed := range []string{`{"$maxAge":1,"$maxCount":2,"$tb":3}`, `{"$maxAge":-1}`, `{"$maxAge":"x","$tb":1e400}`, `[]`, ``, `{"$maxCount":9223372036854775807,"$maxAge":9223372036854775807}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r := parseRetention(data); r.age < 0 || r.count < 0 || r.before < 0 {
			t.Errorf("%q is %+v", data, r)
		}
	})
}

// What was noted for an append that was refused does not stay in memory.
func TestRefusedAppendsAreForgotten(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b := newBackend(store, 0)
	propose := func(at eventstore.Revision) *proposal {
		return &proposal{name: "s", expected: at, events: []eventstore.Event{{ID: uuid.New(), Type: "A"}}, json: []bool{true}}
	}
	for at, want := range map[eventstore.Revision]int{7: 0, eventstore.NoStream: 1} {
		before := len(b.declared.of)
		if _, err := b.append(t.Context(), propose(at)); err != nil {
			t.Fatal(err)
		}
		if got := len(b.declared.of) - before; got != want {
			t.Errorf("an append at %d leaves %d notes, want %d", at, got, want)
		}
	}
}
