package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newFile(t *testing.T) credentialsFile {
	t.Helper()
	return credentialsFile(filepath.Join(t.TempDir(), "dev-credentials.json"))
}

func wantThere(t *testing.T, file string, want bool) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if got := err == nil; got != want {
		t.Fatalf("%s is there: %v, want %v", filepath.Base(file), got, want)
	}
	if want && info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %o", filepath.Base(file), info.Mode().Perm())
	}
}

func wantTaken(t *testing.T, f credentialsFile, want credentials) {
	t.Helper()
	got, err := f.take()
	if err != nil || got != want {
		t.Fatalf("took %+v, %v, want %+v", got, err, want)
	}
	wantThere(t, string(f), false)
}

func wantWritten(t *testing.T, f credentialsFile, c credentials) {
	t.Helper()
	if err := f.write(c); err != nil {
		t.Fatal(err)
	}
	wantThere(t, string(f), true)
	wantThere(t, f.aside(), false)
	if files, err := os.ReadDir(filepath.Dir(string(f))); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v: want the credentials only", files, err)
	}
}

func TestCredentialsFile(t *testing.T) {
	first := credentials{URL: "http://127.0.0.1:1", Plan: "acme", APIKey: "first", OperatorKey: "operator"}
	second := credentials{URL: "http://127.0.0.1:2", Plan: "acme", APIKey: "second", OperatorKey: "operator"}

	t.Run("OPS-1 there only while ready", func(t *testing.T) {
		f := newFile(t)
		wantTaken(t, f, credentials{})
		wantWritten(t, f, first)
		wantTaken(t, f, first)
		wantThere(t, f.aside(), true)
		wantWritten(t, f, second)
		wantTaken(t, f, second)
	})
	t.Run("OPS-1 crashes before ready lose no key", func(t *testing.T) {
		f := newFile(t)
		wantWritten(t, f, first)
		for range 3 {
			wantTaken(t, f, first)
		}
	})
	t.Run("OPS-1 a crash before the old ones are removed", func(t *testing.T) {
		f := newFile(t)
		wantWritten(t, f, first)
		wantTaken(t, f, first)
		old, err := os.ReadFile(f.aside())
		if err != nil {
			t.Fatal(err)
		}
		wantWritten(t, f, second)
		if err := os.WriteFile(f.aside(), old, 0o600); err != nil {
			t.Fatal(err)
		}
		wantTaken(t, f, second)
		wantTaken(t, f, second)
	})
	t.Run("a damaged file is named and left alone", func(t *testing.T) {
		for _, aside := range []bool{false, true} {
			f := newFile(t)
			file := string(f)
			if aside {
				file = f.aside()
			}
			if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := f.take(); err == nil || !strings.Contains(err.Error(), file+":") {
				t.Errorf("%v does not name %s", err, file)
			}
			wantThere(t, file, true)
		}
	})
}

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "operator.key")
	for _, content := range []string{"a longer one", "short"} {
		if err := os.WriteFile(file, []byte("of others"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := replace(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
		wantThere(t, file, true)
		if got, err := os.ReadFile(file); err != nil || string(got) != content {
			t.Errorf("%q, %v, want %q", got, err, content)
		}
	}
	t.Run("leaves nothing behind when it fails", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.MkdirAll(filepath.Join(folder, "file", "occupied"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := replace(filepath.Join(folder, "file"), []byte("x")); err == nil {
			t.Error("a folder was replaced")
		}
		if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
			t.Errorf("left %v, %v", files, err)
		}
	})
}
