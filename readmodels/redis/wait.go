package redis

import (
	"context"
	"strings"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// defaultPoll bounds how late a waiter is when the message of a commit was lost, as while the connection was down.
const defaultPoll = 250 * time.Millisecond

// Wait implements readmodels.Store. Commits of this process wake it directly, those of others through a channel.
func (s *Store) Wait(ctx context.Context, scope readmodels.Scope, min eventstore.Position) error {
	guest := s.room.Enter(tag(scope), min)
	defer guest.Leave()
	poll := time.NewTicker(s.pollEvery)
	defer poll.Stop()
	for {
		checkpoint, err := s.Checkpoint(ctx, scope)
		if err != nil || checkpoint.Position >= min {
			return err
		}
		select {
		case <-guest.Done():
			return guest.Err()
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listen feeds the waiters with the commits of all processes until the store closes.
func (s *Store) listen() {
	prefix := channelPrefix(s.database)
	for message := range s.news.Channel() {
		if position, err := eventstore.ParsePosition(message.Payload); err == nil {
			s.room.Reached(strings.TrimPrefix(message.Channel, prefix), position)
		}
	}
}
