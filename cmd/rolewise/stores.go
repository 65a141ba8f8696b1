package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/eventstore/shred"
	"rolewise/eventstore/sqlite"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// log is the event store with the keys of personal data beside it.
type eventLog struct {
	eventstore.Store
	keys     *shred.Keys
	emailKey []byte
}

// openLog opens the event store that a URL names: sqlite:PATH. The keys of personal data stand in keys.db beside it.
func openLog(ctx context.Context, url string) (*eventLog, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok || path == "" {
		return nil, fmt.Errorf("--eventstore %q is not understood; use sqlite:PATH", url)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	keys, err := shred.OpenKeys(ctx, filepath.Join(filepath.Dir(path), "keys.db"))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	emailKey, err := keys.Secret(ctx, "email")
	if err != nil {
		return nil, errors.Join(err, keys.Close(), store.Close())
	}
	return &eventLog{shred.New(store, keys, personalFields()), keys, emailKey}, nil
}

// Close closes the event store, then its keys.
func (l *eventLog) Close() error { return errors.Join(l.Store.Close(), l.keys.Close()) }

// personalFields tells the encrypting store what the tags of the event types say.
func personalFields() shred.Fields {
	fields := shred.Fields{}
	for eventType, personal := range events.All.PersonalFields() {
		for _, p := range personal {
			fields[eventType] = append(fields[eventType], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	return fields
}

// openModels opens the store of read models: "memory", or a Redis by its URL.
func openModels(ctx context.Context, url string) (readmodels.Store, error) {
	if url == "memory" {
		return memory.New(), nil
	}
	return redis.Open(ctx, url)
}
