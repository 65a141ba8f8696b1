// Package memory keeps read models in the process: the default without Redis, and the fold of the past.
package memory

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/btree"

	"rolewise/eventstore"
	"rolewise/readmodels"
	"rolewise/readmodels/internal/dump"
	"rolewise/readmodels/internal/waiting"
)

// Store is a readmodels.Store that lives as long as the process. Every single read sees a commit whole or not at all.
type Store struct {
	mutex  sync.Mutex
	scopes map[readmodels.Scope]*scope
	closed bool
	parts  readmodels.Partitions // 0: nobody has said
	record map[string][]byte
	room   waiting.Room[readmodels.Scope]
}

// scope is what one Scope holds. The lock is its own, so that partitions do not wait for each other.
type scope struct {
	mutex      sync.RWMutex
	checkpoint readmodels.Checkpoint
	fence      uint64
	documents  map[readmodels.Key][]byte
	indexes    map[readmodels.Index]*btree.BTreeG[string]
}

// New returns an empty Store.
func New() *Store {
	return &Store{scopes: map[readmodels.Scope]*scope{}, record: map[string][]byte{}}
}

// Partitions implements readmodels.Store.
func (s *Store) Partitions(ctx context.Context, wanted readmodels.Partitions) (readmodels.Partitions, error) {
	if err := errors.Join(ctx.Err(), wanted.Check()); err != nil {
		return 0, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return 0, readmodels.ErrClosed
	}
	if s.parts == 0 {
		s.parts = wanted
	}
	return s.parts, nil
}

// Records implements readmodels.Store.
func (s *Store) Records(ctx context.Context) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil, readmodels.ErrClosed
	}
	return maps.Clone(s.record), nil
}

// SetRecord implements readmodels.Store.
func (s *Store) SetRecord(ctx context.Context, name string, was, is []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return false, readmodels.ErrClosed
	}
	if !bytes.Equal(s.record[name], was) {
		return false, nil
	}
	if s.record[name] = bytes.Clone(is); len(is) == 0 {
		delete(s.record, name)
	}
	return true, nil
}

// at returns the scope, empty if nothing was ever committed to it.
func (s *Store) at(ctx context.Context, name readmodels.Scope) (*scope, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil, readmodels.ErrClosed
	}
	sc := s.scopes[name]
	if sc == nil {
		sc = &scope{documents: map[readmodels.Key][]byte{}, indexes: map[readmodels.Index]*btree.BTreeG[string]{}}
		s.scopes[name] = sc
	}
	return sc, nil
}

// Get implements readmodels.Reader.
func (s *Store) Get(ctx context.Context, name readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	sc, err := s.at(ctx, name)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	sc.mutex.RLock()
	defer sc.mutex.RUnlock()
	for i, key := range keys {
		values[i] = sc.documents[key]
	}
	return values, nil
}

// Entries implements readmodels.Reader.
func (s *Store) Entries(ctx context.Context, name readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	sc, err := s.at(ctx, name)
	if err != nil {
		return nil, err
	}
	sc.mutex.RLock()
	defer sc.mutex.RUnlock()
	tree := sc.indexes[index]
	if tree == nil {
		return nil, nil
	}
	var values []string
	tree.AscendGreaterOrEqual(max(r.Prefix, r.After), func(value string) bool {
		if r.After != "" && value == r.After {
			return true
		}
		if !strings.HasPrefix(value, r.Prefix) {
			return false
		}
		values = append(values, value)
		return r.Limit <= 0 || len(values) < r.Limit
	})
	return values, nil
}

// Checkpoint implements readmodels.Reader.
func (s *Store) Checkpoint(ctx context.Context, name readmodels.Scope) (readmodels.Checkpoint, error) {
	sc, err := s.at(ctx, name)
	if err != nil {
		return readmodels.Checkpoint{}, err
	}
	sc.mutex.RLock()
	defer sc.mutex.RUnlock()
	return sc.checkpoint, nil
}

// Commit implements readmodels.Store.
func (s *Store) Commit(ctx context.Context, b readmodels.Batch) error {
	sc, err := s.at(ctx, b.Scope)
	if err != nil {
		return err
	}
	if err := sc.commit(b); err != nil {
		return err
	}
	s.room.Reached(b.Scope, b.Checkpoint.Position)
	return nil
}

func (sc *scope) commit(b readmodels.Batch) error {
	sc.mutex.Lock()
	defer sc.mutex.Unlock()
	if b.Fence != 0 && b.Fence < sc.fence {
		return &readmodels.FencedError{Scope: b.Scope, Fence: b.Fence, Newer: sc.fence}
	}
	if have := sc.checkpoint.Position; have != b.After {
		return &readmodels.OutOfStepError{Scope: b.Scope, Want: b.After, Have: have}
	}
	for key, value := range b.Put {
		if value == nil {
			delete(sc.documents, key)
			continue
		}
		// A copy of exactly this length: neither the writer's later changes nor a reader's append can reach it.
		kept := make([]byte, len(value))
		copy(kept, value)
		sc.documents[key] = kept
	}
	for _, entry := range b.Remove {
		sc.remove(entry)
	}
	for _, entry := range b.Add {
		sc.add(entry)
	}
	sc.checkpoint = b.Checkpoint
	sc.checkpoint.Time = b.Checkpoint.Time.Round(0).UTC()
	sc.fence = max(sc.fence, b.Fence)
	return nil
}

func (sc *scope) add(entry readmodels.Entry) {
	tree := sc.indexes[entry.Index]
	if tree == nil {
		tree = btree.NewOrderedG[string](32)
		sc.indexes[entry.Index] = tree
	}
	tree.ReplaceOrInsert(entry.Value)
}

func (sc *scope) remove(entry readmodels.Entry) {
	tree := sc.indexes[entry.Index]
	if tree == nil {
		return
	}
	if tree.Delete(entry.Value); tree.Len() == 0 {
		delete(sc.indexes, entry.Index)
	}
}

// Wait implements readmodels.Store.
func (s *Store) Wait(ctx context.Context, name readmodels.Scope, min eventstore.Position) error {
	guest := s.room.Enter(name, min)
	defer guest.Leave()
	checkpoint, err := s.Checkpoint(ctx, name)
	if err != nil || checkpoint.Position >= min {
		return err
	}
	select {
	case <-guest.Done():
		return guest.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drop implements readmodels.Store.
func (s *Store) Drop(ctx context.Context, name readmodels.Scope, built readmodels.Checkpoint) error {
	sc, err := s.at(ctx, name)
	if err != nil {
		return err
	}
	sc.mutex.Lock()
	defer sc.mutex.Unlock()
	if at := sc.checkpoint; at.StoreID != built.StoreID || at.Epoch != built.Epoch {
		return nil
	}
	sc.checkpoint = readmodels.Checkpoint{}
	sc.documents, sc.indexes = map[readmodels.Key][]byte{}, map[readmodels.Index]*btree.BTreeG[string]{}
	return nil
}

// Dump implements readmodels.Store. The lines are those of one moment; commits go on meanwhile.
func (s *Store) Dump(ctx context.Context, name readmodels.Scope, yield func(line string) error) error {
	sc, err := s.at(ctx, name)
	if err != nil {
		return err
	}
	documents, indexes := sc.snapshot()
	for _, key := range slices.SortedFunc(maps.Keys(documents), dump.CompareKeys) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(dump.Document(key, documents[key])); err != nil {
			return err
		}
	}
	for _, index := range slices.SortedFunc(maps.Keys(indexes), dump.CompareIndexes) {
		for _, value := range indexes[index] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := yield(dump.Entry(index, value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (sc *scope) snapshot() (map[readmodels.Key][]byte, map[readmodels.Index][]string) {
	sc.mutex.RLock()
	defer sc.mutex.RUnlock()
	indexes := make(map[readmodels.Index][]string, len(sc.indexes))
	for index, tree := range sc.indexes {
		values := make([]string, 0, tree.Len())
		tree.Ascend(func(value string) bool {
			values = append(values, value)
			return true
		})
		indexes[index] = values
	}
	return maps.Clone(sc.documents), indexes
}

// Close forgets everything and ends all waits.
func (s *Store) Close() error {
	s.mutex.Lock()
	s.closed = true
	s.scopes = nil
	s.mutex.Unlock()
	s.room.Close()
	return nil
}
