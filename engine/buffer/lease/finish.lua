-- lease.finish: the batch in flight is finished: confirmed by the processor, or dead-lettered. Only for the holder of the token.
-- KEYS: 1 due index, 2 state, 3 pending, 4 in flight, 5 dead letters, 6.. the repeat markers of the batch
-- ARGV: 1 member, 2 token, 3 how long markers live (ms), 4 batch key, 5 the dead letter (opaque), '' if confirmed
-- Returns: {'finished' | 'stale', µs until somebody should look at the conversation (-1: never)}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[2], 'token', 'finished', 'due')
if state[1] ~= ARGV[2] then
  -- The same call again after a lost reply is told the truth: it has finished the batch.
  return {state[2] == ARGV[2] and 'finished' or 'stale', -1}
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[5], ARGV[4], ARGV[5])
end
for i = 6, #KEYS do
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
redis.call('DEL', KEYS[4])
redis.call('HDEL', KEYS[2], 'token', 'nonce', 'key', 'not_before', 'failures', 'claims')
redis.call('HSET', KEYS[2], 'finished', ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  local due = tonumber(state[3] or now)
  redis.call('ZADD', KEYS[1], string.format('%.0f', due), ARGV[1])
  return {'finished', math.max(0, due - now)}
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'finished', -1}
