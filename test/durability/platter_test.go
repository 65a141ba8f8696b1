package durability

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDisk shows what a disk keeps over a cut, over many of them.
func TestDisk(t *testing.T) {
	const tries = 300
	old, young := bytes.Repeat([]byte("o"), 4*sectorSize), bytes.Repeat([]byte("n"), 4*sectorSize)
	// platters returns what was there after a cut, how often: "-" for no file.
	platters := func(t *testing.T, carries bool, act func(d *disk, f *file)) map[string]int {
		t.Helper()
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "there"), old, 0o600); err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for seed := range uint64(tries) {
			d, err := newDisk(folder, rand.New(rand.NewPCG(seed, 0)))
			if err != nil {
				t.Fatal(err)
			}
			d.fileSyncsName = carries
			f, _ := d.lookup("there")
			act(d, f)
			d.fall()
			content, ok := d.platter["new"]
			if !ok {
				content, ok = d.platter["there"]
			}
			if !ok {
				content = []byte("-")
			}
			shape := ""
			for at := 0; at < len(content); at += sectorSize {
				piece := content[at:min(at+sectorSize, len(content))]
				if len(bytes.Trim(piece, string(piece[:1]))) > 0 {
					t.Errorf("a sector is torn: %q", piece)
				}
				shape += string(piece[:1])
			}
			count[shape]++
		}
		return count
	}
	never := func(t *testing.T, count map[string]int, allowed ...string) {
		t.Helper()
		sum := 0
		for _, shape := range allowed {
			if count[shape] == 0 {
				t.Errorf("never %q in %v", shape, count)
			}
			sum += count[shape]
		}
		if sum != tries {
			t.Errorf("other than %q: %v", allowed, count)
		}
	}
	create := func(d *disk) *file {
		f, _ := d.create("new")
		d.write(f, young, 0)
		return f
	}
	t.Run("a synced write stays", func(t *testing.T) {
		never(t, platters(t, false, func(d *disk, f *file) { d.write(f, young, 0); d.sync(f) }), "nnnn")
	})
	t.Run("a write is torn into sectors", func(t *testing.T) {
		count := platters(t, false, func(d *disk, f *file) { d.write(f, young, 0) })
		if len(count) != 16 || count["oooo"] == 0 || count["nnnn"] == 0 {
			t.Errorf("%v", count)
		}
	})
	t.Run("a later write may come out alone", func(t *testing.T) {
		count := platters(t, false, func(d *disk, f *file) {
			d.write(f, young[:sectorSize], 0)
			d.write(f, young[:sectorSize], sectorSize)
		})
		never(t, count, "oooo", "nooo", "onoo", "nnoo")
	})
	t.Run("a sector is the image of all that was written to it", func(t *testing.T) {
		count := platters(t, false, func(d *disk, f *file) {
			d.write(f, young[:sectorSize/2], 0)
			d.sync(f)
			d.write(f, young[:sectorSize/2], sectorSize/2)
			d.sync(f)
		})
		never(t, count, "nooo")
	})
	t.Run("a truncation is not durable by itself", func(t *testing.T) {
		never(t, platters(t, false, func(d *disk, f *file) { d.truncate(f, sectorSize) }), "oooo", "o")
		never(t, platters(t, false, func(d *disk, f *file) { d.truncate(f, sectorSize); d.sync(f) }), "o")
	})
	t.Run("what was cut off does not come back", func(t *testing.T) {
		never(t, platters(t, false, func(d *disk, f *file) { d.truncate(f, 0); d.truncate(f, sectorSize); d.sync(f) }), "\x00")
	})
	t.Run("a name needs the folder's fsync", func(t *testing.T) {
		never(t, platters(t, false, func(d *disk, _ *file) { d.sync(create(d)) }), "oooo", "nnnn")
		never(t, platters(t, false, func(d *disk, _ *file) { d.sync(create(d)); d.syncNames() }), "nnnn")
		never(t, platters(t, true, func(d *disk, _ *file) { d.sync(create(d)) }), "nnnn")
	})
	t.Run("a removal needs the folder's fsync", func(t *testing.T) {
		never(t, platters(t, false, func(d *disk, _ *file) { d.rename(map[string]*file{"there": nil}) }), "oooo", "-")
		never(t, platters(t, false, func(d *disk, _ *file) { d.rename(map[string]*file{"there": nil}); d.syncNames() }), "-")
	})
	t.Run("a disk that lies keeps nothing for sure", func(t *testing.T) {
		count := platters(t, false, func(d *disk, f *file) {
			d.lies = func(string) bool { return true }
			d.write(f, young, 0)
			d.sync(f)
		})
		if count["oooo"] == 0 {
			t.Errorf("%v", count)
		}
	})
	t.Run("nothing can be changed without power", func(t *testing.T) {
		count := platters(t, false, func(d *disk, f *file) {
			d.arm(moment{calls: 1, syncs: true, late: true})
			if d.sync(f) != 0 || d.write(f, young, 0) != 0 || d.sync(f) != syscall.EIO {
				t.Error("the power does not go at the second fsync")
			}
			if d.write(f, old, 0) != syscall.EIO || d.sync(f) != syscall.EIO || d.syncNames() != syscall.EIO || d.truncate(f, 0) != syscall.EIO {
				t.Error("a call without power succeeds")
			}
		})
		never(t, count, "nnnn")
	})
}
