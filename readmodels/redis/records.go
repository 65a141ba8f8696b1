package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// recordsKey holds what is kept beside the scopes.
const recordsKey = "rw:builds"

// recordScript replaces a field of a hash, if it is what it was. An empty text stands for none. What somebody else has
// written over the hash is lost data.
var recordScript = goredis.NewScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('UNLINK', KEYS[1])
end
local have = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if have ~= ARGV[2] then
  return 0
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1`)

// Records implements readmodels.Store.
func (s *Store) Records(ctx context.Context) (map[string][]byte, error) {
	texts, err := s.client.HGetAll(ctx, recordsKey).Result()
	if goredis.HasErrorPrefix(err, "WRONGTYPE") { // the next SetRecord begins anew
		return map[string][]byte{}, nil
	}
	if err != nil {
		return nil, s.explain(ctx, err, "read the builds from redis")
	}
	records := make(map[string][]byte, len(texts))
	for name, text := range texts {
		records[name] = []byte(text)
	}
	return records, nil
}

// SetRecord implements readmodels.Store.
func (s *Store) SetRecord(ctx context.Context, name string, was, is []byte) (bool, error) {
	done, err := recordScript.Run(ctx, s.client, []string{recordsKey}, name, was, is).Int()
	if err != nil {
		return false, s.explain(ctx, err, "write the builds of %s to redis", name)
	}
	return done == 1, nil
}
