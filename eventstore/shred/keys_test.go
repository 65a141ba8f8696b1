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
	"time"
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

// TestKeysOfAnotherInstallation refuses keys beside events that they do not belong to.
func TestKeysOfAnotherInstallation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	k := openKeys(t, path)
	for range 2 {
		if err := k.Belong(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	err := openKeys(t, path).Belong(t.Context(), "two")
	if err == nil || !strings.Contains(err.Error(), "another installation") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// TestSharedKeys has two processes, as it were, use one file: what one makes the other finds, and what one destroys the
// other forgets.
func TestSharedKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	var both [2]*Keys
	for i := range both {
		k, err := OpenKeys(t.Context(), path, Shared())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = k.Close() }()
		both[i] = k
	}
	made, err := both[0].provide(t.Context(), "acme", "ada")
	if err != nil {
		t.Fatal(err)
	}
	found, err := both[1].provide(t.Context(), "acme", "ada")
	if err != nil {
		t.Fatal(err)
	}
	sealed := encrypt(made, []byte("x"), nil)
	if text, err := decrypt(found, sealed, nil); err != nil || string(text) != "x" {
		t.Fatalf("the other's key opens %q, %v", text, err)
	}
	if err := both[0].Destroy(t.Context(), "acme", "ada"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		key, err := both[1].find(t.Context(), "acme", "ada")
		if err != nil {
			t.Fatal(err)
		}
		if key == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the other still has the key")
		}
	}
}
