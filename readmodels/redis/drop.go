package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/readmodels"
)

//go:embed drop.lua
var dropSource string

var dropScript = goredis.NewScript(dropSource)

const (
	// defaultTakeOver is how long a drop may do nothing before another takes it over: its process has died.
	defaultTakeOver = 30 * time.Second
	// askAgain is how often one asks who waits for the drop of another.
	askAgain = 50 * time.Millisecond
	// leaving bounds how long a drop that failed tries to say so.
	leaving = time.Second
)

// Drop implements readmodels.Store. The position goes first, so that nobody takes what is left for the whole, and
// the rest of the checkpoint last. In between a token in the checkpoint keeps commits and other drops away; a drop that
// has lost its token to another removes nothing more.
func (s *Store) Drop(ctx context.Context, scope readmodels.Scope, built readmodels.Checkpoint) error {
	token := rand.Text()
	for {
		answer, err := s.dropStep(ctx, scope, nil, "begin", token, built.StoreID, built.Epoch, s.takeOver.Milliseconds())
		if err == nil && answer == "mine" {
			if answer, err = s.empty(ctx, scope, token); err != nil {
				s.leave(ctx, scope, token)
			} else if answer == "mine" {
				return nil
			}
		}
		if err == nil && answer == "wait" {
			err = s.pause(ctx)
		}
		if err != nil || answer == "done" {
			return s.explain(ctx, err, "drop %s from redis", scope)
		}
	}
}

// empty removes all keys of a scope and ends the drop: "mine", or "lost" if another has taken over.
func (s *Store) empty(ctx context.Context, scope readmodels.Scope, token string) (answer string, err error) {
	for cursor := "0"; ; {
		var keys []string
		if keys, cursor, err = s.scan(ctx, scope, cursor); err != nil {
			return "", err
		}
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == checkpointKey(scope) })
		if answer, err = s.dropStep(ctx, scope, keys, "unlink", token); err != nil || answer != "mine" {
			return answer, err
		}
		if cursor == "0" {
			return s.dropStep(ctx, scope, nil, "end", token)
		}
	}
}

// leave hands over a drop that failed. Nothing is committed to the scope until another has ended it.
func (s *Store) leave(ctx context.Context, scope readmodels.Scope, token string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	_, _ = s.dropStep(ctx, scope, nil, "leave", token) // unheard, the next drop waits for the token to age
}

func (s *Store) dropStep(ctx context.Context, scope readmodels.Scope, keys []string, args ...any) (string, error) {
	answer, err := dropScript.Run(ctx, s.client, append([]string{checkpointKey(scope)}, keys...), args...).StringSlice()
	if err != nil {
		return "", err
	}
	return answer[0], nil
}

func (s *Store) pause(ctx context.Context) error {
	timer := time.NewTimer(askAgain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.closed:
		return readmodels.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
