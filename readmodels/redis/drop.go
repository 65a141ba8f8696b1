package redis

import (
	"context"

	"rolewise/readmodels"
)

// Drop implements readmodels.Store. The position goes first, so that nobody takes what is left for the whole, and
// the rest of the checkpoint last.
func (s *Store) Drop(ctx context.Context, scope readmodels.Scope) error {
	at := checkpointKey(scope)
	known, err := s.client.HExists(ctx, at, "position").Result()
	if err == nil && known {
		err = s.client.HSet(ctx, at, "position", "0").Err()
	}
	if err != nil {
		return s.explain(ctx, err, "drop %s from redis", scope)
	}
	server, err := s.server(ctx, scope)
	if err != nil {
		return err
	}
	var keys []string
	unlink := func() error {
		if len(keys) == 0 {
			return nil
		}
		err := s.client.Unlink(ctx, keys...).Err()
		keys = keys[:0]
		return err
	}
	all := server.Scan(ctx, 0, prefix(scope)+"*", perScan).Iterator()
	for err == nil && all.Next(ctx) {
		if all.Val() == at {
			continue
		}
		if keys = append(keys, all.Val()); len(keys) == perScan {
			err = unlink()
		}
	}
	if err == nil {
		err = all.Err()
	}
	if err == nil {
		err = unlink()
	}
	if err == nil {
		err = s.client.HDel(ctx, at, "position", "time", "store", "epoch").Err()
	}
	return s.explain(ctx, err, "drop %s from redis", scope)
}
