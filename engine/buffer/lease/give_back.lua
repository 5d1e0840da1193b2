-- lease.give_back: a hand-over was not confirmed: the batch may be claimed again after the back-off. Only for the holder of the token.
-- KEYS: 1 due index, 2 state
-- ARGV: 1 member, 2 token, 3 back-off (µs), 4 how many failed hand-overs to count (0 or 1)
-- Returns: 1 given back, 0 stale (or given back before)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then
  return 0
end
local not_before = string.format('%.0f', now + ARGV[3])
redis.call('HINCRBY', KEYS[2], 'failures', ARGV[4])
redis.call('HDEL', KEYS[2], 'token', 'nonce')
redis.call('HSET', KEYS[2], 'not_before', not_before)
redis.call('ZADD', KEYS[1], not_before, ARGV[1])
return 1
