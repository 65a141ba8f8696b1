package durability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

const rotPage = 4096

// damage is what becomes of a file's content.
type damage struct {
	name string
	do   func(random *rand.Rand, content, earlier []byte) []byte
}

// page returns a page's bytes; the last one may be shorter.
func page(content []byte, n int) []byte {
	return content[min(n*rotPage, len(content)):min((n+1)*rotPage, len(content))]
}

func anyPage(random *rand.Rand, content []byte) int {
	return random.IntN((len(content) + rotPage - 1) / rotPage)
}

var damages = []damage{
	{"one bit is another", func(random *rand.Rand, content, _ []byte) []byte {
		content[random.IntN(len(content))] ^= 1 << random.IntN(8)
		return content
	}},
	{"some bits of a page are others", func(random *rand.Rand, content, _ []byte) []byte {
		p := page(content, anyPage(random, content))
		for range 1 + random.IntN(20) {
			p[random.IntN(len(p))] ^= 1 << random.IntN(8)
		}
		return content
	}},
	{"some bytes in a row are others", func(random *rand.Rand, content, _ []byte) []byte {
		from := random.IntN(len(content))
		for i := range content[from:min(from+1+random.IntN(64), len(content))] {
			content[from+i] = byte(random.Uint32())
		}
		return content
	}},
	{"a page is zeros", func(random *rand.Rand, content, _ []byte) []byte {
		clear(page(content, anyPage(random, content)))
		return content
	}},
	{"a sector is zeros", func(random *rand.Rand, content, _ []byte) []byte {
		at := random.IntN(len(content)) / sectorSize * sectorSize
		clear(content[at:min(at+sectorSize, len(content))])
		return content
	}},
	{"the end is missing", func(random *rand.Rand, content, _ []byte) []byte {
		return content[:random.IntN(len(content))]
	}},
	{"the last pages are missing", func(random *rand.Rand, content, _ []byte) []byte {
		return content[:anyPage(random, content)*rotPage]
	}},
	{"two pages have changed places", func(random *rand.Rand, content, _ []byte) []byte {
		p, q := page(content, anyPage(random, content)), page(content, anyPage(random, content))
		old := slices.Clone(p)
		copy(p, q)
		copy(q, old)
		return content
	}},
	{"a page stands in the place of another", func(random *rand.Rand, content, _ []byte) []byte {
		copy(page(content, anyPage(random, content)), page(content, anyPage(random, content)))
		return content
	}},
	{"a page is as it was before", func(random *rand.Rand, content, earlier []byte) []byte {
		n := anyPage(random, content)
		copy(page(content, n), page(earlier, n))
		return content
	}},
	{"the file is as it was before", func(_ *rand.Rand, _, earlier []byte) []byte { return earlier }},
	{"the file is empty", func(*rand.Rand, []byte, []byte) []byte { return nil }},
	{"the file is missing", nil},
}

// trial is one damage to one file of a store.
type trial struct {
	kept   *kept
	part   string
	damage damage
	files  map[string][]byte
}

func (r trial) String() string {
	return fmt.Sprintf("%s, %s: %s", r.kept.name, storeName+r.part, r.damage.name)
}

// rot chooses a trial. Those that change nothing, such as a page in its own place, are no trials.
func rot(random *rand.Rand, all []*kept) trial {
	for {
		r := trial{kept: all[random.IntN(len(all))], part: parts[random.IntN(len(parts))], damage: damages[random.IntN(len(damages))]}
		content, there := r.kept.files[r.part]
		if !there {
			continue
		}
		if len(r.files) == 0 {
			r.files = map[string][]byte{}
		}
		for part, other := range r.kept.files {
			r.files[part] = other
		}
		if r.damage.do == nil {
			delete(r.files, r.part)
			return r
		}
		r.files[r.part] = r.damage.do(random, slices.Clone(content), slices.Clone(r.kept.earlier[r.part]))
		if !slices.Equal(r.files[r.part], content) {
			return r
		}
	}
}

// TestBitRot damages the files of a store that nobody has open. Either the store says so, when it is opened, verified,
// read or appended to, or everything is as it was.
func TestBitRot(t *testing.T) {
	random, seed := seeded(t)
	all, path := keep(t, seed), filepath.Join(t.TempDir(), storeName)
	for _, k := range all {
		if err := layOut(path, k.files); err != nil {
			t.Fatal(err)
		}
		if outcome, what := k.inspect(t.Context(), path, true); outcome != harmless {
			t.Fatalf("%s, without damage: %s: %s", k.name, outcome, what)
		}
	}
	count := map[string]int{}
	for range cycles(60, 2000) {
		r := rot(random, all)
		outcome, what := r.inspect(t, path, true)
		count[outcome]++
		if outcome == silent {
			t.Errorf("%s: %s: %s", r, outcome, what)
		}
	}
	t.Logf("stores of %d events: %v", rotten(), count)
	if count[refusedIt] == 0 || count[verifiedIt] == 0 || count[harmless] == 0 {
		t.Error("the damages are of one kind only")
	}
}

func (r trial) inspect(t *testing.T, path string, verify bool) (outcome, what string) {
	t.Helper()
	if err := layOut(path, r.files); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, what = r.kept.inspect(ctx, path, verify)
	if ctx.Err() != nil {
		t.Errorf("%s: it hangs", r)
	}
	return outcome, what
}

// TestBitRotIsNoticed judges the same kinds of damage with a store that does not verify itself: some must stay silent,
// until something else is read.
func TestBitRotIsNoticed(t *testing.T) {
	random, seed := seeded(t)
	all, path := keep(t, seed), filepath.Join(t.TempDir(), storeName)
	const most = 300
	for n := range most {
		r := rot(random, all)
		if outcome, what := r.inspect(t, path, false); outcome == silent {
			t.Logf("found after %d trials: %s: %s", n+1, r, what)
			return
		}
	}
	t.Errorf("%d trials without verifying show nothing", most)
}
