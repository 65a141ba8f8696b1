package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rolewise/readmodels"
	"rolewise/readmodels/internal/dump"
)

// perScan is how many keys, documents or entries one call of a dump asks for.
const perScan = 1_000

// Dump implements readmodels.Store. It reads in many calls; when a commit falls between them it says so and fails,
// since its lines would belong to no one position.
func (s *Store) Dump(ctx context.Context, scope readmodels.Scope, yield func(line string) error) error {
	before, err := s.Checkpoint(ctx, scope)
	if err != nil {
		return err
	}
	collections, indexes, err := s.keys(ctx, scope)
	if err != nil {
		return err
	}
	for _, collection := range collections {
		if err := s.dumpCollection(ctx, scope, collection, yield); err != nil {
			return err
		}
	}
	for _, index := range indexes {
		if err := s.dumpIndex(ctx, scope, index, yield); err != nil {
			return err
		}
	}
	after, err := s.Checkpoint(ctx, scope)
	if err == nil && after.Position != before.Position {
		err = fmt.Errorf("%s moved from %s to %s while it was dumped: dump it when nothing is projected", scope, before.Position, after.Position)
	}
	return err
}

// keys finds the collections (as keys without id) and the indexes of a scope, in canonical order.
func (s *Store) keys(ctx context.Context, scope readmodels.Scope) ([]readmodels.Key, []readmodels.Index, error) {
	collections, indexes := map[readmodels.Key]bool{}, map[readmodels.Index]bool{} // a scan may give a key twice
	for cursor := "0"; ; {
		keys, next, err := s.scan(ctx, scope, cursor)
		if err != nil {
			return nil, nil, s.unread(ctx, err, "list the keys of %s in redis", scope)
		}
		for _, key := range keys {
			kind, plan, name, err := parseKey(strings.TrimPrefix(key, prefix(scope)))
			if err != nil {
				return nil, nil, err
			}
			switch kind {
			case "doc":
				collections[readmodels.Key{Plan: plan, Collection: name}] = true
			case "index":
				indexes[readmodels.Index{Plan: plan, Name: name}] = true
			}
		}
		if cursor = next; cursor == "0" {
			break
		}
	}
	return slices.SortedFunc(maps.Keys(collections), dump.CompareKeys),
		slices.SortedFunc(maps.Keys(indexes), dump.CompareIndexes), nil
}

func (s *Store) dumpCollection(ctx context.Context, scope readmodels.Scope, collection readmodels.Key, yield func(string) error) error {
	documents := map[string][]byte{}
	for cursor := "0"; ; {
		fields, next, err := s.fields(ctx, scope, collection, cursor)
		if err != nil {
			return s.unread(ctx, err, "dump collection %s of %s from redis", collection.Collection, scope)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			collection.ID = fields[i]
			if documents[fields[i]], err = open(prefix(scope), collection, fields[i+1]); err != nil {
				return fmt.Errorf("dump %v: %w", collection, &readmodels.DamagedError{Scope: scope, Err: err})
			}
		}
		if cursor = next; cursor == "0" {
			break
		}
	}
	for _, id := range slices.Sorted(maps.Keys(documents)) {
		collection.ID = id
		if err := yield(dump.Document(collection, documents[id])); err != nil {
			return err
		}
	}
	return nil
}

// fields returns some documents of a collection, as ids and what is stored in turn, and the cursor that goes on.
func (s *Store) fields(ctx context.Context, scope readmodels.Scope, collection readmodels.Key, cursor string) ([]string, string, error) {
	answers, err := s.ask(ctx, scope, []string{documentsKey(prefix(scope), collection.Plan, collection.Collection)},
		command{"HSCAN", 1, []any{cursor, "COUNT", perScan}})
	if err != nil {
		return nil, "", err
	}
	return page(answers[0])
}

func (s *Store) dumpIndex(ctx context.Context, scope readmodels.Scope, index readmodels.Index, yield func(string) error) error {
	r := readmodels.Range{Limit: perScan}
	for {
		values, err := s.Entries(ctx, scope, index, r)
		if err != nil {
			return err
		}
		for _, value := range values {
			if err := yield(dump.Entry(index, value)); err != nil {
				return err
			}
		}
		if len(values) < perScan {
			return nil
		}
		r.After = values[len(values)-1]
	}
}
