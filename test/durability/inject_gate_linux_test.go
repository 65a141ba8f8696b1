package durability

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFailedSyncThenPowerLoss is about what a system does after an fsync that failed: it takes the pages for written and
// shows them to whoever reads the file, though they never came to the disk. A store that is killed then finds a commit
// in its write-ahead log that no later fsync will bring out. When it acknowledges that commit, and the power goes, the
// commit must still be there.
func TestFailedSyncThenPowerLoss(t *testing.T) {
	needStrace(t)
	random, seed := seeded(t)
	for n := range cycles(1, 20) {
		beside, files := t.TempDir(), t.TempDir()
		w := tenacious{Ledger: filepath.Join(beside, "ledger"), Diary: filepath.Join(beside, "diary"), Load: usual(seed + uint64(n)), Checkpoint: 1 << 20, Halt: true}
		b := newBook(w.Ledger, w.Load)
		d, err := newDisk(files, random)
		if err != nil {
			t.Fatal(err)
		}
		folder, unmount := mount(t, d)
		w.Path, w.Next = filepath.Join(folder, storeName), b.next()
		c := launch(t, "injected", w, "strace", "-f", "-qq", "-o", os.DevNull, "-P", w.Path+"-wal", "-e", "signal=none",
			"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=8+")
		if !c.await(t, "halted") {
			c.log(t)
			t.Fatal("the store did not come to the fault")
		}
		c.tell("die")
		c.drain()
		lose(d, storeName+"-wal")
		if err := b.refresh(); err != nil {
			t.Fatal(err)
		}
		_, pending := b.count()
		w.Next = b.next()
		c = launch(t, "injected", w)
		if !c.await(t, "opened") {
			c.log(t)
			t.Fatal("the store did not open after a failed fsync and a kill")
		}
		pause(time.Duration(50+random.IntN(200)) * time.Millisecond)
		d.fall()
		c.kill()
		unmount()
		if err := d.freeze(files); err != nil {
			t.Fatal(err)
		}
		if err := b.refresh(); err != nil {
			t.Fatal(err)
		}
		f, err := checkFile(context.Background(), filepath.Join(files, storeName), w.Load, b)
		acknowledged, _ := b.count()
		t.Logf("%d appends without an answer after the failed fsync, %d acknowledged until the power went: %s", pending, acknowledged, &f)
		if err != nil {
			t.Errorf("what is on the disk does not open: %v", err)
		} else if !f.clean() {
			t.Errorf("%s: %q", &f, f.complaints)
		}
	}
}

// lose makes a disk forget what came to a file since its last fsync, though programs still see it.
func lose(d *disk, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.live[name]; f != nil {
		f.changes = nil
	}
}
