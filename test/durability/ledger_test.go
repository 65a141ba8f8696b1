package durability

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"rolewise/eventstore"
)

// ledger is what the writers note beside the store, in a file of its own: that an append begins, and at which place,
// and that it was acknowledged. An acknowledgement counts once it is on the disk.
type ledger struct {
	file *os.File

	mu      sync.Mutex
	written int64 // bytes

	syncing sync.Mutex
	synced  int64 // bytes, under syncing
}

// openLedger opens or creates a ledger for one process. What a kill left of its last line is taken away.
func openLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(file)
	if err == nil {
		whole := int64(bytes.LastIndexByte(content, '\n') + 1)
		err = errors.Join(file.Truncate(whole), seek(file, whole))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &ledger{file: file}, nil
}

func seek(file *os.File, to int64) error {
	_, err := file.Seek(to, io.SeekStart)
	return err
}

// begin notes that a writer now makes an append at a place. It need not outlive more than the process.
func (l *ledger) begin(writer, number int, expected eventstore.Revision) error {
	_, err := l.write(fmt.Sprintf("begin %d %d %d\n", writer, number, expected))
	return err
}

// acknowledge notes the result of an append and returns once the note is on the disk.
func (l *ledger) acknowledge(writer, number int, expected eventstore.Revision, position eventstore.Position) error {
	end, err := l.write(fmt.Sprintf("acknowledged %d %d %d %d\n", writer, number, expected, position))
	if err != nil {
		return err
	}
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= end { // by another writer, meanwhile
		return nil
	}
	l.mu.Lock()
	written := l.written
	l.mu.Unlock()
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.synced = written
	return nil
}

func (l *ledger) write(line string) (end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.WriteString(line)
	l.written += int64(len(line))
	return l.written, err
}

func (l *ledger) close() error { return l.file.Close() }

// book is what a ledger says so far.
type book struct {
	path    string
	offset  int64     // up to which the file was read
	appends [][]entry // by writer and number
}

// entry is what is known of one append. The zero value is one that never began.
type entry struct {
	Begun        bool
	Expected     eventstore.Revision // where it was tried last
	Acknowledged bool
	Position     eventstore.Position // of its last event, if acknowledged
}

func newBook(path string, l load) *book {
	return &book{path: path, appends: make([][]entry, l.Writers)}
}

// refresh reads what was added to the ledger. A last line without its end does not count.
func (b *book) refresh() error {
	file, err := os.Open(b.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was begun
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := seek(file, b.offset); err != nil {
		return err
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			return nil
		}
		if err := b.note(line); err != nil {
			return fmt.Errorf("ledger line %q: %w", line, err)
		}
		b.offset += int64(len(line)) + 1
		content = rest
	}
}

func (b *book) note(line []byte) error {
	var word string
	var writer, number int
	var e entry
	n, err := fmt.Sscan(string(line), &word, &writer, &number, &e.Expected, &e.Position)
	switch {
	case word == "begin" && n == 4:
	case word == "acknowledged" && n == 5:
		e.Acknowledged = true
	default:
		return fmt.Errorf("cannot be read: %w", err)
	}
	if writer < 0 || writer >= len(b.appends) || number < 0 || number > len(b.appends[writer]) {
		return errors.New("comes out of order")
	}
	if number == len(b.appends[writer]) {
		b.appends[writer] = append(b.appends[writer], entry{})
	}
	old := &b.appends[writer][number]
	if old.Acknowledged || e.Acknowledged && (!old.Begun || old.Expected != e.Expected) {
		return fmt.Errorf("does not fit what was noted before: %+v", *old)
	}
	e.Begun = true
	*old = e
	return nil
}

// next tells where a writer goes on, such as after a kill.
type next struct {
	Number int
	Entry  entry // of that append: begun, if its outcome is unknown
}

// next returns for each writer where it goes on. An append with unknown outcome is to be made again as it was.
func (b *book) next() []next {
	all := make([]next, len(b.appends))
	for writer, appends := range b.appends {
		last := len(appends) - 1
		if last >= 0 && !appends[last].Acknowledged {
			all[writer] = next{last, appends[last]}
		} else {
			all[writer] = next{Number: last + 1}
		}
	}
	return all
}

// acknowledged counts the appends with a result, and pending those without.
func (b *book) count() (acknowledged, pending int) {
	for _, appends := range b.appends {
		for _, e := range appends {
			if e.Acknowledged {
				acknowledged++
			} else {
				pending++
			}
		}
	}
	return acknowledged, pending
}
