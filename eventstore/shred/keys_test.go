package shred

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	k := openKeys(t, path)
	secret := func(k *Keys, name string) []byte {
		t.Helper()
		b, err := k.Secret(t.Context(), name)
		if err != nil || len(b) != 32 {
			t.Fatalf("secret %s: %d bytes, %v", name, len(b), err)
		}
		return b
	}
	first := secret(k, "email")
	if !bytes.Equal(first, secret(k, "email")) || bytes.Equal(first, secret(k, "other")) {
		t.Error("a secret is not what it was, or is that of another name")
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, secret(openKeys(t, path), "email")) {
		t.Error("a secret did not survive")
	}
}

// TestKeysAtOnce has many ask for the same people: each gets one key, whoever comes first.
func TestKeysAtOnce(t *testing.T) {
	k := openKeys(t, filepath.Join(t.TempDir(), "keys.db"))
	const people, rivals = 20, 8
	sealed := make([][rivals][]byte, people)
	var group sync.WaitGroup
	for r := range rivals {
		group.Go(func() {
			for p := range people {
				key, err := k.provide(t.Context(), "acme", fmt.Sprint(p))
				if err != nil {
					t.Errorf("provide: %v", err)
					return
				}
				sealed[p][r] = encrypt(key, []byte("x"), nil)
			}
		})
	}
	group.Wait()
	for p := range people {
		key, err := k.find(t.Context(), "acme", fmt.Sprint(p))
		if err != nil || key == nil {
			t.Fatalf("find: %v", err)
		}
		for _, value := range sealed[p] {
			if plain, err := decrypt(key, value, nil); err != nil || string(plain) != "x" {
				t.Errorf("person %d: %v", p, err)
			}
		}
	}
}

func TestKeysInTrouble(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.db")
	k := openKeys(t, path)
	expect := func(path, text string) {
		t.Helper()
		_, err := OpenKeys(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, text)
		}
	}
	expect(path, "in use")
	expect(filepath.Join(dir, "none", "keys.db"), "folder exists")
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(garbage, "not a database")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Secret(ended, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("secret: %v", err)
	}
	if err := k.Destroy(ended, "acme", "m"); !errors.Is(err, context.Canceled) {
		t.Errorf("destroy: %v", err)
	}
}
