package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rolewise/eventstore"
)

// Backup copies the log in a file, which may be in use, into another file with its head beside it. The copy is the
// log as it was at one moment; it is complete on the disk when Backup returns, and nowhere before.
func Backup(ctx context.Context, path, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	for _, end := range files {
		if _, err := os.Lstat(to + end); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("backup to %s: there is a file %s already: choose another name", to, to+end)
		}
	}
	if folder, err := os.Stat(filepath.Dir(to)); err != nil || !folder.IsDir() {
		return fmt.Errorf("backup to %s: there is no folder %s: make it first", to, filepath.Dir(to))
	}
	path, err = resolve(path)
	if err == nil {
		err = backup(ctx, path, to)
	}
	if err != nil {
		return explain(path, err)
	}
	return nil
}

func backup(ctx context.Context, path, to string) (err error) {
	head, err := ReadHead(path)
	if err != nil {
		return err
	}
	source, err := connect(ctx, path, readerCache, inspect)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	part := fmt.Sprintf("%s.part-%d", to, os.Getpid())
	if err := removeAll(part); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(part)) }()
	if err := createPrivate(part); err != nil {
		return err
	}
	if err := source.exec("VACUUM INTO ?", part); err != nil {
		return err
	}
	if err := prepare(ctx, part, func(c connection) (Head, error) { return reach(c, head) }); err != nil {
		return err
	}
	// The database last: without it there is nothing that could be opened.
	for _, end := range []string{".head", ""} {
		if err := os.Rename(part+end, to+end); err != nil {
			return err
		}
	}
	return syncFolder(to)
}

// Restore puts the log of a backup in the place of a log that no process uses. It is the same store in a new epoch: who
// had read further than the backup goes notices, and begins anew. What was there before is kept beside it, as
// PATH.replaced-TIME. The backup is verified first.
func Restore(ctx context.Context, from, path string, progress func(done, total int)) (eventstore.Info, error) {
	verified, err := Verify(ctx, from, progress)
	if err != nil {
		return eventstore.Info{}, err
	}
	path, err = resolve(path)
	if err != nil {
		return eventstore.Info{}, explain(path, err)
	}
	info, err := restore(ctx, verified, from, path)
	if err != nil {
		return info, explain(path, err)
	}
	return info, nil
}

func restore(ctx context.Context, v Verified, from, path string) (info eventstore.Info, err error) {
	held, err := lock(path + ".lock")
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	// Seconds since 1970, so that no two restores of the same backup are taken for one another.
	info = eventstore.Info{ID: v.Store, Epoch: max(v.Epoch+1, int(time.Now().Unix())), Head: v.Last}
	if old, err := ReadHead(path); err == nil {
		info.Epoch = max(info.Epoch, old.Epoch+1)
	}
	part := path + ".restoring"
	if err := removeAll(part); err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, removeAll(part)) }()
	if err := Backup(ctx, from, part); err != nil {
		return info, err
	}
	err = prepare(ctx, part, func(c connection) (Head, error) {
		if err := c.exec("UPDATE meta SET value = ? WHERE key = 'epoch'", fmt.Sprint(info.Epoch)); err != nil {
			return Head{}, err
		}
		head := v.Head
		head.Epoch = info.Epoch
		return reach(c, head)
	})
	if err != nil {
		return info, err
	}
	aside, err := keepAside(path)
	if err == nil {
		err = replace(part, path)
	}
	if err != nil && aside != "" {
		err = fmt.Errorf("%w; the log as it was is kept as %s and the files beside it: restore again", err, aside)
	}
	return info, err
}

// replace puts a copy that is complete in the place of a log. At every moment there is the old log, or the new one, or
// something that is refused when it is opened; never nothing, which would be taken for a new log.
func replace(part, path string) error {
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, end := range []string{"", ".head"} {
		if err := os.Rename(part+end, path+end); err != nil {
			return err
		}
	}
	return syncFolder(path)
}

// keepAside gives the files of a log a second name each, and returns that of the database, empty if there is none.
func keepAside(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	aside := asideOf(path)
	for _, end := range []string{"", "-wal", ".head"} {
		if err := os.Link(path+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, syncFolder(path)
}

// asideOf is where what stood at a path is kept.
func asideOf(path string) string {
	return path + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
}

// files are the ends of the names of what makes up a log, the database first.
var files = []string{"", "-wal", "-shm", ".head"}

// putAside renames a log that no process uses.
func putAside(path string) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	aside := asideOf(path)
	for _, end := range files {
		if err := os.Rename(path+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// prepare completes a copy of a log, with the head that change returns, and makes it durable.
func prepare(ctx context.Context, part string, change func(connection) (Head, error)) error {
	c, err := connect(ctx, part, readerCache, inspect)
	if err != nil {
		return err
	}
	head, err := change(c)
	if err == nil {
		err = c.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	head.Time = time.Now()
	file, err := createHead(part, head)
	if err != nil {
		return err
	}
	return errors.Join(file.close(), syncFile(part))
}

// removeAll removes what is left of a copy.
func removeAll(path string) (err error) {
	for _, end := range append([]string{".head.new"}, files...) {
		if failure := os.Remove(path + end); !errors.Is(failure, fs.ErrNotExist) {
			err = errors.Join(err, failure)
		}
	}
	return err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// AcceptHead writes the head of a database that no process uses anew, from what is in it. It is for an operator who
// has lost the head, or lost events for good and knows it.
func AcceptHead(ctx context.Context, path string) (head Head, err error) {
	path, err = resolve(path)
	if err == nil {
		head, err = acceptHead(ctx, path)
	}
	if err != nil {
		return head, explain(path, err)
	}
	return head, nil
}

func acceptHead(ctx context.Context, path string) (head Head, err error) {
	held, err := lock(path + ".lock")
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if _, err := os.Stat(path); err != nil {
		return head, err
	}
	c, err := connect(ctx, path, readerCache, inspect)
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	info, err := identity(c)
	if err != nil {
		return head, err
	}
	head, err = reach(c, Head{Store: info.ID, Epoch: info.Epoch, Time: time.Now()})
	if err != nil {
		return head, err
	}
	file, err := createHead(path, head)
	if err != nil {
		return head, err
	}
	return head, file.close()
}
