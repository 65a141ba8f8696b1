//go:build unix

package shred

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// wantMode expects that files exist with a mode.
func wantMode(t *testing.T, want os.FileMode, paths ...string) {
	t.Helper()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), mode, want)
		}
	}
}

// wantNoneLax expects of the files of a database that exist that only their owner may use them.
func wantNoneLax(t *testing.T, path string) {
	t.Helper()
	found, err := filepath.Glob(path + "*")
	if err != nil || len(found) < 2 {
		t.Fatalf("found %v, %v; want the database and its write-ahead log", found, err)
	}
	wantMode(t, 0o600, found...)
}

func TestPrivateKeys(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	t.Run("new", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys.db")
		k := openKeys(t, path)
		if _, err := k.Secret(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		wantMode(t, 0o600, path, path+"-wal")
		wantNoneLax(t, path)
	})
	t.Run("existing, with a link to it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys.db")
		if err := openKeys(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		k := openKeys(t, link)
		if _, err := k.Secret(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		wantMode(t, 0o600, path, path+"-wal")
		wantNoneLax(t, path)
	})
	t.Run("another program's", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "garbage.db")
		if err := os.WriteFile(path, []byte("not a database, and longer than the header of one is: it has more than a hundred bytes, as one can count"), 0o644); err != nil {
			t.Fatal(err)
		}
		if k, err := OpenKeys(t.Context(), path); err == nil {
			_ = k.Close()
			t.Fatal("opened without an error")
		}
		wantMode(t, 0o644, path)
	})
}
