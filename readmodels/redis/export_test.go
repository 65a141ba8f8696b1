package redis

import (
	"context"
	"time"

	"rolewise/readmodels"
)

// Waiting counts those who wait in this process.
func (s *Store) Waiting() int { return s.room.Waiting() }

// SetPollEvery changes how often a store polls while waiting.
func (s *Store) SetPollEvery(d time.Duration) { s.pollEvery = d }

// CheckpointKey is where a scope's checkpoint lies.
func CheckpointKey(s readmodels.Scope) string { return checkpointKey(s) }

// DocumentsKey is where a collection lies.
func DocumentsKey(s readmodels.Scope, plan, collection string) string {
	return documentsKey(prefix(s), plan, collection)
}

// SilentCommit commits without telling anyone but Redis: the message goes to a channel that nobody hears.
func SilentCommit(ctx context.Context, s *Store, b readmodels.Batch) error {
	deaf := &Store{client: s.client, database: 1 << 20, closed: s.closed}
	return deaf.Commit(ctx, b)
}

// Deafen ends the subscription, so that only commits of this process are heard of.
func (s *Store) Deafen() error { return s.news.Close() }
