package shred

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// createPrivate makes an empty database, unless there is one, that only its owner may read; SQLite gives the files
// beside it the same mode. Whatever stands in the way SQLite meets too, and tells better. A file that exists is not
// even opened: to close it would drop the locks that SQLite holds on it in this process.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	return f.Close()
}

// makePrivate takes from everyone but the owner what they may do with a database and with the files beside it.
func makePrivate(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(real + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			if err := os.Chmod(real+suffix, mode&0o600); err != nil {
				return fmt.Errorf("others may use the file, and its mode cannot be changed to 0600: %w", err)
			}
		}
	}
	return nil
}
