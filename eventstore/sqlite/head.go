package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rolewise/eventstore"
	"rolewise/eventstore/chain"
)

// Head is how far a log goes, as it stands outside the database: in FILE.head, durable before an append is
// acknowledged (SPEC AUD-4). SQLite drops a torn end of its write-ahead log without a word; the head notices.
type Head struct {
	Store    string              `json:"store"` // the store's ID
	Epoch    int                 `json:"epoch"`
	Count    int64               `json:"count"` // of events
	Position eventstore.Position `json:"position"`
	Hash     chain.Hash          `json:"-"` // of the store's chain at Position
	Time     time.Time           `json:"time"`
}

// headFile keeps a head in two slots that are overwritten in turns, so that a torn write leaves the one before. Its room
// is taken at creation: a full disk cannot keep a commit from being noted.
type headFile struct {
	file *os.File
	next int // slot to be written
	slot [slotSize]byte
}

const slotSize = 4096

// headPath is where the head of a database stands.
func headPath(path string) string { return path + ".head" }

// errNoHead says that there is no head file.
var errNoHead = errors.New("there is no head file")

// createHead makes the head file of a database, in place of any other, and makes it durable.
func createHead(path string, h Head) (*headFile, error) {
	name := headPath(path)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	file := &headFile{file: f}
	_, err = f.Write(make([]byte, 2*slotSize))
	for range 2 {
		if err == nil {
			err = file.write(h)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncFolder(name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

// openHead opens the head file of a database and reads the newest head in it.
func openHead(path string) (*headFile, Head, error) {
	f, err := os.OpenFile(headPath(path), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Head{}, errNoHead
	}
	if err != nil {
		return nil, Head{}, err
	}
	file := &headFile{file: f}
	h, slot, err := newest(f)
	if err != nil {
		return nil, Head{}, errors.Join(err, f.Close())
	}
	file.next = 1 - slot
	return file, h, nil
}

// ReadHead returns the head of a database, which may be in use.
func ReadHead(path string) (Head, error) {
	f, err := os.Open(headPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return Head{}, errors.New("there is no event store: give the path of one")
		}
		return Head{}, headMissing(path)
	}
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	h, _, err := newest(f)
	return h, err
}

// newest reads both slots and returns the head that goes further.
func newest(f io.ReaderAt) (h Head, slot int, err error) {
	slot = -1
	for i := range 2 {
		b := make([]byte, slotSize)
		if _, err := f.ReadAt(b, int64(i)*slotSize); err != nil && !errors.Is(err, io.EOF) {
			return Head{}, 0, err
		}
		one, ok := decodeHead(b)
		if ok && (slot < 0 || one.Position > h.Position || one.Position == h.Position && one.Epoch > h.Epoch) {
			h, slot = one, i
		}
	}
	if slot < 0 {
		return Head{}, 0, fmt.Errorf("its head file is damaged: %s", acceptAdvice)
	}
	return h, slot, nil
}

// acceptAdvice is what to do where the head is not there to be trusted.
const acceptAdvice = "put back the one from a copy; if there is none, run audit verify and then audit head --accept, which trusts the database as it is"

func headMissing(path string) error {
	return &DamageError{"its head file " + headPath(path) + " is missing: " + acceptAdvice}
}

// write puts a head into the older slot and makes it durable.
func (f *headFile) write(h Head) error {
	encodeHead(f.slot[:], h)
	if _, err := f.file.WriteAt(f.slot[:], int64(f.next)*slotSize); err != nil {
		return fmt.Errorf("write the head: %w", err)
	}
	if err := flush(f.file); err != nil {
		return fmt.Errorf("flush the head: %w", err)
	}
	f.next = 1 - f.next
	return nil
}

// close closes the file; there may be none.
func (f *headFile) close() error {
	if f == nil {
		return nil
	}
	return f.file.Close()
}

// headText is a head in a slot: this on one line as JSON, then the SHA-256 of the line on another, then zeros.
type headText struct {
	Head
	Hash string `json:"hash"`
}

func encodeHead(slot []byte, h Head) {
	h.Time = h.Time.UTC()
	line, err := json.Marshal(headText{Head: h, Hash: h.Hash.String()})
	if err != nil { // strings, numbers and a time always encode
		panic(fmt.Sprintf("encode head: %v", err))
	}
	sum := sha256.Sum256(line)
	line = append(line, '\n')
	line = append(hex.AppendEncode(line, sum[:]), '\n')
	clear(slot[copy(slot, line):])
}

func decodeHead(slot []byte) (Head, bool) {
	line, rest, _ := strings.Cut(string(slot), "\n")
	sum, _, _ := strings.Cut(rest, "\n")
	if want := sha256.Sum256([]byte(line)); hex.EncodeToString(want[:]) != sum {
		return Head{}, false
	}
	var text headText
	if err := json.Unmarshal([]byte(line), &text); err != nil {
		return Head{}, false
	}
	var err error
	text.Head.Hash, err = chain.Parse(text.Hash)
	return text.Head, err == nil
}

// syncFolder makes the name of a file durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// DamageError says that a log is not what was acknowledged, or that its proof is missing.
type DamageError struct{ What string }

func (e *DamageError) Error() string { return e.What }

// findHead opens the head file of a database, if there is one. A log that was acknowledged and is gone is not taken for
// a new one.
func findHead(path string) (*headFile, Head, error) {
	file, head, err := openHead(path)
	if errors.Is(err, errNoHead) {
		return nil, Head{}, nil
	}
	if err != nil {
		return nil, Head{}, err
	}
	if info, err := os.Stat(path); head.Count > 0 && (err != nil || info.Size() == 0) {
		return nil, Head{}, errors.Join(&DamageError{fmt.Sprintf(
			"is empty, but %d events were acknowledged until %s: put the database back or restore a backup", head.Count, when(head))}, file.close())
	}
	return file, head, nil
}

// settle proves that a database reaches its head, and brings the head up to what was committed and not acknowledged
// before a crash. A log that was just made, or brought to this schema, has no head yet, and says so.
func settle(c connection, path string, info eventstore.Info, file *headFile, head Head) (*headFile, Head, error) {
	last, _, err := one(c, "SELECT max(position) FROM events")
	if err != nil {
		return file, head, err
	}
	_, waiting, err := one(c, "SELECT 1 FROM meta WHERE key = '"+pending+"'")
	if err != nil {
		return file, head, err
	}
	fresh := Head{Store: info.ID, Epoch: info.Epoch, Time: time.Now()}
	switch {
	case file == nil && last > 0 && !waiting:
		return file, head, headMissing(path)
	case file == nil || head.Count == 0 && last == 0:
		if fresh, err = reach(c, fresh); err != nil {
			return file, head, err
		}
		made, err := createHead(path, fresh)
		if err != nil {
			return file, head, err
		}
		return made, fresh, errors.Join(file.close(), written(c))
	}
	if err := prove(c, info, head, eventstore.Position(last)); err != nil {
		return file, head, err
	}
	reached, err := reach(c, head)
	if err != nil {
		return file, head, err
	}
	if reached != head {
		reached.Time = time.Now()
	}
	if err := file.write(reached); err != nil || !waiting {
		return file, reached, err
	}
	return file, reached, written(c) // whoever made the head died before it could say so
}

// written notes that a log has its head: from now on it is not opened without.
func written(c connection) error { return c.exec("DELETE FROM meta WHERE key = '" + pending + "'") }

// pending is the key in meta that stands for a head which is still to be written.
const pending = "pending"

// prove refuses a database that is not the one of a head, or does not reach it.
func prove(c connection, info eventstore.Info, head Head, last eventstore.Position) error {
	switch {
	case head.Store != info.ID:
		return &DamageError{"it is the database of another installation than its head file: put the two back together that belong together"}
	case head.Epoch != info.Epoch:
		return &DamageError{fmt.Sprintf("it is of epoch %d and its head file of epoch %d: put the two back together that belong together", info.Epoch, head.Epoch)}
	case head.Count == 0:
		return nil
	case last < head.Position:
		return &DamageError{fmt.Sprintf("it ends at position %s, but events up to position %s were acknowledged until %s: put the database and its write-ahead log back, or restore a backup",
			last, head.Position, when(head))}
	}
	var found chain.Hash
	err := c.query("SELECT hash FROM events WHERE position = ?", func(r row) (err error) {
		found, err = hashOf(r.bytes(0))
		return err
	}, int64(head.Position))
	if err == nil && found != head.Hash {
		err = &DamageError{fmt.Sprintf("its event at position %s is not the one that was acknowledged: restore a backup", head.Position)}
	}
	return err
}

func when(h Head) string { return h.Time.UTC().Format(time.RFC3339) }
