package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

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
	server, err := s.server(ctx, scope)
	if err != nil {
		return nil, nil, err
	}
	collections, indexes := map[readmodels.Key]bool{}, map[readmodels.Index]bool{} // a scan may give a key twice
	keys := server.Scan(ctx, 0, prefix(scope)+"*", perScan).Iterator()
	for keys.Next(ctx) {
		kind, plan, name, err := parseKey(strings.TrimPrefix(keys.Val(), prefix(scope)))
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
	if err := keys.Err(); err != nil {
		return nil, nil, s.explain(ctx, err, "list the keys of %s in redis", scope)
	}
	return slices.SortedFunc(maps.Keys(collections), dump.CompareKeys),
		slices.SortedFunc(maps.Keys(indexes), dump.CompareIndexes), nil
}

// server returns a client of the one server that has the scope's slot.
func (s *Store) server(ctx context.Context, scope readmodels.Scope) (*goredis.Client, error) {
	switch client := s.client.(type) {
	case *goredis.ClusterClient:
		server, err := client.MasterForKey(ctx, checkpointKey(scope))
		return server, s.explain(ctx, err, "find the redis node of %s", scope)
	case *goredis.Client:
		return client, nil
	default:
		return nil, errors.New("unknown kind of redis client")
	}
}

func (s *Store) dumpCollection(ctx context.Context, scope readmodels.Scope, collection readmodels.Key, yield func(string) error) error {
	documents := map[string]string{}
	fields := s.client.HScan(ctx, documentsKey(prefix(scope), collection.Plan, collection.Collection), 0, "", perScan).Iterator()
	for fields.Next(ctx) {
		id := fields.Val()
		if !fields.Next(ctx) {
			break
		}
		documents[id] = fields.Val()
	}
	if err := fields.Err(); err != nil {
		return s.explain(ctx, err, "dump collection %s of %s from redis", collection.Collection, scope)
	}
	for _, id := range slices.Sorted(maps.Keys(documents)) {
		key := readmodels.Key{Plan: collection.Plan, Collection: collection.Collection, ID: id}
		if err := yield(dump.Document(key, []byte(documents[id]))); err != nil {
			return err
		}
	}
	return nil
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
