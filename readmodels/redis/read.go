package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Get implements readmodels.Reader, in one round trip and at one moment however many collections the keys are of.
func (s *Store) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if len(keys) == 0 {
		return values, nil
	}
	hashes := group(prefix(scope), keys)
	answers := make([]*goredis.SliceCmd, len(hashes))
	var err error
	if len(hashes) == 1 {
		answers[0] = s.client.HMGet(ctx, hashes[0].key, hashes[0].ids...)
		err = answers[0].Err()
	} else {
		_, err = s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
			for i, h := range hashes {
				answers[i] = pipe.HMGet(ctx, h.key, h.ids...)
			}
			return nil
		})
	}
	if err != nil {
		return nil, s.unread(ctx, scope, err, "read %d documents of %s from redis", len(keys), scope)
	}
	for i, h := range hashes {
		for j, value := range answers[i].Val() {
			if text, ok := value.(string); ok {
				values[h.places[j]] = []byte(text)
			}
		}
	}
	return values, nil
}

// hash is the keys of one collection, and where their values go in the answer.
type hash struct {
	key    string
	ids    []string
	places []int
}

func group(prefix string, keys []readmodels.Key) []*hash {
	type name struct{ plan, collection string }
	var hashes []*hash
	at := map[name]*hash{}
	for i, key := range keys {
		n := name{key.Plan, key.Collection}
		h := at[n]
		if h == nil {
			h = &hash{key: documentsKey(prefix, key.Plan, key.Collection)}
			at[n] = h
			hashes = append(hashes, h)
		}
		h.ids = append(h.ids, key.ID)
		h.places = append(h.places, i)
	}
	return hashes
}

// Entries implements readmodels.Reader.
func (s *Store) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, r readmodels.Range) ([]string, error) {
	from, to := bounds(r)
	values, err := s.client.ZRangeByLex(ctx, indexKey(prefix(scope), index), &goredis.ZRangeBy{
		Min: from, Max: to, Count: int64(max(r.Limit, 0)),
	}).Result()
	if err != nil {
		return nil, s.unread(ctx, scope, err, "read index %s of %s from redis", index.Name, scope)
	}
	return values, nil
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
	fields, err := s.client.HMGet(ctx, checkpointKey(scope), "position", "time", "store", "epoch", "repairs").Result()
	if err != nil {
		return readmodels.Checkpoint{}, s.unread(ctx, scope, err, "read the checkpoint of %s from redis", scope)
	}
	if fields[0] == nil {
		return readmodels.Checkpoint{}, nil
	}
	checkpoint, err := parseCheckpoint(fields)
	if err != nil {
		return readmodels.Checkpoint{}, fmt.Errorf("read the checkpoint of %s: %w", scope, err)
	}
	return checkpoint, nil
}

func parseCheckpoint(fields []any) (c readmodels.Checkpoint, err error) {
	text := make([]string, len(fields))
	for i, field := range fields {
		text[i], _ = field.(string)
	}
	if c.Position, err = eventstore.ParsePosition(text[0]); err != nil {
		return c, err
	}
	if c.Time, err = time.Parse(time.RFC3339Nano, text[1]); err != nil {
		return c, err
	}
	c.StoreID = text[2]
	if c.Epoch, err = strconv.Atoi(text[3]); err != nil || text[4] == "" { // written before repairs were counted
		return c, err
	}
	c.Repairs, err = strconv.Atoi(text[4])
	return c, err
}
