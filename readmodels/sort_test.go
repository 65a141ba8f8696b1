package readmodels_test

import (
	"strings"
	"testing"

	"golang.org/x/text/cases"
	"pgregory.net/rapid"

	"rolewise/readmodels"
)

func TestShortID(t *testing.T) {
	digits := rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ids := rapid.OneOf(digits, rapid.SampledFrom(someTexts), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		if got := readmodels.LongID(readmodels.ShortID(a)); got != a {
			t.Errorf("%q comes back as %q", a, got)
		}
		if (a == b) != (readmodels.ShortID(a) == readmodels.ShortID(b)) {
			t.Errorf("%q and %q are one", a, b)
		}
		a, b = digits.Draw(t, "first"), digits.Draw(t, "second")
		if short := readmodels.ShortID(a); len(short) != 22 || strings.Compare(a, b) != strings.Compare(short, readmodels.ShortID(b)) {
			t.Errorf("%q is %q, out of order with %q", a, short, b)
		}
	})
}

// TestFoldASCII: the short way gives what the long one would.
func TestFoldASCII(t *testing.T) {
	for c := range byte(0x80) {
		if got, want := readmodels.Fold(string(rune(c))), cases.Fold().String(string(rune(c))); got != want {
			t.Errorf("%q is folded to %q, not %q", c, got, want)
		}
	}
}
