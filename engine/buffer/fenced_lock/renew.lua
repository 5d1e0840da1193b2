-- fenced_lock.renew: let the lock live on if it is ours.
-- KEYS: 1 lock
-- ARGV: 1 the lock's token, 2 TTL (ms)
-- Returns: 1 renewed, 0 it was not ours any more
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
