-- fenced_lock.take: a batch to work on, for the holder of the work lock: the unfinished one again, or what is due.
-- KEYS: 1 due index, 2 state, 3 pending, 4 batch, 5 work lock
-- ARGV: 1 member, 2 the lock's token, 3 first half of a new batch's key
-- Returns: {batch key, fence, failures, {payload, ...}} | nil (nothing is due, or the lock is not ours)
if redis.call('GET', KEYS[5]) ~= ARGV[2] then
  return false
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[2], 'due', 'fence', 'key', 'failures', 'not_before')
local again = redis.call('EXISTS', KEYS[4]) == 1
if again then
  if tonumber(state[5] or 0) > now then
    return false
  end
elseif redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return false
elseif tonumber(state[1] or 0) > now then
  return false
end
-- The fence is checked where the write happens: the processor refuses a lower one, and finish.lua any but the last.
local fence = string.format('%.0f', math.max(tonumber(state[2] or 0) + 1, now))
local key, failures = state[3], tonumber(state[4] or 0)
if not again then
  redis.call('RENAME', KEYS[3], KEYS[4])
  key, failures = ARGV[3] .. ':' .. fence, 0
  redis.call('HSET', KEYS[2], 'key', key, 'failures', 0)
end
redis.call('HSET', KEYS[2], 'fence', fence)
redis.call('PERSIST', KEYS[2])
return {key, fence, failures, redis.call('LRANGE', KEYS[4], 0, -1)}
