package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"rolewise/eventstore"
)

// TestCloseTidiesUp leaves no write-ahead log behind a store that was closed, whoever was reading.
func TestCloseTidiesUp(t *testing.T) {
	for i := range 20 {
		path := filepath.Join(t.TempDir(), "events.db")
		s := open(t, path, CheckpointAfter(1+i%5))
		ctx, stop := context.WithCancel(t.Context())
		for range 4 {
			go func() {
				for range s.Follow(ctx, 0, eventstore.Filter{Plan: "acme"}) {
				}
			}()
		}
		for n := range 70 {
			must(t, s, role(fmt.Sprint(n)), eventstore.NoStream, event(""))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		stop()
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("round %d: the write-ahead log is still there (%v)", i, err)
		}
	}
}
