package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

//go:embed commit.lua
var commitSource string

var commitScript = goredis.NewScript(commitSource)

const (
	// perCommand is how many documents or entries one command of the script takes: Lua's stack holds 8,000 values.
	perCommand = 1_000
	// mostArguments is what Redis takes in one call, less the call's own head.
	mostArguments = 1<<20 - 16
)

// Commit implements readmodels.Store: one call, whatever the size of the batch.
func (s *Store) Commit(ctx context.Context, b readmodels.Batch) error {
	c := s.newCall(b)
	if n := len(c.keys) + len(c.args); n > mostArguments {
		return fmt.Errorf("commit %s at %s: %d changes are more than redis takes at once", b.Scope, b.Checkpoint.Position, len(b.Put)+len(b.Add)+len(b.Remove))
	}
	answer, err := commitScript.Run(ctx, s.client, c.keys, c.args...).StringSlice()
	if err != nil {
		return s.explain(ctx, err, "commit %s at %s to redis", b.Scope, b.Checkpoint.Position)
	}
	switch answer[0] {
	case "done":
		s.room.Reached(tag(b.Scope), b.Checkpoint.Position)
		return nil
	case "fenced":
		newer, err := strconv.ParseUint(answer[1], 10, 64)
		if err != nil {
			return fmt.Errorf("read the fence of %s: %w", b.Scope, err)
		}
		return &readmodels.FencedError{Scope: b.Scope, Fence: b.Fence, Newer: newer}
	case "damaged":
		return &readmodels.DamagedError{Scope: b.Scope, Err: fmt.Errorf("%s holds something else", answer[1])}
	case "dropping":
		return &readmodels.UnavailableError{Err: fmt.Errorf("commit %s at %s to redis: the scope is being emptied", b.Scope, b.Checkpoint.Position)}
	default:
		have, err := eventstore.ParsePosition(answer[1])
		if err != nil {
			return fmt.Errorf("read the checkpoint of %s: %w", b.Scope, err)
		}
		return &readmodels.OutOfStepError{Scope: b.Scope, Want: b.After, Have: have}
	}
}

// call is the keys and arguments of the script for one batch.
type call struct {
	keys []string
	args []any
	at   map[string]int // number of a key in keys, from 1 as in Lua
}

func (s *Store) newCall(b readmodels.Batch) *call {
	c := &call{
		keys: []string{checkpointKey(b.Scope)},
		args: make([]any, 0, 17+2*(len(b.Put)+len(b.Add)+len(b.Remove))),
		at:   map[string]int{},
	}
	c.args = append(c.args,
		b.After.String(), strconv.FormatUint(b.Fence, 10), b.Checkpoint.Position.String(),
		b.Checkpoint.Time.UTC().Format(time.RFC3339Nano), b.Checkpoint.StoreID, b.Checkpoint.Epoch, b.Checkpoint.Repairs,
		s.channel(b.Scope))
	c.documents(prefix(b.Scope), b.Put)
	c.entries(prefix(b.Scope), "ZREM", b.Remove)
	c.entries(prefix(b.Scope), "ZADD", b.Add)
	return c
}

// documents groups what is put and deleted by hash.
func (c *call) documents(prefix string, put map[readmodels.Key][]byte) {
	type hash struct{ plan, collection string }
	set, deleted := map[hash][]any{}, map[hash][]any{}
	for key, value := range put {
		at := hash{key.Plan, key.Collection}
		if value == nil {
			deleted[at] = append(deleted[at], key.ID)
		} else {
			set[at] = append(set[at], key.ID, seal(prefix, key, value))
		}
	}
	for at, args := range deleted {
		c.change("HDEL", documentsKey(prefix, at.plan, at.collection), args, perCommand)
	}
	for at, args := range set {
		c.change("HSET", documentsKey(prefix, at.plan, at.collection), args, 2*perCommand)
	}
}

// entries groups what is added or removed by index.
func (c *call) entries(prefix, command string, entries []readmodels.Entry) {
	grouped := map[readmodels.Index][]any{}
	for _, entry := range entries {
		if command == "ZADD" {
			grouped[entry.Index] = append(grouped[entry.Index], "0", entry.Value)
		} else {
			grouped[entry.Index] = append(grouped[entry.Index], entry.Value)
		}
	}
	for index, args := range grouped {
		c.change(command, indexKey(prefix, index), args, 2*perCommand)
	}
}

// change adds commands of at most so many arguments, an even number.
func (c *call) change(command, key string, args []any, most int) {
	number := c.at[key]
	if number == 0 {
		c.keys = append(c.keys, key)
		number = len(c.keys)
		c.at[key] = number
	}
	for len(args) > 0 {
		n := min(len(args), most)
		c.args = append(append(c.args, command, number, n), args[:n]...)
		args = args[n:]
	}
}
