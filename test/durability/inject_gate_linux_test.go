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
	for _, tt := range []struct {
		file, when string
		checkpoint int
	}{{"-wal", "8+", 1 << 20}, {".head", "8+", 1 << 20}, {"", "3+", 50}} {
		t.Run(storeName+tt.file, func(t *testing.T) {
			random, seed := seeded(t)
			for n := range cycles(1, 10) {
				files, beside := t.TempDir(), t.TempDir()
				d, err := newDisk(files, random)
				if err != nil {
					t.Fatal(err)
				}
				folder, unmount := mount(t, d)
				g := gate{disk: d, file: tt.file, when: tt.when, files: files, unmount: unmount, work: tenacious{
					Path: filepath.Join(folder, storeName), Ledger: filepath.Join(beside, "ledger"), Diary: filepath.Join(beside, "diary"),
					Load: usual(seed + uint64(n)), Checkpoint: tt.checkpoint, Halt: true,
				}}
				g.book = newBook(g.work.Ledger, g.work.Load)
				g.run(t, time.Duration(50+random.IntN(200))*time.Millisecond)
			}
		})
	}
}

// gate is a store on a disk of which the system believes that it wrote what it could not.
type gate struct {
	disk       *disk
	file, when string
	files      string // where what is on the platter goes
	unmount    func()
	work       tenacious
	book       *book
}

func (g *gate) run(t *testing.T, while time.Duration) {
	t.Helper()
	g.work.Next = g.book.next()
	c := launch(t, "injected", g.work, "strace", "-f", "-qq", "-o", os.DevNull, "-P", g.work.Path+g.file, "-e", "signal=none",
		"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when="+g.when)
	if !c.await(t, "halted") {
		c.log(t)
		t.Fatal("the store did not come to the fault")
	}
	c.tell("die")
	c.drain()
	g.disk.lose(storeName + g.file)
	if err := g.book.refresh(); err != nil {
		t.Fatal(err)
	}
	before, pending := g.book.count()
	g.work.Next = g.book.next()
	c = launch(t, "injected", g.work)
	if !c.await(t, "opened") {
		c.log(t)
		t.Fatal("the store did not open after a failed fsync and a kill")
	}
	pause(while)
	g.disk.fall()
	c.kill()
	g.unmount()
	if err := g.disk.freeze(g.files); err != nil {
		t.Fatal(err)
	}
	if err := g.book.refresh(); err != nil {
		t.Fatal(err)
	}
	f, err := checkFile(context.Background(), filepath.Join(g.files, storeName), g.work.Load, g.book)
	after, _ := g.book.count()
	t.Logf("%d appends acknowledged until an fsync failed, %d without an answer, %d acknowledged then until the power went: %s",
		before, pending, after-before, &f)
	if err != nil {
		t.Errorf("what is on the disk does not open: %v", err)
	} else if !f.clean() {
		t.Errorf("%s: %q", &f, f.complaints)
	}
}

// lose forgets what came to a file since its last fsync, though programs still see it.
func (d *disk) lose(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.live[name]; f != nil {
		f.changes = nil
	}
}
