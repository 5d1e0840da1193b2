-- lease.requeue: put a dead letter back in flight, under the key it had; the next claim gives it a new fence and counts afresh.
-- KEYS: 1 due index, 2 state, 3 in flight, 4 dead letters, 5.. the repeat markers of the batch
-- ARGV: 1 member, 2 batch key, 3.. the payloads (opaque)
-- Returns: 'requeued' | 'busy' (another batch of the conversation is in flight) | 'unknown' (no such dead letter)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then
  return 'unknown'
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 'busy'
end
redis.call('HDEL', KEYS[4], ARGV[2])
for i = 3, #ARGV do
  redis.call('RPUSH', KEYS[3], ARGV[i])
end
for i = 5, #KEYS do
  redis.call('SET', KEYS[i], '1')
end
redis.call('HSET', KEYS[2], 'key', ARGV[2], 'not_before', now, 'failures', 0, 'claims', 0)
redis.call('HDEL', KEYS[2], 'token', 'nonce')
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 'requeued'
