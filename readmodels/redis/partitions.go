package redis

import (
	"context"
	"fmt"
	"strconv"

	"rolewise/readmodels"
)

// partitionsKey holds the number of partitions of all read models of a database.
const partitionsKey = "rw:partitions"

// Partitions implements readmodels.Store.
func (s *Store) Partitions(ctx context.Context, wanted readmodels.Partitions) (readmodels.Partitions, error) {
	if err := wanted.Check(); err != nil {
		return 0, err
	}
	if err := s.client.SetNX(ctx, partitionsKey, int(wanted), 0).Err(); err != nil {
		return 0, s.explain(ctx, err, "settle the number of partitions in redis")
	}
	answers, err := s.ask(ctx, readmodels.Scope{}, []string{partitionsKey}, command{"GET", 1, nil})
	if err != nil {
		return 0, s.explain(ctx, err, "read the number of partitions from redis")
	}
	text, _ := answers[0].(string)
	n, err := strconv.Atoi(text)
	if err == nil {
		err = readmodels.Partitions(n).Check()
	}
	if err != nil {
		return 0, fmt.Errorf("read the number of partitions from redis: %w", err)
	}
	return readmodels.Partitions(n), nil
}
