package durability

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// sectorSize is what a drive writes whole or not at all.
const sectorSize = 512

// disk is a folder on a drive that loses its power. Until then it looks like any other; what then is on the platter is
//
//   - of each file, what was there at its last fsync, and of the writes since then, any that the system happened to
//     have brought out by itself: none, all, the first ones, or any sectors of any of them. A file is as long as its
//     last sector that came out, or as a truncation that did;
//   - of the names, those at the last fsync of the folder, and the first few of the changes since then. Where
//     fileSyncsName is set, the fsync of a file brings out the changes up to its own name too, as ext4 does; else
//     not, as POSIX permits.
//
// Sectors of a write are images of what the file then had, as they are in the system's cache.
type disk struct {
	fileSyncsName bool
	lies          func(name string) bool // whether an fsync of a file, or of the folder ("."), does nothing; nil: never

	mu      sync.Mutex
	random  *rand.Rand
	live    map[string]*file // as programs see it
	durable map[string]*file
	changes []map[string]*file // of names; nil: taken away
	files   uint64             // made so far
	armed   *moment
	off     bool
	gone    chan struct{} // closed by the cut
	platter map[string][]byte
	syncs   int
}

// file is what a name stands for.
type file struct {
	number  uint64
	name    string // under which it was made
	live    []byte
	durable []byte
	changes []change // since the last fsync
}

// change is a write or a truncation.
type change struct {
	at       int    // the beginning of a sector
	image    []byte // of whole sectors, but for the end of the file
	truncate bool   // to at bytes
}

// moment is when the power goes.
type moment struct {
	calls int  // that change something and come before
	syncs bool // count fsyncs only
	late  bool // the call is still carried out, though its caller hears of the cut
}

// newDisk makes a disk with the files of a folder on it, all of them safe.
func newDisk(folder string, random *rand.Rand) (*disk, error) {
	d := &disk{random: random, live: map[string]*file{}, durable: map[string]*file{}, gone: make(chan struct{})}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		f := d.file(e.Name())
		f.live, f.durable = content, slices.Clone(content)
		d.live[e.Name()], d.durable[e.Name()] = f, f
	}
	return d, nil
}

func (d *disk) file(name string) *file {
	d.files++
	return &file{number: d.files + 1, name: name}
}

// lie makes an fsync of some files do nothing, from now on.
func (d *disk) lie(about func(name string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lies = about
}

// arm sets when the power goes.
func (d *disk) arm(m moment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = &m
}

// begin locks the disk for a call that changes something, unless the power is gone. The call ends with end.
func (d *disk) begin(sync bool) bool {
	d.mu.Lock()
	if d.off {
		return false
	}
	if m := d.armed; m != nil && (sync || !m.syncs) {
		m.calls--
		if m.calls < 0 && !m.late {
			d.cut()
		}
	}
	return !d.off
}

// end unlocks the disk, and may be the moment at which the power goes.
func (d *disk) end(errno *syscall.Errno) {
	if d.armed != nil && d.armed.calls < 0 && !d.off {
		d.cut()
	}
	if d.off {
		*errno = syscall.EIO
	}
	d.mu.Unlock()
}

// fall takes the power away now, if it is not gone.
func (d *disk) fall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.off {
		d.cut()
	}
}

func (d *disk) lying(name string) bool { return d.lies != nil && d.lies(name) }

// write changes a file, which grows as needed.
func (d *disk) write(f *file, data []byte, at int) (errno syscall.Errno) {
	ok := d.begin(false)
	defer d.end(&errno)
	if !ok || len(data) == 0 {
		return 0
	}
	f.live = resized(f.live, max(len(f.live), at+len(data)))
	copy(f.live[at:], data)
	from, to := at/sectorSize*sectorSize, (at+len(data)+sectorSize-1)/sectorSize*sectorSize
	f.changes = append(f.changes, change{at: from, image: slices.Clone(f.live[from:min(to, len(f.live))])})
	return 0
}

// truncate makes a file shorter, or longer with zeros.
func (d *disk) truncate(f *file, size int) (errno syscall.Errno) {
	ok := d.begin(false)
	defer d.end(&errno)
	if ok && size != len(f.live) {
		f.live = resized(f.live, size)
		f.changes = append(f.changes, change{at: size, truncate: true})
	}
	return 0
}

func resized(content []byte, size int) []byte {
	if size <= len(content) {
		return content[:size]
	}
	old := len(content)
	content = slices.Grow(content, size-old)[:size]
	clear(content[old:])
	return content
}

// sync makes a file safe.
func (d *disk) sync(f *file) (errno syscall.Errno) {
	ok := d.begin(true)
	defer d.end(&errno)
	if !ok || d.lying(f.name) {
		return 0
	}
	d.syncs++
	for _, c := range f.changes {
		f.bringOut(c, func(int) bool { return true })
	}
	f.changes = f.changes[:0]
	if d.fileSyncsName {
		for i := len(d.changes) - 1; i >= 0; i-- {
			if touches(d.changes[i], f) {
				d.bringOutNames(i + 1)
				break
			}
		}
	}
	return 0
}

func touches(names map[string]*file, f *file) bool {
	for _, other := range names {
		if other == f {
			return true
		}
	}
	return false
}

// syncNames makes the names of the folder safe.
func (d *disk) syncNames() (errno syscall.Errno) {
	ok := d.begin(true)
	defer d.end(&errno)
	if ok && !d.lying(".") {
		d.bringOutNames(len(d.changes))
	}
	return 0
}

func (d *disk) bringOutNames(count int) {
	for _, change := range d.changes[:count] {
		rename(d.durable, change)
	}
	d.changes = d.changes[count:]
}

func rename(names, change map[string]*file) {
	for name, f := range change {
		if f == nil {
			delete(names, name)
		} else {
			names[name] = f
		}
	}
}

// rename changes names, all at once. Files under nil are taken away.
func (d *disk) rename(change map[string]*file) (errno syscall.Errno) {
	ok := d.begin(false)
	defer d.end(&errno)
	if ok {
		rename(d.live, change)
		d.changes = append(d.changes, change)
	}
	return 0
}

// create makes an empty file.
func (d *disk) create(name string) (*file, syscall.Errno) {
	d.mu.Lock()
	f := d.file(name)
	d.mu.Unlock()
	return f, d.rename(map[string]*file{name: f})
}

// lookup finds a file by its name.
func (d *disk) lookup(name string) (*file, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.live[name]
	return f, ok
}

// read copies what a file has into a buffer and returns how much that was. It works on for what the system holds in
// memory: a program may have it mapped.
func (d *disk) read(f *file, buffer []byte, at int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= len(f.live) {
		return 0
	}
	return copy(buffer, f.live[at:])
}

func (d *disk) size(f *file) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(f.live)
}

// cut takes the power away and decides what is on the platter.
func (d *disk) cut() {
	d.off = true
	d.bringOutNames(d.random.IntN(len(d.changes) + 1))
	d.platter = map[string][]byte{}
	for name, f := range d.durable {
		d.tear(f)
		d.platter[name] = f.durable
	}
	close(d.gone)
}

// tear brings some of the unsynced changes of a file out.
func (d *disk) tear(f *file) {
	all, none := func(int) bool { return true }, func(int) bool { return false }
	switch d.random.IntN(4) {
	case 0: // nothing
	case 1: // everything
		for _, c := range f.changes {
			f.bringOut(c, all)
		}
	case 2: // the first ones, and a part of the next
		count := d.random.IntN(len(f.changes) + 1)
		for _, c := range f.changes[:count] {
			f.bringOut(c, all)
		}
		if count < len(f.changes) {
			next := f.changes[count]
			sectors := d.random.IntN(len(next.image)/sectorSize + 1)
			f.bringOut(next, func(n int) bool { return n < sectors })
		}
	case 3: // any sectors
		share := []float64{0.1, 0.5, 0.9}[d.random.IntN(3)]
		for _, c := range f.changes {
			if c.truncate && d.random.Float64() >= share {
				f.bringOut(c, none)
				continue
			}
			f.bringOut(c, func(int) bool { return d.random.Float64() < share })
		}
	}
	f.changes = nil
}

// bringOut puts a change on the platter: a truncation, or the chosen sectors of a write, counted from 0.
func (f *file) bringOut(c change, chosen func(sector int) bool) {
	if c.truncate {
		f.durable = resized(f.durable, c.at)
		return
	}
	for from := 0; from < len(c.image); from += sectorSize {
		if !chosen(from / sectorSize) {
			continue
		}
		image := c.image[from:min(from+sectorSize, len(c.image))]
		f.durable = resized(f.durable, max(len(f.durable), c.at+from+len(image)))
		copy(f.durable[c.at+from:], image)
	}
}

// freeze waits for the cut and lays what is on the platter into a folder, in place of what is there.
func (d *disk) freeze(folder string) error {
	<-d.gone
	old, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for name, content := range d.platter {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
