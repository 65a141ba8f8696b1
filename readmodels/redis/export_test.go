package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

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

// IndexKey is where an index lies.
func IndexKey(s readmodels.Scope, index readmodels.Index) string { return indexKey(prefix(s), index) }

// SilentCommit commits without telling anyone but Redis: the message goes to a channel that nobody hears.
func SilentCommit(ctx context.Context, s *Store, b readmodels.Batch) error {
	deaf := &Store{client: s.client, database: 1 << 20, closed: s.closed}
	return deaf.Commit(ctx, b)
}

// Deafen ends the subscription, so that only commits of this process are heard of.
func (s *Store) Deafen() error { return s.news.Close() }

// SetTakeOver changes at what age the token of another's drop is taken over.
func (s *Store) SetTakeOver(d time.Duration) { s.takeOver = d }

// BeforeDropStep lets a function run before each step of this store's drops is sent.
func (s *Store) BeforeDropStep(f func(step string)) { s.client.AddHook(stepHook(f)) }

type stepHook func(step string)

func (stepHook) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (stepHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (h stepHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, command goredis.Cmder) error {
		if args := command.Args(); len(args) > 3 && args[0] == "evalsha" && args[1] == dropScript.Hash() {
			h(args[3+args[2].(int)].(string))
		}
		return next(ctx, command)
	}
}
