-- idempotency.begin: whether a hand-over may have its effect; with an effect of this store, have it in the same step.
-- KEYS: 1 idempotency key, 2 fence of the conversation, 3 list of effects
-- ARGV: 1 fence or '', 2 policy, 3 how long work lasts (ms), 4 how long keys are kept (ms), 5 '1': commit, 6 the effect
-- Returns: {'work' | 'repeated' | 'at_work' | 'in_doubt' | 'stale', what abandon compares}
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('GET', KEYS[1])
local done = state == 'done'
if ARGV[1] ~= '' then
  local highest = redis.call('GET', KEYS[2])
  -- Fences are whole microseconds below 2^53, so numbers compare them exactly.
  if highest and tonumber(ARGV[1]) < tonumber(highest) then
    -- What is done is answered at once, whatever the call carries.
    return {done and 'repeated' or 'stale', ''}
  end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[4])
end
if done then
  return {'repeated', ''}
end
if ARGV[5] == '1' then
  redis.call('RPUSH', KEYS[3], ARGV[6])
  redis.call('SET', KEYS[1], 'done', 'PX', ARGV[4])
  return {'work', ''}
end
if state then
  if now_ms < tonumber(state) then
    return {'at_work', ''}
  end
  if ARGV[2] == 'at_most_once' then
    return {'in_doubt', ''}
  end
end
local mine = string.format('%.0f', now_ms + ARGV[3])
redis.call('SET', KEYS[1], mine, 'PX', ARGV[4])
return {'work', mine}
