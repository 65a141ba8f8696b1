package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolewise/eventstore"
)

func TestBackup(t *testing.T) {
	path := manyPlans(t)
	s := open(t, path)
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	before := must(t, s, role("after the backup"), eventstore.NoStream, event("lost"))
	if err := s.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("a backup over a backup: %v", err)
	}
	left := filepath.Join(t.TempDir(), "left.db")
	if err := os.WriteFile(left+"-wal", []byte("of another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), left); err == nil || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("a backup beside another's log: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "x.db")); err == nil || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("a backup into no folder: %v", err)
	}
	t.Chdir(t.TempDir())
	for _, relative := range []string{"copy.db", "odd %20?#name.db"} {
		if err := s.Backup(t.Context(), relative); err != nil {
			t.Errorf("a backup to %s: %v", relative, err)
		}
		if v, err := Verify(t.Context(), relative, nil); err != nil || v.Events != 201 {
			t.Errorf("a backup to %s: %+v, %v", relative, v, err)
		}
	}
	if _, err := Restore(t.Context(), to, path, nil); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("restore under a running store: %v", err)
	}
	v, err := Verify(t.Context(), to, nil)
	if err != nil || v.Events != 200 {
		t.Fatalf("the backup: %+v, %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := Restore(t.Context(), to, path, nil)
	if err != nil || info.Head != 200 || info.ID != s.info.ID || info.Epoch <= s.info.Epoch {
		t.Fatalf("restored %+v, %v; it was %+v", info, err, s.info)
	}
	restored := open(t, path)
	if now, err := restored.Info(t.Context()); err != nil || now != info {
		t.Errorf("the store says %+v, %v", now, err)
	}
	if n := len(history(t, restored)); n != 200 {
		t.Errorf("the log has %d events", n)
	}
	if again := must(t, restored, role("other"), eventstore.NoStream, event("")); again != before {
		t.Errorf("the next event stands at %s", again)
	}
	if _, err := restored.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	aside, err := filepath.Glob(path + ".replaced-*")
	if err != nil || len(aside) != 2 {
		t.Fatalf("kept %v, %v", aside, err)
	}
	if v, err := Verify(t.Context(), aside[0], nil); err != nil || v.Events != 201 {
		t.Errorf("what was replaced: %+v, %v", v, err)
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	if second, err := Restore(t.Context(), to, path, nil); err != nil || second.Epoch <= info.Epoch {
		t.Errorf("a second restore: %+v, %v", second, err)
	}
}

// TestRestoreWhereNothingIs has nothing but the backup to tell which epoch comes next.
func TestRestoreWhereNothingIs(t *testing.T) {
	backup := manyPlans(t)
	before := open(t, backup)
	was := before.info
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "events.db")
	if info, err := Restore(t.Context(), backup, path, nil); err != nil || info.ID != was.ID || info.Epoch <= was.Epoch {
		t.Errorf("restored %+v, %v; the backup is %+v", info, err, was)
	}
	if n := len(history(t, open(t, path))); n != 200 {
		t.Errorf("the log has %d events", n)
	}
}

// TestRestoreCutOff opens what a restore leaves that died between the two files: it is refused, and the restore can be
// made again.
func TestRestoreCutOff(t *testing.T) {
	path, copied := manyPlans(t), filepath.Join(t.TempDir(), "copy.db")
	if err := Backup(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), copied, path, nil); err != nil {
		t.Fatal(err)
	}
	aside, err := filepath.Glob(path + ".replaced-*.head")
	if err != nil || len(aside) != 1 {
		t.Fatalf("kept %v, %v", aside, err)
	}
	if err := os.Rename(aside[0], headPath(path)); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "put the two back together")
	if _, err := Restore(t.Context(), copied, path, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(history(t, open(t, path))); n != 200 {
		t.Errorf("the log has %d events", n)
	}
}

func TestRestoreRefuses(t *testing.T) {
	backup, path := manyPlans(t), manyPlans(t)
	execute(t, backup, "UPDATE events SET data = CAST('x' AS BLOB) WHERE position = 57")
	if _, err := Restore(t.Context(), backup, path, nil); err == nil || !strings.Contains(err.Error(), "position 57") {
		t.Errorf("a damaged backup: %v", err)
	}
	if _, err := Restore(t.Context(), filepath.Join(t.TempDir(), "none.db"), path, nil); err == nil {
		t.Error("a backup that is not there was restored")
	}
	if v, err := Verify(t.Context(), path, nil); err != nil || v.Events != 200 {
		t.Errorf("the log was touched: %+v, %v", v, err)
	}
}
