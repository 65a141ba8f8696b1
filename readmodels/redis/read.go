package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Get implements readmodels.Reader, in one round trip and at one moment however many collections the keys are of.
func (s *Store) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if len(keys) == 0 {
		return values, nil
	}
	prefix := prefix(scope)
	names, commands, places := group(prefix, keys)
	answers, err := s.ask(ctx, scope, names, commands...)
	if err != nil {
		return nil, s.unread(ctx, err, "read %d documents of %s from redis", len(keys), scope)
	}
	for i, answer := range answers {
		list, _ := answer.([]any)
		for j, value := range list {
			stored, ok := value.(string)
			if !ok {
				continue
			}
			at := places[i][j]
			if values[at], err = open(prefix, keys[at], stored); err != nil {
				return nil, fmt.Errorf("read %v: %w", keys[at], &readmodels.DamagedError{Scope: scope, Err: err})
			}
		}
	}
	return values, nil
}

// group returns the hashes in which documents lie, the commands that read them, and where the values of each command
// belong.
func group(prefix string, keys []readmodels.Key) (names []string, commands []command, places [][]int) {
	type collection struct{ plan, name string }
	numbers, last := map[collection]int{}, map[collection]int{}
	for i, key := range keys {
		c := collection{key.Plan, key.Collection}
		if numbers[c] == 0 {
			names = append(names, documentsKey(prefix, key.Plan, key.Collection))
			numbers[c] = len(names)
		}
		at, begun := last[c]
		if !begun || len(commands[at].args) == perCommand {
			at = len(commands)
			last[c] = at
			commands, places = append(commands, command{"HMGET", numbers[c], nil}), append(places, nil)
		}
		commands[at].args = append(commands[at].args, key.ID)
		places[at] = append(places[at], i)
	}
	return names, commands, places
}

// Entries implements readmodels.Reader.
func (s *Store) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	from, to := bounds(r)
	args := []any{from, to}
	if r.Limit > 0 {
		args = append(args, "LIMIT", 0, r.Limit)
	}
	answers, err := s.ask(ctx, scope, []string{indexKey(prefix(scope), index)}, command{"ZRANGEBYLEX", 1, args})
	if err != nil {
		return nil, s.unread(ctx, err, "read index %s of %s from redis", index.Name, scope)
	}
	return texts(answers[0]), nil
}

// bounds returns the ends of a range as ZRANGEBYLEX takes them: "[" includes, "(" excludes, "+" is beyond everything.
func bounds(r readmodels.Range) (from, to string) {
	from, to = "["+r.Prefix, "+"
	if r.After != "" && r.After >= r.Prefix {
		from = "(" + r.After
	}
	// The first text after all those with the prefix: the last byte that can grow grows, what follows it is cut off.
	for end := len(r.Prefix); end > 0; end-- {
		if last := r.Prefix[end-1]; last < 0xff {
			return from, "(" + r.Prefix[:end-1] + string([]byte{last + 1})
		}
	}
	return from, to
}

// Checkpoint implements readmodels.Reader.
func (s *Store) Checkpoint(ctx context.Context, scope readmodels.Scope) (readmodels.Checkpoint, error) {
	answers, err := s.ask(ctx, scope, []string{checkpointKey(scope)},
		command{"HMGET", 1, []any{"position", "time", "store", "epoch", "repairs"}})
	if err != nil {
		return readmodels.Checkpoint{}, s.unread(ctx, err, "read the checkpoint of %s from redis", scope)
	}
	fields := texts(answers[0])
	if fields[0] == "" {
		return readmodels.Checkpoint{}, nil
	}
	checkpoint, err := parseCheckpoint(fields)
	if err != nil {
		return readmodels.Checkpoint{}, fmt.Errorf("read the checkpoint of %s: %w", scope, err)
	}
	return checkpoint, nil
}

func parseCheckpoint(fields []string) (c readmodels.Checkpoint, err error) {
	if c.Position, err = eventstore.ParsePosition(fields[0]); err != nil {
		return c, err
	}
	if c.Time, err = time.Parse(time.RFC3339Nano, fields[1]); err != nil {
		return c, err
	}
	c.StoreID = fields[2]
	if c.Epoch, err = strconv.Atoi(fields[3]); err != nil || fields[4] == "" { // written before repairs were counted
		return c, err
	}
	c.Repairs, err = strconv.Atoi(fields[4])
	return c, err
}
