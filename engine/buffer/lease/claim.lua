-- lease.claim: claim what is due: a batch whose lease or back-off ended, else the pending messages as a new batch.
-- KEYS: 1 due index, 2 state, 3 pending, 4 in flight
-- ARGV: 1 member, 2 lease (µs), 3 first half of a new batch's key, 4 nonce of this claim, 5 '1': before the due time too
-- Returns: {'claimed', batch key, fence, failures, claims, {payload, ...}}
--          {'busy', µs until the lease or the back-off ends} | {'early', µs until due} | {'empty'}
local function whole(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[2], 'due', 'not_before', 'token', 'nonce', 'key', 'fence', 'failures', 'claims')
local due, not_before = tonumber(state[1] or 0), tonumber(state[2] or 0)
local token, nonce, key, fence = state[3], state[4], state[5], tonumber(state[6] or 0)
local failures, claims = tonumber(state[7] or 0), tonumber(state[8] or 0)
local in_flight = redis.call('EXISTS', KEYS[4]) == 1

if in_flight and token and nonce == ARGV[4] then
  -- This very claim again: it was executed, and its reply was lost.
  return {'claimed', key, token, failures, claims, redis.call('LRANGE', KEYS[4], 0, -1)}
end
if in_flight then
  if not_before > now and (token or ARGV[5] ~= '1') then
    redis.call('ZADD', KEYS[1], whole(not_before), ARGV[1])
    return {'busy', not_before - now}
  end
elseif redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {'empty'}
elseif due > now and ARGV[5] ~= '1' then
  redis.call('ZADD', KEYS[1], whole(due), ARGV[1])
  return {'early', due - now}
end

fence = whole(math.max(fence + 1, now))
if not in_flight then
  redis.call('RENAME', KEYS[3], KEYS[4])
  redis.call('HDEL', KEYS[2], 'due')
  key, failures, claims = nil, 0, 0
end
key = key or (ARGV[3] .. ':' .. fence)
claims = claims + 1
local lease_ends = whole(now + ARGV[2])
redis.call('HSET', KEYS[2], 'key', key, 'fence', fence, 'token', fence, 'nonce', ARGV[4],
  'not_before', lease_ends, 'failures', failures, 'claims', claims)
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[1], lease_ends, ARGV[1])
return {'claimed', key, fence, failures, claims, redis.call('LRANGE', KEYS[4], 0, -1)}
