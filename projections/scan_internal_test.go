package projections

import (
	"testing"
	"time"

	"rolewise/readmodels"
)

// TestGivenUpInBetween gives up a partition whose worker has left one scan and is not in the next one yet.
func TestGivenUpInBetween(t *testing.T) {
	given := &worker{projector: &Projector{}}
	r := &Runner{parts: 1, running: t.Context(), scans: []*scan{{ended: true, cancel: func() {}}}}
	r.remove(t.Context(), []*worker{given})
	r.begin([]*worker{given}, 0)
	if len(r.scans) != 0 {
		t.Errorf("%d scans are left, of nobody", len(r.scans))
	}
}

// TestRateOfAllScans reads for one build in several scans, as after partitions were leased one after the other.
func TestRateOfAllScans(t *testing.T) {
	r := &Runner{}
	scanOf := func(rate int64, scopes ...readmodels.Scope) *scan {
		s := &scan{runner: r, slow: true, cancel: func() {}}
		for _, scope := range scopes {
			w := &worker{projector: &Projector{projection: &Projection{Scope: scope}}}
			w.rate.Store(rate)
			s.workers = append(s.workers, w)
		}
		r.scans = append(r.scans, s)
		return s
	}
	one := scanOf(100, readmodels.Roles.In(0), readmodels.Roles.In(1))
	two := scanOf(100, readmodels.Roles.In(2))
	other := scanOf(100, readmodels.Directory.In(2))
	any := scanOf(0, readmodels.Roles.In(3))
	any.slow = false
	t.Run("OPS-4 the rate of a build is that of all scans of a process together", func(t *testing.T) {
		for s, want := range map[*scan]time.Duration{one: 20 * time.Second, two: 20 * time.Second, other: 10 * time.Second, any: 0} {
			if got := s.pace(1000); got != want {
				t.Errorf("pace %v, want %v", got, want)
			}
		}
	})
	t.Run("OPS-4 a build at a rate goes on evenly, so that its speed is seen", func(t *testing.T) {
		for rate, want := range map[int64]int{0: catchUp, 1: 1, 100: 25, 1_000_000: catchUp} {
			if got := pageFor(scanOf(rate, readmodels.Progress.In(0)).workers); got != want {
				t.Errorf("at %d a second pages of %d, want %d", rate, got, want)
			}
		}
	})
	t.Run("OPS-4 a scan that has come to the end leaves its share to the others", func(t *testing.T) {
		two.slow = false
		if got := one.pace(1000); got != 10*time.Second {
			t.Errorf("pace %v", got)
		}
	})
}
