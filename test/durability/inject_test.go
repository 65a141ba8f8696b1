package durability

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// tenacious is what the program "injected" does: it opens a store on a disk that fails, and lets a crew write to it that
// does not give up at once. It says "opened" once the crew begins. At a word, or when every writer has given up, it
// reads the store against the ledger, saying "wrong: …" of what it finds and "seen: …" of
// what there was, closes it, saying "closing" before, and ends.
type tenacious struct {
	Path, Ledger, Diary string
	Load                load
	Next                []next
	Checkpoint          int
	Bad                 string // what is wrong with the store; "": nothing
	Halt                bool   // it does not close the store, but says "halted" and kills itself at the next word
}

// diary is where a store's answers are noted with their times.
type diary struct {
	appender
	mu   sync.Mutex
	file *os.File
}

// What an attempt came to.
const (
	came    = "came"    // it was acknowledged
	refused = "refused" // it certainly did not come
	unknown = "unknown"
	misfit  = "misfit" // a conflict
	ended   = "ended"
)

// attempt is a line of a diary.
type attempt struct {
	Writer, Number int
	Began, Ended   time.Time
	Outcome        string
}

func (d *diary) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	p, _ := placeOf(events[0].Data)
	a := attempt{Writer: p.writer, Number: p.number, Began: time.Now(), Outcome: ended}
	position, err := d.appender.Append(ctx, stream, expected, events...)
	a.Ended = time.Now()
	var unavailable *eventstore.UnavailableError
	var conflict *eventstore.ConflictError
	switch {
	case err == nil:
		a.Outcome = came
	case errors.As(err, &conflict):
		a.Outcome = misfit
	case errors.As(err, &unavailable) && unavailable.Unknown:
		a.Outcome = unknown
	case errors.As(err, &unavailable):
		a.Outcome = refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return position, errors.Join(err, json.NewEncoder(d.file).Encode(a))
}

// readDiary returns what a diary says. There is none if the store did not open.
func readDiary(path string) (all []attempt, err error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for lines := json.NewDecoder(bufio.NewReader(file)); lines.More(); {
		var a attempt
		if err := lines.Decode(&a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// tenacity is how often a writer repeats, one time after the other, what the store cannot take.
const tenacity = 20

func injected(ctx context.Context, spec []byte, words <-chan string) (err error) {
	var w tenacious
	if err := json.Unmarshal(spec, &w); err != nil {
		return err
	}
	store, err := openBroken(ctx, w)
	if err != nil {
		say("refused: " + err.Error())
		return nil
	}
	notes, err := openLedger(w.Ledger)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(w.Diary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	refusals := make([]int, w.Load.Writers)
	c := &crew{load: w.Load, store: &diary{appender: store, file: file}, ledger: notes,
		unavailable: func(ctx context.Context, writer int, _ *eventstore.UnavailableError) bool {
			refusals[writer]++
			pause(time.Millisecond)
			return refusals[writer] < tenacity && ctx.Err() == nil
		},
		acknowledged: func(writer int) { refusals[writer] = 0 },
	}
	say("opened")
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- c.run(working, w.Next) }()
	select {
	case err = <-stopped:
	case <-words:
		cancel()
		err = <-stopped
	case <-ctx.Done():
		err = <-stopped
	}
	b := newBook(w.Ledger, w.Load)
	if err := errors.Join(err, notes.close(), file.Close(), b.refresh()); err != nil {
		return err
	}
	seen, err := readOn(ctx, store.now(), w.Load, b)
	if err != nil {
		say("wrong: " + err.Error())
	}
	line, _ := json.Marshal(seen) // always encodes
	say("seen: " + string(line))
	if w.Halt {
		say("halted")
		<-words
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	say("closing")
	if err := store.now().Close(); err != nil {
		say("refused: " + err.Error())
	}
	return nil
}

// readOn reads everything of a store that may take no appends any more, and returns how many events it saw of each
// stream. The log has what was acknowledged, the streams at least what the log has.
func readOn(ctx context.Context, store *sqlite.Store, l load, b *book) (seen map[string]eventstore.Revision, err error) {
	c := newChecker(l)
	if err := c.follow(ctx, store); err != nil {
		return nil, err
	}
	if f := c.judge(b); !f.clean() {
		return nil, fmt.Errorf("%s: %q", &f, f.complaints)
	}
	seen = map[string]eventstore.Revision{}
	for stream, end := range c.next {
		count := eventstore.Revision(0)
		for e, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return nil, err
			}
			if count++; e.Revision != count-1 {
				return nil, fmt.Errorf("%s as read has revision %d after %d events", stream, e.Revision, count-1)
			}
		}
		if seen[stream.String()] = count; count < end {
			return nil, fmt.Errorf("%s as read has %d events, in the log %d", stream, count, end)
		}
	}
	return seen, nil
}

// What may be wrong with a store on a disk that fails.
const (
	badSwallows = "it swallows errors"
	badGoesOn   = "it opens the files again after an error and goes on"
)

// broken is a store that takes errors lightly, or the store itself.
type broken struct {
	path, bad string
	mu        sync.Mutex
	store     *sqlite.Store
}

func openBroken(ctx context.Context, w tenacious) (*broken, error) {
	store, err := sqlite.Open(ctx, w.Path, sqlite.CheckpointAfter(w.Checkpoint))
	return &broken{path: w.Path, bad: w.Bad, store: store}, err
}

func (b *broken) now() *sqlite.Store {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.store
}

func (b *broken) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	store := b.now()
	position, err := store.Append(ctx, stream, expected, events...)
	var unavailable *eventstore.UnavailableError
	if !errors.As(err, &unavailable) {
		return position, err
	}
	switch b.bad {
	case badSwallows:
		return 1, nil
	case badGoesOn:
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.store == store {
			_ = store.Close()
			if again, err := sqlite.Open(ctx, b.path); err == nil {
				b.store = again
			}
		}
	}
	return position, err
}

// failing is a store in a folder, whose crew works on disks that fail, one after the other.
type failing struct {
	folder  string
	work    tenacious
	book    *book
	arrived int
}

func newFailing(t *testing.T, seed uint64) *failing {
	t.Helper()
	beside, l := t.TempDir(), usual(seed)
	f := &failing{folder: t.TempDir(), work: tenacious{
		Ledger: filepath.Join(beside, "ledger"), Diary: filepath.Join(beside, "diary"), Load: l, Checkpoint: 50,
	}}
	f.book = newBook(f.work.Ledger, l)
	return f
}

// prepare makes ready for a run on the files in a folder, which may be another way to the same.
func (f *failing) prepare(folder string) error {
	f.work.Path, f.work.Next = filepath.Join(folder, storeName), f.book.next()
	if err := os.Remove(f.work.Diary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// found is what is wrong after a run, in the order in which it is looked for.
type found struct {
	reads     []string // that the child found wrong while it still had the store
	late      int      // acknowledged although begun after the first fsync had failed
	opening   error
	vanished  int // streams that had events when they were read, which are not there any more
	findings  findings
	surfaced  int // certainly not come, by their answers, and there
	settling  error
	resettled findings // after what had no answer was repeated
}

func (f *found) clean() bool {
	return f.reads == nil && f.late == 0 && f.opening == nil && f.findings.clean() && f.surfaced == 0 &&
		f.settling == nil && f.resettled.clean() && f.resettled.arrived == 0
}

func (f *found) String() string {
	return fmt.Sprintf("reads %q, %d late, opening %v, %s %q, %d surfaced, %d vanished, settling %v, then %s %q with %d unsettled", f.reads, f.late,
		f.opening, &f.findings, f.findings.complaints[:min(2, len(f.findings.complaints))], f.surfaced, f.vanished, f.settling, &f.resettled, f.resettled.complaints[:min(2, len(f.resettled.complaints))], f.resettled.arrived)
}

// judge looks at what a run has left. failed is when the first fsync did; zero: none did.
func (f *failing) judge(ctx context.Context, failed time.Time, said []string, settler func(eventstore.Store) eventstore.Store) (r found, err error) {
	seen := map[string]eventstore.Revision{}
	for _, line := range said {
		if strings.HasPrefix(line, "wrong: ") {
			r.reads = append(r.reads, line)
		}
		if text, ok := strings.CutPrefix(line, "seen: "); ok {
			if err := json.Unmarshal([]byte(text), &seen); err != nil {
				return r, err
			}
		}
	}
	attempts, err := readDiary(f.work.Diary)
	if err = errors.Join(err, f.book.refresh()); err != nil {
		return r, err
	}
	hopeless := map[place]bool{} // every attempt was refused
	for _, a := range attempts {
		p := place{writer: a.Writer, number: a.Number}
		before, known := hopeless[p]
		hopeless[p] = a.Outcome == refused && (before || !known)
		if a.Outcome == came && !failed.IsZero() && a.Began.After(failed) {
			r.late++
		}
	}
	store, err := sqlite.Open(ctx, filepath.Join(f.folder, storeName))
	if err != nil {
		r.opening = err
		return r, nil
	}
	c := newChecker(f.work.Load)
	if err := c.follow(ctx, store); err != nil {
		return r, errors.Join(err, store.Close())
	}
	r.findings = c.judge(f.book)
	f.arrived += r.findings.arrived
	for stream, end := range c.next {
		if seen[stream.String()] > end {
			r.vanished++
		}
	}
	for p, yes := range hopeless {
		if yes && p.number < len(c.seen[p.writer]) && c.seen[p.writer][p.number].mask != 0 {
			r.surfaced++
		}
	}
	if r.settling = settle(ctx, settler(store), f.work.Load, f.book); r.settling == nil {
		r.resettled, err = check(ctx, store, f.work.Load, f.book)
	}
	return r, errors.Join(err, store.Close())
}

// honest is the settler that is the store itself.
func honest(store eventstore.Store) eventstore.Store { return store }

// listen returns what the child says until it ends.
func listen(c *child) (said []string) {
	impatient := time.AfterFunc(patience, func() { _ = c.command.Process.Kill() })
	for line := range c.said {
		said = append(said, line)
	}
	<-c.ended
	if !impatient.Stop() {
		said = append(said, "wrong: it did not end")
	}
	return said
}
