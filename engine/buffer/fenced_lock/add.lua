-- fenced_lock.add: store one message, for the holder of the lock alone. A repeat is not stored again.
-- KEYS: 1 due index, 2 state, 3 pending, 4 batch, 5 repeat marker, 6 lock
-- ARGV: 1 member, 2 payload (opaque), 3 delay (µs), 4 how long markers live (ms), 5 the lock's token
-- Returns: 1 a new buffer, 0 appended or a repeat, -1 the lock is not ours any more
if redis.call('GET', KEYS[6]) ~= ARGV[5] then
  return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local created = 0
if redis.call('SET', KEYS[5], '1', 'NX') then
  if redis.call('RPUSH', KEYS[3], ARGV[2]) == 1 then
    created = 1
    redis.call('HSET', KEYS[2], 'due', string.format('%.0f', now + ARGV[3]))
    redis.call('PERSIST', KEYS[2])
  end
elseif redis.call('PTTL', KEYS[5]) >= 0 then
  redis.call('PEXPIRE', KEYS[5], ARGV[4])
end
if redis.call('EXISTS', KEYS[3]) + redis.call('EXISTS', KEYS[4]) > 0 then
  redis.call('ZADD', KEYS[1], 'NX', redis.call('HGET', KEYS[2], 'due') or now, ARGV[1])
end
return created
