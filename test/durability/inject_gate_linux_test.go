package durability

import (
	"context"
	"math/rand/v2"
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
		runs       int
	}{{"-wal", "8+", 1 << 20, cycles(1, 10)}, {".head", "8+", 1 << 20, cycles(1, 10)}, {"", "3+", 50, cycles(0, 5)}} {
		t.Run(storeName+tt.file, func(t *testing.T) {
			random, seed := seeded(t)
			for n := range tt.runs {
				g := newGate(t, random, seed+uint64(n), tt.file, tt.when, tt.checkpoint)
				f, err := g.run(t, time.Duration(50+random.IntN(200))*time.Millisecond, nil)
				if err != nil {
					t.Errorf("what is on the disk does not open: %v", err)
				} else if !f.clean() {
					t.Errorf("%s: %q", &f, f.complaints)
				}
			}
		})
	}
}

// TestFailedSyncThenPowerLossIsNoticed lets the disk swallow what the store does after it was opened again. What was not
// flushed may reach the platter all the same, so that one power cut is not enough.
func TestFailedSyncThenPowerLossIsNoticed(t *testing.T) {
	needStrace(t)
	for range 20 {
		random, seed := seeded(t)
		g := newGate(t, random, seed, "-wal", "8+", 1<<20)
		if f, err := g.run(t, 100*time.Millisecond, func(name string) bool { return name == storeName+"-wal" }); err != nil || f.lost > 0 {
			t.Log(err)
			return
		}
	}
	t.Error("a disk that flushes nothing passes")
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

func newGate(t *testing.T, random *rand.Rand, seed uint64, file, when string, checkpoint int) *gate {
	t.Helper()
	files, beside := t.TempDir(), t.TempDir()
	d, err := newDisk(files, random)
	if err != nil {
		t.Fatal(err)
	}
	folder, unmount := mount(t, d)
	g := &gate{disk: d, file: file, when: when, files: files, unmount: unmount, work: tenacious{
		Path: filepath.Join(folder, storeName), Ledger: filepath.Join(beside, "ledger"), Diary: filepath.Join(beside, "diary"),
		Load: usual(seed), Checkpoint: checkpoint, Halt: true,
	}}
	g.book = newBook(g.work.Ledger, g.work.Load)
	return g
}

// run has an fsync of the file fail, kills the process, has another go on for a while, during which fsyncs of some files
// may do nothing, and cuts the power. An error says that the store found itself damaged.
func (g *gate) run(t *testing.T, while time.Duration, lies func(name string) bool) (f findings, err error) {
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
	g.disk.lose(storeName+g.file, lies)
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
	f, err = checkFile(context.Background(), filepath.Join(g.files, storeName), g.work.Load, g.book)
	after, _ := g.book.count()
	t.Logf("%d appends acknowledged until an fsync failed, %d without an answer, %d acknowledged then until the power went: %s",
		before, pending, after-before, &f)
	return f, err
}

// lose forgets what came to a file since its last fsync, though programs still see it, and may lie from now on.
func (d *disk) lose(name string, lies func(name string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lies = lies
	if f := d.live[name]; f != nil {
		f.changes = nil
	}
}
