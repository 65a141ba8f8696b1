-- Commits one batch to one scope.
--
-- KEYS  the checkpoint, then every hash and sorted set that changes
-- ARGV  after, fence, position, time, store, epoch, repairs, channel;
--       then for each change: command, number of its key, number of its arguments, its arguments
--
-- Positions and fences are unsigned 64-bit numbers in decimal and stay text: a Lua number would round them.
-- A script that fails keeps what it has written, so every key is looked at before the first change: none may hold
-- anything else than it should. The checkpoint is written last.

local function less(a, b)
  return #a < #b or (#a == #b and a < b)
end

local function foreign(key, kind)
  local is = redis.call('TYPE', key).ok
  return is ~= 'none' and is ~= kind
end

if foreign(KEYS[1], 'hash') then
  return {'damaged', KEYS[1]}
end

local stands = redis.call('HMGET', KEYS[1], 'position', 'fence', 'dropping')
local position, fence = stands[1] or '0', stands[2] or '0'

if ARGV[2] ~= '0' and less(ARGV[2], fence) then
  return {'fenced', fence}
end
if stands[3] then
  return {'dropping'}
end
if position ~= ARGV[1] then
  return {'stands', position}
end

local kinds = {HSET = 'hash', HDEL = 'hash', ZADD = 'zset', ZREM = 'zset'}
local i, looked = 9, {}
while ARGV[i] do
  local number = tonumber(ARGV[i + 1])
  if not looked[number] and foreign(KEYS[number], kinds[ARGV[i]]) then
    return {'damaged', KEYS[number]}
  end
  looked[number] = true
  i = i + 3 + tonumber(ARGV[i + 2])
end

i = 9
while ARGV[i] do
  local first, last = i + 3, i + 2 + tonumber(ARGV[i + 2])
  redis.call(ARGV[i], KEYS[tonumber(ARGV[i + 1])], unpack(ARGV, first, last))
  i = last + 1
end

if ARGV[2] ~= '0' then
  fence = ARGV[2]
end
redis.call('HSET', KEYS[1], 'position', ARGV[3], 'time', ARGV[4], 'store', ARGV[5], 'epoch', ARGV[6], 'repairs', ARGV[7], 'fence', fence)
redis.call('PUBLISH', ARGV[8], ARGV[3])
return {'done'}
