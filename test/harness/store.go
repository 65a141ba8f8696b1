package harness

import (
	"path/filepath"
	"testing"

	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/eventstore/shred"
	"rolewise/eventstore/sqlite"
)

// OpenStore opens the event store of a server that does not run, with the keys of personal data beside it. The second
// result keys the hashes of e-mail addresses. Everything is closed at the end of the test, or by calling close.
func OpenStore(t testing.TB, path string) (store eventstore.Store, emailKey []byte, close func()) {
	t.Helper()
	plain, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open the event store: %v", err)
	}
	keys, err := shred.OpenKeys(t.Context(), filepath.Join(filepath.Dir(path), "keys.db"))
	if err != nil {
		t.Fatalf("open the keys: %v", err)
	}
	emailKey, err = keys.Secret(t.Context(), "email")
	if err != nil {
		t.Fatalf("read the key of e-mail addresses: %v", err)
	}
	fields := shred.Fields{}
	for kind, personal := range events.All.PersonalFields() {
		for _, p := range personal {
			fields[kind] = append(fields[kind], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	store = shred.New(plain, keys, fields)
	open := true
	close = func() {
		if !open {
			return
		}
		open = false
		if err := store.Close(); err != nil {
			t.Errorf("close the event store: %v", err)
		}
		if err := keys.Close(); err != nil {
			t.Errorf("close the keys: %v", err)
		}
	}
	t.Cleanup(close)
	return store, emailKey, close
}
