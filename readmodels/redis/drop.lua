-- One step of emptying a scope, by the holder of its token. While the checkpoint has a token, nothing is committed.
--
-- KEYS  the checkpoint; for 'unlink' also the keys to remove
-- ARGV  step, token; for 'begin' also store, epoch and the age in milliseconds at which a token is taken over
--
-- 'begin'   {'mine'}; {'wait'} while another holds the token; {'done'} if there is nothing of that store and epoch
-- 'unlink'  removes keys and renews the token
-- 'end'     removes the checkpoint, all but the fence
-- 'leave'   lets the next 'begin' take over at once
--
-- Steps but 'begin' answer {'lost'}, and change nothing, for a token that does not hold any more.

local at = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == 'begin' and redis.call('TYPE', at).ok ~= 'hash' and redis.call('EXISTS', at) == 1 then
  redis.call('UNLINK', at) -- written over by somebody else: whatever is left of the scope must go
  redis.call('HSET', at, 'position', '0', 'time', '0001-01-01T00:00:00Z', 'store', ARGV[3], 'epoch', ARGV[4])
end

local stands = redis.call('HMGET', at, 'position', 'store', 'epoch', 'dropping', 'renewed')
local token = stands[4]

if ARGV[1] == 'begin' then
  if not stands[1] or stands[2] ~= ARGV[3] or stands[3] ~= ARGV[4] then
    return {'done'}
  end
  if token and token ~= ARGV[2] and now - tonumber(stands[5]) < tonumber(ARGV[5]) then
    return {'wait'}
  end
  redis.call('HSET', at, 'position', '0', 'dropping', ARGV[2], 'renewed', now)
  return {'mine'}
end

if token ~= ARGV[2] then
  return {'lost'}
end
if ARGV[1] == 'unlink' then
  for i = 2, #KEYS do
    redis.call('UNLINK', KEYS[i])
  end
  redis.call('HSET', at, 'renewed', now)
elseif ARGV[1] == 'end' then
  redis.call('HDEL', at, 'position', 'time', 'store', 'epoch', 'repairs', 'dropping', 'renewed')
else
  redis.call('HSET', at, 'renewed', 0)
end
return {'mine'}
