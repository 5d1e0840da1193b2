-- fenced_lock.finish: the batch of this fence is confirmed or given up, or goes back with one more failure.
-- KEYS: 1 due index, 2 state, 3 pending, 4 batch, 5 dead letters, 6.. the repeat markers of the batch
-- ARGV: 1 member, 2 fence, 3 how long markers live (ms), 4 back-off (µs; -1: the batch is finished), 5 dead letter or ''
-- Returns: 1 done, 0 another has taken the batch since
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[2] or redis.call('EXISTS', KEYS[4]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if tonumber(ARGV[4]) >= 0 then
  local not_before = string.format('%.0f', now + ARGV[4])
  redis.call('HINCRBY', KEYS[2], 'failures', 1)
  redis.call('HSET', KEYS[2], 'not_before', not_before)
  redis.call('ZADD', KEYS[1], not_before, ARGV[1])
  return 1
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[5], redis.call('HGET', KEYS[2], 'key'), ARGV[5])
end
for i = 6, #KEYS do
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
redis.call('DEL', KEYS[4])
redis.call('HDEL', KEYS[2], 'key', 'failures', 'not_before')
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[2], 'due') or now, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
