package roleiq_test

import (
	"testing"

	"pgregory.net/rapid"

	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
)

func TestAdjust(t *testing.T) {
	type thresholds = skill.Thresholds
	tests := []struct {
		name    string
		from    thresholds
		percent int
		want    thresholds
	}{
		{"ROL-6 unchanged at 0 %", thresholds{100, 200, 250}, 0, thresholds{100, 200, 250}},
		{"ROL-6 ten percent up", thresholds{100, 200, 250}, 10, thresholds{110, 220, 275}},
		{"ROL-6 ten percent down", thresholds{100, 200, 250}, -10, thresholds{90, 180, 225}},
		{"ROL-6 up, just below a half rounds down", thresholds{4, 14, 24}, 10, thresholds{4, 15, 26}},    // 4.4, 15.4, 26.4
		{"ROL-6 up, a half rounds up", thresholds{5, 15, 25}, 10, thresholds{6, 17, 28}},                 // 5.5, 16.5, 27.5
		{"ROL-6 up, just above a half rounds up", thresholds{6, 16, 26}, 10, thresholds{7, 18, 29}},      // 6.6, 17.6, 28.6
		{"ROL-6 down, just below a half rounds down", thresholds{6, 16, 26}, -10, thresholds{5, 14, 23}}, // 5.4, 14.4, 23.4
		{"ROL-6 down, a half rounds up", thresholds{5, 15, 25}, -10, thresholds{5, 14, 23}},              // 4.5, 13.5, 22.5
		{"ROL-6 clamped at 300", thresholds{100, 200, 273}, 10, thresholds{110, 220, 300}},
		{"ROL-6 reaching 300 exactly", thresholds{100, 200, 272}, 10, thresholds{110, 220, 299}},
		{"ROL-6 two beyond 300 keep rising", thresholds{100, 290, 295}, 10, thresholds{110, 299, 300}},
		{"ROL-6 three beyond 300 keep rising", thresholds{280, 290, 300}, 10, thresholds{298, 299, 300}},
		{"ROL-6 the top of the scale at 0 %", thresholds{298, 299, 300}, 0, thresholds{298, 299, 300}},
		{"ROL-6 the bottom of the scale", thresholds{0, 1, 2}, -10, thresholds{0, 1, 2}},
		{"ROL-6 neighbours that meet are kept apart", thresholds{14, 15, 16}, -10, thresholds{13, 14, 15}}, // 12.6, 13.5, 14.4
		{"ROL-6 clamped at 0", thresholds{10, 20, 30}, -150, thresholds{0, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := roleiq.Adjust(tt.from, tt.percent); got != tt.want {
				t.Errorf("%v by %d %%: %v, want %v", tt.from, tt.percent, got, tt.want)
			}
		})
	}
}

func TestAdjustProperties(t *testing.T) {
	t.Run("ROL-6 always in 0 to 300 and strictly rising", rapid.MakeCheck(func(t *rapid.T) {
		from := drawThresholds(t)
		percent := rapid.OneOf(rapid.SampledFrom([]int{-10, 0, 10}), rapid.IntRange(-1000, 1000)).Draw(t, "percent")
		got := roleiq.Adjust(from, percent)
		if got[0] < 0 || got[2] > skill.MaxScore || got[0] >= got[1] || got[1] >= got[2] {
			t.Fatalf("%v by %d %%: %v", from, percent, got)
		}
	}))
	t.Run("ROL-6 0 % changes nothing", rapid.MakeCheck(func(t *rapid.T) {
		if from := drawThresholds(t); roleiq.Adjust(from, 0) != from {
			t.Fatalf("%v became %v", from, roleiq.Adjust(from, 0))
		}
	}))
	t.Run("ROL-6 up never lowers, down never raises", rapid.MakeCheck(func(t *rapid.T) {
		from := drawThresholds(t)
		up, down := roleiq.Adjust(from, 10), roleiq.Adjust(from, -10)
		for i := range from {
			if up[i] < from[i] || down[i] > from[i] {
				t.Fatalf("%v: up %v, down %v", from, up, down)
			}
		}
	}))
}

// drawThresholds draws what a benchmark may have: 0 to 300, strictly rising, often at the ends of the scale.
func drawThresholds(t *rapid.T) skill.Thresholds {
	low := rapid.IntRange(0, skill.MaxScore-2).Draw(t, "entry")
	mid := rapid.IntRange(low+1, skill.MaxScore-1).Draw(t, "mid")
	return skill.Thresholds{low, mid, rapid.IntRange(mid+1, skill.MaxScore).Draw(t, "senior")}
}
