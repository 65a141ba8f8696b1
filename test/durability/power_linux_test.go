package durability

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// power is a store under load on a disk that loses its power, again and again.
type power struct {
	random *rand.Rand
	folder string // where the store lies between two cuts
	work   work
	book   *book
	lies   func(name string) bool
	later  bool            // the disk lies once the store is open only
	ready  <-chan struct{} // what the cut waits for, beside the time; nil: nothing

	phase                   int // of the next cut: 0 the opening, 1 the close, else under load; -1: any
	opening, closing, syncs int
	when                    string // of the last cut
}

func newPower(t *testing.T, random *rand.Rand, seed uint64) *power {
	t.Helper()
	l := usual(seed)
	p := &power{random: random, folder: t.TempDir(), work: work{
		Ledger: filepath.Join(t.TempDir(), "ledger"), Load: l, Checkpoint: 100,
	}}
	p.phase, p.book = -1, newBook(p.work.Ledger, l)
	return p
}

// cut lets the crew work on the disk, cuts its power, and lays what is on the platter into the folder.
func (p *power) cut(t *testing.T, while time.Duration) {
	t.Helper()
	d, err := newDisk(p.folder, p.random)
	if err != nil {
		t.Fatal(err)
	}
	d.fileSyncsName = p.random.IntN(2) == 0
	if !p.later {
		d.lie(p.lies)
	}
	folder, unmount := mount(t, d)
	if err := p.book.refresh(); err != nil {
		t.Fatal(err)
	}
	p.work.Path, p.work.Next = filepath.Join(folder, storeName), p.book.next()
	phase := p.phase
	if phase < 0 {
		phase = p.random.IntN(6)
	}
	when, first := moment{calls: p.random.IntN(40), late: p.random.IntN(2) == 0}, 6
	if phase == 0 {
		when.calls, first = p.random.IntN(120), 16
	}
	if p.random.IntN(2) == 0 {
		when.calls, when.syncs = p.random.IntN(first), true
	}
	p.when = "under load"
	if phase == 0 {
		p.opening++
		p.when = "during the opening"
		d.arm(when)
	}
	run := launch(t, "writers", p.work)
	if phase != 0 {
		if !run.await(t, "opened") {
			run.log(t)
			t.Fatal("the store did not open on the disk")
		}
		d.lie(p.lies)
		pause(while)
		if p.ready != nil {
			select {
			case <-p.ready:
			case <-time.After(patience):
				t.Error("what the cut waits for does not come")
			}
		}
		if phase == 1 {
			p.closing++
			p.when = "during the close"
			run.tell("close")
		}
		d.arm(when)
	}
	p.fall(t, d, run)
	unmount()
	p.when += fmt.Sprintf(", %+v, a file's fsync brings its name out: %t", when, d.fileSyncsName)
	p.syncs += d.syncs
	if err := d.freeze(p.folder); err != nil {
		t.Fatal(err)
	}
	if err := p.book.refresh(); err != nil {
		t.Fatal(err)
	}
}

// fall waits for the cut and for the end of the writers, which find that nothing can be written any more. If they were
// through before it, the power goes then.
func (p *power) fall(t *testing.T, d *disk, run *child) {
	t.Helper()
	select {
	case <-d.gone:
	case <-run.ended:
		d.fall()
	case <-time.After(patience):
		t.Error("the store did not write anything")
		d.fall()
	}
	impatient := time.AfterFunc(patience, func() { _ = run.command.Process.Kill() })
	run.drain()
	if !impatient.Stop() {
		t.Errorf("the store hangs on a disk without power")
	}
	text := run.errors.String()
	for _, fault := range []string{"panic:", "DATA RACE", "fatal error", "goroutine "} {
		if strings.Contains(text, fault) {
			t.Errorf("a disk without power brought the store down:\n%s", text[:min(len(text), 8000)])
			return
		}
	}
}

// check opens what is left and reads it. An error is the store's: it found by itself that something is damaged.
func (p *power) check(t *testing.T) (findings, error) {
	t.Helper()
	return checkFile(t.Context(), filepath.Join(p.folder, storeName), p.work.Load, p.book)
}

// TestPowerLoss cuts the power of the disk on which a store lies, under 16 writers. What is then on the platter must
// open, and must have everything that was acknowledged.
func TestPowerLoss(t *testing.T) {
	random, seed := seeded(t)
	p := newPower(t, random, seed)
	arrived, f := 0, findings{}
	for n := range cycles(5, 100) {
		keep := copyFolder(t, p.folder)
		p.cut(t, time.Duration(20+random.IntN(cycles(100, 400)))*time.Millisecond)
		left := copyFolder(t, p.folder)
		var err error
		if f, err = p.check(t); err != nil {
			t.Fatalf("cut %d, %s: the store does not open: %v\nbefore: %s\nafter: %s", n, p.when, err, keep, left)
		}
		if !f.clean() {
			t.Logf("cut %d, %s\nbefore: %s\nafter: %s", n, p.when, keep, left)
		}
		wantClean(t, f)
		arrived += f.arrived
	}
	acknowledged, _ := p.book.count()
	t.Logf("%d cuts, %d of them during an opening, %d during a close: %s; %d appends acknowledged in %d fsyncs, %d arrived without",
		cycles(5, 100), p.opening, p.closing, &f, acknowledged, p.syncs, arrived)
	if acknowledged < cycles(5, 100) {
		t.Error("there was hardly any load")
	}
}

// TestPowerLossAtCreation cuts the power while a store is made, or soon after. It must open all the same.
func TestPowerLossAtCreation(t *testing.T) {
	random, seed := seeded(t)
	acknowledged, arrived := 0, 0
	for n := range cycles(10, 100) {
		p := newPower(t, random, seed)
		p.phase = 0
		p.cut(t, 0)
		f, err := p.check(t)
		if err != nil {
			t.Fatalf("cut %d, %s: the store does not open: %v", n, p.when, err)
		}
		wantClean(t, f)
		count, _ := p.book.count()
		acknowledged, arrived = acknowledged+count, arrived+f.arrived
	}
	t.Logf("%d stores; %d appends acknowledged before the cut, %d arrived without", cycles(10, 100), acknowledged, arrived)
}

// TestPowerLossIsNoticed cuts the power under a store that does not wait for the disk, and of disks that do not keep
// their word about an fsync. The loss must show: the store does not open, or the checker misses something.
func TestPowerLossIsNoticed(t *testing.T) {
	database := func(name string) bool { return name == storeName }
	tests := map[string]func(p *power){
		"synchronous is normal":             func(p *power) { p.work.Normal = true },
		"no fsync is real":                  func(p *power) { p.lies = func(string) bool { return true } },
		"the write-ahead log is not synced": func(p *power) { p.lies = func(name string) bool { return strings.HasSuffix(name, "-wal") } },
		"the database is not synced":        func(p *power) { p.lies = database },
		"checkpoints are not synced": func(p *power) {
			p.lies, p.ready = counted(2, database)
			p.later = true
		},
		"names are not synced": func(p *power) { p.lies = func(name string) bool { return name == "." } },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			random, seed := seeded(t)
			const most = 50
			for n := range most {
				p := newPower(t, random, seed)
				spoil(p)
				p.phase = 2
				p.cut(t, 100*time.Millisecond)
				f, err := p.check(t)
				if err != nil {
					t.Logf("found after %d cuts, by the store: %v", n+1, err)
					return
				}
				if f.lost > 0 {
					t.Logf("found after %d cuts, by the checker: %s", n+1, &f)
					return
				}
			}
			t.Errorf("%d cuts were not noticed", most)
		})
	}
}

// counted closes a channel when a lie was told so many times.
func counted(times int, lies func(string) bool) (func(string) bool, <-chan struct{}) {
	done := make(chan struct{})
	return func(name string) bool {
		if !lies(name) {
			return false
		}
		if times--; times == 0 {
			close(done)
		}
		return true
	}, done
}

// copyFolder keeps the files of a folder for somebody who wants to look at them.
func copyFolder(t *testing.T, folder string) string {
	t.Helper()
	if os.Getenv("ROLEWISE_KEEP") == "" {
		return "set ROLEWISE_KEEP to keep the files"
	}
	to, err := os.MkdirTemp("", "rolewise-power-")
	if err == nil {
		err = os.CopyFS(to, os.DirFS(folder))
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
