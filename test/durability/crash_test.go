package durability

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"rolewise/eventstore/sqlite"
)

// crash is a store under load in a process that is killed, again and again.
type crash struct {
	random  *rand.Rand
	work    work
	book    *book
	checker *checker

	writers        int // of the load at work; those after them stand by
	early, closing int // kills during an opening, and while the store was being closed
	slowest, last  time.Duration
}

func newCrash(t *testing.T, vicious bool) *crash {
	t.Helper()
	random, seed := seeded(t)
	folder, beside := t.TempDir(), t.TempDir()
	l := usual(seed)
	c := &crash{random: random, writers: l.Writers, work: work{
		Path: filepath.Join(folder, storeName), Ledger: filepath.Join(beside, "ledger"), Load: l, Checkpoint: 500, Vicious: vicious,
	}}
	c.book, c.checker = newBook(c.work.Ledger, l), newChecker(l)
	return c
}

// kill lets the crew work for a while and kills the process in the middle of it, or while the store is being closed,
// and then perhaps some more that open what the kill left.
func (c *crash) kill(t *testing.T, while time.Duration) {
	t.Helper()
	run := c.launch(t)
	if !run.await(t, "opened") {
		t.Error("the store did not open after a kill")
	}
	pause(while)
	if c.random.IntN(4) == 0 {
		c.closing++
		run.tell("close")
		pause(time.Duration(c.random.IntN(30)) * time.Millisecond)
	}
	run.kill()
	run.log(t)
	for c.random.IntN(3) == 0 {
		c.early++
		run := c.launch(t)
		run.await(t, "opening")
		pause(time.Duration(c.random.IntN(20_000)) * time.Microsecond)
		run.kill()
		run.log(t)
	}
	if err := c.book.refresh(); err != nil {
		t.Fatal(err)
	}
}

// launch starts the writers where they were stopped.
func (c *crash) launch(t *testing.T) *child {
	t.Helper()
	if err := c.book.refresh(); err != nil {
		t.Fatal(err)
	}
	c.work.Next = c.book.next()[:c.writers]
	return launch(t, "writers", c.work)
}

// check opens the store and reads what is new in it, or everything.
func (c *crash) check(t *testing.T, whole bool) findings {
	t.Helper()
	begin := time.Now()
	store, err := sqlite.Open(t.Context(), c.work.Path)
	if err != nil {
		t.Fatalf("the store does not open: %v", err)
	}
	c.last = time.Since(begin)
	c.slowest = max(c.slowest, c.last)
	info, err := store.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if whole || info.Head < c.checker.last {
		c.checker = newChecker(c.work.Load)
	}
	err = errors.Join(c.checker.follow(t.Context(), store), c.checker.browse(t.Context(), store, 20))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return c.checker.judge(c.book)
}

func wantClean(t *testing.T, f findings) {
	t.Helper()
	if f.clean() {
		return
	}
	for _, complaint := range f.complaints {
		t.Error(complaint)
	}
	t.Fatal(&f)
}

// TestProcessCrash kills the process of a store under 16 writers. Nothing acknowledged may be lost, nothing may be
// there twice or in part. Appends without an answer are made again by the next process, and must settle to one. In the
// long form the store has a million events, and must open within two seconds of every kill.
func TestProcessCrash(t *testing.T) {
	c := newCrash(t, false)
	longest := cycles(150, 700) // ms
	if tortured() {
		c.grow(t, 1_000_000)
	}
	arrived, kills := 0, cycles(10, 300)
	for n := range kills {
		c.kill(t, time.Duration(20+c.random.IntN(longest))*time.Millisecond)
		f := c.check(t, n%25 == 0)
		wantClean(t, f)
		arrived += f.arrived
		if tortured() && c.last > 2*time.Second {
			t.Errorf("the opening at %d events took %s", f.events, c.last)
		}
		if n%50 == 49 {
			t.Logf("%d kills: %s; slowest opening %s", n+1, &f, c.slowest)
		}
	}
	f := c.settle(t)
	acknowledged, _ := c.book.count()
	t.Logf("%d kills, %d of them during a close, and %d more during an opening: %s; %d appends acknowledged, %d arrived without; slowest opening %s",
		kills, c.closing, c.early, &f, acknowledged, arrived, c.slowest)
	if acknowledged < 5*kills || arrived == 0 {
		t.Error("there was hardly any load")
	}
}

// grow lets many more writers work, until the store has some events.
func (c *crash) grow(t *testing.T, events int) {
	t.Helper()
	usual := c.writers
	c.writers = 512
	c.work.Load.Writers = c.writers
	c.book, c.checker = newBook(c.work.Ledger, c.work.Load), newChecker(c.work.Load)
	for f := (findings{}); f.events < events; {
		c.kill(t, 10*time.Second)
		f = c.check(t, false)
		wantClean(t, f)
		t.Logf("%s; opened in %s", &f, c.last)
	}
	c.writers, c.early, c.closing = usual, 0, 0
}

// settle repeats what has no answer, and checks the store from its beginning.
func (c *crash) settle(t *testing.T) findings {
	t.Helper()
	store, err := sqlite.Open(t.Context(), c.work.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := settle(t.Context(), store, c.work.Load, c.book); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := checkFile(t.Context(), c.work.Path, c.work.Load, c.book)
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, f)
	if f.arrived > 0 {
		t.Errorf("%d appends stay without an answer", f.arrived)
	}
	return f
}

// TestProcessCrashIsNoticed kills a store that breaks its word, until every way of it has been found.
func TestProcessCrashIsNoticed(t *testing.T) {
	c := newCrash(t, true)
	var lost, doubled, partial bool
	for n := range 100 {
		c.kill(t, time.Duration(20+c.random.IntN(100))*time.Millisecond)
		f := c.check(t, true)
		lost, doubled, partial = lost || f.lost > 0, doubled || f.doubled > 0, partial || f.partial > 0
		if lost && doubled && partial {
			t.Logf("found after %d kills: %s", n+1, &f)
			return
		}
	}
	t.Errorf("a store that breaks its word passes: lost %t, doubled %t, partial %t", lost, doubled, partial)
}
