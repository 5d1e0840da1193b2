-- lease.delete_if_same: delete a key if it still holds what was read.
-- KEYS: 1 the key
-- ARGV: 1 the value that was read
-- Returns: 1 deleted, 0 it holds something else by now
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
