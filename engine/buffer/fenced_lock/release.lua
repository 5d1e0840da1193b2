-- fenced_lock.release: delete the lock if it is ours.
-- KEYS: 1 lock
-- ARGV: 1 the lock's token
-- Returns: 1 released, 0 it was not ours any more
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
