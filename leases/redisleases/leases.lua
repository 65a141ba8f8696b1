-- Keeps the leases of one group of processes.
--
-- KEYS  the group's hash
-- ARGV  operation, channel, id of the calling process, lease time in microseconds; then
--       renew:   number of partitions, most leases the process can have or '-', then partition and fence of each it has
--       take:    most leases to take, then the partitions to try, in order
--       release: 'leave' or 'stay', then partition and fence of each
--
-- Fields of the hash, so that one key is all a call touches, even while a cluster moves its slot:
--   member <id>        "<until> <length> <most>"
--   lease <partition>  "<fence> <until> <length> <id>", kept for its fence when nobody has it
--
-- Times are microseconds of the clock of this server, below 2^53 as Lua's numbers need it. Nothing here has to outlast
-- the server's data: a fence is never below the clock, so that it also grows when the hash is lost.

local key, operation, channel, id, length = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(number)
  return string.format('%.0f', number)
end

-- How long something is good for yet, or nil. What ends later than it can, since the clock was set back, is over: it
-- would be held by a process that died until the clock has caught up. Small steps back must not end a lease.
local function left(ends, long)
  local rest = tonumber(ends) - now
  if rest > 0 and rest <= 2 * tonumber(long) then
    return rest
  end
end

-- Values that nobody here has written count as none.
local function parse_lease(value)
  local fence, ends, long, owner = string.match(value or '', '^(%d+) (%d+) (%d+) (%S+)$')
  return fence or '0', ends or '0', long or '0', owner or '-'
end

local function lease(partition)
  return parse_lease(redis.call('HGET', key, 'lease ' .. partition))
end

local function set_lease(partition, fence, ends, owner)
  redis.call('HSET', key, 'lease ' .. partition, fence .. ' ' .. whole(ends) .. ' ' .. whole(length) .. ' ' .. owner)
end

local function tell()
  redis.call('PUBLISH', channel, id)
end

local function renew()
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', key)
  end
  local all, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    all[flat[i]] = flat[i + 1]
  end

  local kept, lost = {}, {}
  for i = 7, #ARGV, 2 do
    local fence, ends, long, owner = parse_lease(all['lease ' .. ARGV[i]])
    if owner == id and fence == ARGV[i + 1] and left(ends, long) then
      set_lease(ARGV[i], fence, now + length, id)
      kept[ARGV[i]] = true
    else
      lost[#lost + 1] = ARGV[i]
    end
  end

  local next = 0 -- microseconds until something of another process is over, if it is not renewed
  local function ending(rest)
    if next == 0 or rest < next then
      next = rest
    end
  end

  local members = {id, ARGV[6]}
  local known
  for field, value in pairs(all) do
    local member = string.match(field, '^member (.+)$')
    local ends, long, most = string.match(value, '^(%d+) (%d+) (%S+)$')
    local rest = ends and left(ends, long)
    if member == id then
      known = rest and most == ARGV[6]
    elseif member and rest then
      members[#members + 1] = member
      members[#members + 1] = most
      ending(rest)
    elseif member then
      redis.call('HDEL', key, field)
    end
  end
  redis.call('HSET', key, 'member ' .. id, whole(now + length) .. ' ' .. whole(length) .. ' ' .. ARGV[6])
  if not known then
    tell()
  end

  local free = {}
  for partition = 0, tonumber(ARGV[5]) - 1 do
    local name = whole(partition)
    local _, ends, long, owner = parse_lease(all['lease ' .. name])
    local rest = left(ends, long)
    if rest and owner ~= id then
      ending(rest)
    elseif not kept[name] then
      free[#free + 1] = name
    end
  end
  return {whole(next), lost, members, free}
end

-- What the process has already without knowing, since the answer was lost, is taken anew.
local function take()
  local taken = {}
  for i = 6, #ARGV do
    if #taken >= 2 * tonumber(ARGV[5]) then
      break
    end
    local fence, ends, long, owner = lease(ARGV[i])
    if owner == id or not left(ends, long) then
      fence = whole(math.max(tonumber(fence) + 1, now))
      set_lease(ARGV[i], fence, now + length, id)
      taken[#taken + 1] = ARGV[i]
      taken[#taken + 1] = fence
    end
  end
  return taken
end

local function release()
  for i = 6, #ARGV, 2 do
    local fence, _, _, owner = lease(ARGV[i])
    if owner == id and fence == ARGV[i + 1] then
      set_lease(ARGV[i], fence, 0, '-')
    end
  end
  if ARGV[5] == 'leave' then
    redis.call('HDEL', key, 'member ' .. id)
  end
  tell()
  return {}
end

return ({renew = renew, take = take, release = release})[operation]()
