package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolewise/eventstore"
)

// TestLogEnd looks at a write-ahead log that starts over: what an earlier, longer round has left is not part of it.
func TestLogEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, CheckpointAfter(1<<20))
	end := func() (int64, int64) {
		t.Helper()
		f, err := os.Open(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		end, err := logEnd(f)
		if err != nil {
			t.Fatal(err)
		}
		return end, info.Size()
	}
	for i := range 20 {
		must(t, s, role("x"), eventstore.Revision(i-1), event(strings.Repeat("x", 10_000)))
	}
	long, size := end()
	if long != size {
		t.Fatalf("the log ends at %d of %d", long, size)
	}
	s.writer.moves.chores <- moveLog
	must(t, s, role("x"), 19, event("short"))
	short, same := end()
	pages, err := logPages(s.writer.moves.db)
	if err != nil {
		t.Fatal(err)
	}
	if want := logHead + pages*(frameHead+4096); same != size || short != want {
		t.Errorf("the log ends at %d of %d; its %d pages end at %d of %d", short, same, pages, want, size)
	}
}
