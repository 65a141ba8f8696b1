package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/readmodels"
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
	answers, err := s.ask(ctx, readmodels.Scope{}, []string{recordsKey}, command{"HGETALL", 1, nil})
	var damage *readmodels.DamagedError
	if errors.As(err, &damage) { // the next SetRecord begins anew
		return map[string][]byte{}, nil
	}
	if err != nil {
		return nil, s.explain(ctx, err, "read the builds from redis")
	}
	fields := texts(answers[0]) // names and records in turn
	records := make(map[string][]byte, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		records[fields[i]] = []byte(fields[i+1])
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
