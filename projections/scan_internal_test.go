package projections

import "testing"

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
