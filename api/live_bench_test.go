package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rolewise/internal/redistest"
)

// BenchmarkStream measures from the answer to a command to the event at a client of another process than the one that
// took the command, over real connections and Redis. A pause between commands keeps events from being merged.
func BenchmarkStream(b *testing.B) {
	s := newStreaming(b, redistest.Start(b), 2)
	key := s.plan("acme", "enterprise")
	f := s.follow(1, "acme", key, "")
	f.next()
	var took []time.Duration
	for i := range b.N {
		begun := time.Now()
		s.command("acme", "create-team", key, fields{"name": fmt.Sprintf("Team %d", i)})
		f.until("list-teams")
		took = append(took, time.Since(begun))
		b.StopTimer()
		time.Sleep(110 * time.Millisecond)
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
