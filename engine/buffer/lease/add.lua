-- lease.add: take one message: once, and leave its conversation armed. O(1) in the length of the buffer.
-- KEYS: 1 due index, 2 state, 3 pending, 4 in flight, 5 repeat marker
-- ARGV: 1 member, 2 payload (opaque), 3 delay (µs), 4 how long markers live (ms)
-- Returns: {created (1, 0), repeated (1, 0), µs until somebody should look at the conversation (-1: others will)}
local function whole(number) return string.format('%.0f', number) end
local function microseconds()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local created, repeated, now = 0, 0, nil
if redis.call('SET', KEYS[5], '1', 'NX') then
  if redis.call('RPUSH', KEYS[3], ARGV[2]) > 1 then
    -- The buffer's first message armed it in the step that put it there, and nothing has claimed it since: I2 holds.
    return {0, 0, -1}
  end
  created, now = 1, microseconds()
  redis.call('HSET', KEYS[2], 'due', whole(now + ARGV[3]))
  redis.call('PERSIST', KEYS[2])
else
  repeated = 1
  -- A marker with an end belongs to a finished message: it is sighted again, so it lives on from now.
  if redis.call('PTTL', KEYS[5]) >= 0 then
    redis.call('PEXPIRE', KEYS[5], ARGV[4])
  end
end

-- A first message arms, and so does a repeat: what the index holds follows from the state, so writing it again can only repair it.
local at
if redis.call('EXISTS', KEYS[4]) == 1 then
  at = redis.call('HGET', KEYS[2], 'not_before')
elseif redis.call('EXISTS', KEYS[3]) == 1 then
  at = redis.call('HGET', KEYS[2], 'due')
else
  return {created, repeated, -1}
end
now = now or microseconds()
at = tonumber(at or now)
redis.call('ZADD', KEYS[1], whole(at), ARGV[1])
return {created, repeated, math.max(0, at - now)}
