//go:build unix

package sqlite

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rolewise/eventstore"
)

// TestPrivateFiles sees that a new store is its owner's alone under the usual umask, with all that lies beside it.
func TestPrivateFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path)
	must(t, s, role("1"), eventstore.NoStream, event("x"))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("events.db%s has mode %o, want 600", suffix, mode)
		}
	}
}

// TestModeOfExistingFile leaves to the operator who else may read the events: they hold no readable personal data.
func TestModeOfExistingFile(t *testing.T) {
	path := filled(t, 1)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o640 {
		t.Errorf("the mode is %o, want 640 as it was", mode)
	}
}
