-- lease.adopt: take messages that another design accepted before, in front of what is pending; those seen already are left out.
-- KEYS: 1 due index, 2 state, 3 pending, 4 in flight, 5.. the repeat markers, in the messages' order
-- ARGV: 1 member, 2 delay (µs), 3.. the payloads (opaque), in the messages' order
-- Returns: how many were taken
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local taken = 0
-- The last first, so that each goes in front of its successor.
for i = #KEYS, 5, -1 do
  if redis.call('SET', KEYS[i], '1', 'NX') then
    redis.call('LPUSH', KEYS[3], ARGV[i - 2])
    taken = taken + 1
  end
end
if taken == 0 then
  return 0
end
local due = now + ARGV[2]
local armed = redis.call('HGET', KEYS[2], 'due')
if armed then
  due = math.min(due, tonumber(armed))
end
local at = string.format('%.0f', due)
redis.call('HSET', KEYS[2], 'due', at)
redis.call('PERSIST', KEYS[2])
if redis.call('EXISTS', KEYS[4]) == 0 then
  redis.call('ZADD', KEYS[1], at, ARGV[1])
end
return taken
