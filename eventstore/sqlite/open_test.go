package sqlite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"rolewise/eventstore"
)

// refused expects one sentence that tells the operator what to do.
func refused(t *testing.T, path, advice string) {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened without an error")
	}
	if text := err.Error(); !strings.Contains(text, advice) || strings.Contains(text, "\n") || !strings.Contains(text, path) {
		t.Errorf("got %q, want one line with the path and %q", text, advice)
	}
}

// filled returns the path of a store with some events, closed.
func filled(t *testing.T, events int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path)
	for i := range events {
		must(t, s, role(fmt.Sprint(i)), eventstore.NoStream, event(strings.Repeat("x", 1000)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenInTrouble(t *testing.T) {
	t.Run("no folder", func(t *testing.T) {
		refused(t, filepath.Join(t.TempDir(), "none", "events.db"), "check that its folder exists")
	})
	t.Run("a folder", func(t *testing.T) { refused(t, t.TempDir(), "give the path of a file") })
	t.Run("not a database", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "events.db")
		text := bytes.Repeat([]byte("not a database. "), 1000)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is not a database: choose another path")
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
			t.Errorf("the file was changed (%v)", err)
		}
	})
	t.Run("cut short", func(t *testing.T) {
		path := filled(t, 100)
		if err := os.Truncate(path, 20_000); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is damaged: restore a backup")
	})
	t.Run("cut within the header", func(t *testing.T) {
		path := filled(t, 1)
		if err := os.Truncate(path, 50); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "restore a backup")
	})
	t.Run("overwritten", func(t *testing.T) {
		path := filled(t, 100)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 4096; i < len(b); i += 7 {
			b[i] ^= 0x5a
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "is damaged: restore a backup")
	})
	t.Run("another program's", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "events.db")
		execute(t, path, "CREATE TABLE songs (title TEXT)")
		refused(t, path, "another program: choose another path")
	})
	t.Run("a newer release's", func(t *testing.T) {
		path := filled(t, 1)
		execute(t, path, "PRAGMA user_version = 1000")
		refused(t, path, "newer release (schema 1000")
	})
	t.Run("without identity", func(t *testing.T) {
		path := filled(t, 1)
		execute(t, path, "DELETE FROM meta")
		refused(t, path, "restore a backup")
	})
	t.Run("locked", func(t *testing.T) {
		path := filled(t, 1)
		first := open(t, path)
		refused(t, path, "in use by another process")
		link := filepath.Join(t.TempDir(), "link.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		refused(t, link, "in use by another process")
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		open(t, link)
	})
	t.Run("not permitted", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everything")
		}
		path := filled(t, 1)
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "check the permissions")
	})
}

// execute runs SQL on a file, as another program would.
func execute(t *testing.T, path, query string) {
	t.Helper()
	c, err := connect(t.Context(), path, readerCache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.exec(query), c.close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamageFoundLater reads across a page that was destroyed after the opening: an error, and the rest still works.
func TestDamageFoundLater(t *testing.T) {
	path := filled(t, 500)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s := open(t, path)
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 20*4096), info.Size()/2/4096*4096); err != nil {
		t.Fatal(err)
	}
	var last error
	for page, err := range s.Follow(t.Context(), 0, eventstore.Filter{}) {
		if last = err; page.Live {
			break
		}
	}
	if last == nil || !strings.Contains(last.Error(), "is damaged: restore a backup") {
		t.Errorf("followed across a damaged page: %v", last)
	}
	for e, err := range s.Read(t.Context(), role("0"), 0) {
		if err != nil || e.Position != 1 {
			t.Errorf("read elsewhere: %v", err)
		}
	}
}

func TestPragmas(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"))
	err := s.pool.with(t.Context(), func(c connection) error {
		synchronous, _, err := one(c, "PRAGMA synchronous")
		if synchronous != 2 {
			t.Errorf("synchronous is %d on a reader", synchronous)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	inWriter(s, func(c connection) error {
		for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
			_ = c.query("PRAGMA "+name, func(r row) error {
				if got := fmt.Sprint(r[0]); got != want {
					t.Errorf("%s is %s on the writer", name, got)
				}
				return nil
			})
		}
		return nil
	})
	// A file system, or an SQLite, that does not do as told is noticed.
	c, err := connect(t.Context(), filepath.Join(t.TempDir(), "other.db"), readerCache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.close() }()
	kept := pragmas
	defer func() { pragmas = kept }()
	pragmas = append(pragmas[:len(pragmas):len(pragmas)], struct{ name, set, want string }{"page_size", "1234", "1234"})
	if err := c.prepare(readerCache); err == nil || !strings.Contains(err.Error(), "page_size") {
		t.Errorf("a pragma that was not obeyed: %v", err)
	}
}

// childOf is set in the environment of the process that TestKill kills.
const childOf = "ROLEWISE_SQLITE_TEST_CHILD"

// TestKill kills a writing process at any moment and expects every acknowledged event, once, in its place.
func TestKill(t *testing.T) {
	if path := os.Getenv(childOf); path != "" {
		writeForEver(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "events.db")
	acknowledged := map[string]bool{}
	for round := range 10 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), childOf+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if id, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
				acknowledged[id] = true
			}
			if n == 50+37*round {
				if round == 0 {
					refused(t, path, "in use by another process")
				}
				_ = child.Process.Kill()
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		s := open(t, path)
		next := map[eventstore.StreamID]eventstore.Revision{}
		seen := map[string]bool{}
		for _, e := range history(t, s) {
			if e.Revision != next[e.Stream] || seen[e.ID.String()] {
				t.Fatalf("event at %s: revision %d of %s, or there twice", e.Position, e.Revision, e.Stream)
			}
			next[e.Stream]++
			seen[e.ID.String()] = true
		}
		for id := range acknowledged {
			if !seen[id] {
				t.Fatalf("round %d: acknowledged event %s is lost", round, id)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 1000 {
		t.Fatalf("only %d events were acknowledged", len(acknowledged))
	}
}

// writeForEver appends from several goroutines and prints each event as it is acknowledged.
func writeForEver(t *testing.T, path string) {
	s := open(t, path, CheckpointAfter(50))
	for w := range 8 {
		go func() {
			stream := role(uuid.NewString())
			for i := 0; ; i++ {
				e := event(fmt.Sprint(w))
				if _, err := s.Append(t.Context(), stream, eventstore.Revision(i-1), e); err != nil {
					fmt.Println("failed", err)
					return
				}
				fmt.Println("acknowledged", e.ID)
			}
		}()
	}
	select {}
}
