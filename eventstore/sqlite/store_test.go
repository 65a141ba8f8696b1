package sqlite

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string, options ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, options...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	contract := func(streams int, options ...Option) func(t *testing.T) {
		return func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) eventstore.Store {
				return open(t, filepath.Join(t.TempDir(), "events.db"), options...)
			}, storetest.Reopen(func(t *testing.T, s eventstore.Store) eventstore.Store {
				if err := s.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
				return open(t, s.(*Store).path, options...)
			}), storetest.Streams(streams))
		}
	}
	t.Run("as configured by default", contract(defaultStreams))
	t.Run("nothing from memory", contract(10_000, func(o *options) { o.recent = 0 }))
	t.Run("indexes at once", contract(10_000, indexAfter(1), func(o *options) { o.recent = 0 }))
	t.Run("indexes after a few events", contract(10_000, indexAfter(7), func(o *options) { o.recent = 0 }))
	t.Run("one reader, small pages, eager checkpoints", contract(10_000, Readers(1), PageSize(3), CheckpointAfter(1)))
}

// forget empties the memory of recent events, so that followers read the database.
func forget(s *Store) {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	s.tail.recent, s.tail.bytes, s.tail.floor = nil, 0, s.tail.head
}

// indexAfter sets after how many events the indexes are written.
func indexAfter(events int) Option { return func(o *options) { o.run = events } }
