package sqlite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// benchEvent has about 400 bytes of data and metadata.
func benchEvent() eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "SkillIQMeasured",
		Data: bytes.Repeat([]byte("d"), 250), Metadata: bytes.Repeat([]byte("m"), 150)}
}

// benchStreams is how many streams the writers spread over.
const benchStreams = 400_000

func benchStream(i int) eventstore.StreamID {
	return eventstore.StreamID{Category: "results", Plan: fmt.Sprintf("plan-%d", i%50), ID: fmt.Sprintf("0190a1b2-c3d4-7e5f-8a6b-%012d", i)}
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "events.db"))
			begin(b, s)
			commits := s.writer.commits
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					// Each writer has streams of its own, so that what is measured is the store and not conflicts.
					heads := make([]eventstore.Revision, benchStreams/writers)
					random := rand.New(rand.NewPCG(1, uint64(w)))
					for left.Add(-1) >= 0 {
						i := random.IntN(len(heads))
						_, err := s.Append(b.Context(), benchStream(i*writers+w), heads[i], benchEvent())
						if err != nil {
							b.Error(err)
							return
						}
						heads[i]++
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(max(1, s.writer.commits-commits)), "events/commit")
		})
	}
}

// begin gives each stream its first event.
func begin(b *testing.B, s *Store) {
	var group sync.WaitGroup
	for w := range 1024 {
		group.Go(func() {
			for i := w; i < benchStreams; i += 1024 {
				if _, err := s.Append(b.Context(), benchStream(i), eventstore.NoStream, benchEvent()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// fill appends events in large batches.
func fill(b *testing.B, s *Store, total int) {
	heads := make([]eventstore.Revision, benchStreams)
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(w)))
			for range total / 16 / 4 {
				i := random.IntN(benchStreams/16)*16 + w
				_, err := s.Append(b.Context(), benchStream(i), heads[i]-1, benchEvent(), benchEvent(), benchEvent(), benchEvent())
				if err != nil {
					b.Error(err)
					return
				}
				heads[i] += 4
			}
		})
	}
	group.Wait()
}

func BenchmarkFollow(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "events.db"))
	fill(b, s, 320_000)
	forget(s)
	for name, filter := range map[string]eventstore.Filter{
		"all": {}, "plan": {Plan: "plan-7"}, "pages of 4096": {PageSize: 4096}, "no match": {Types: []string{"Unknown", "X"}, Prefixes: []string{"y"}},
	} {
		b.Run(name, func(b *testing.B) {
			events := 0
			for b.Loop() {
				for page, err := range s.Follow(b.Context(), 0, filter) {
					if err != nil {
						b.Fatal(err)
					}
					events += len(page.Events)
					if page.Live {
						break
					}
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "events.db"))
	fill(b, s, 320_000)
	random := rand.New(rand.NewPCG(3, 3))
	for b.Loop() {
		for _, err := range s.Read(b.Context(), benchStream(random.IntN(benchStreams)), 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "events.db"))
	begin(b, s)
	events := int64(0)
	for b.Loop() {
		v, err := s.Verify(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		events += v.Events
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
