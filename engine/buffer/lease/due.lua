-- lease.due: which conversations of a shard are due by the server's clock: buffers, ended leases, ended back-offs. Writes nothing.
-- KEYS: 1 due index
-- ARGV: 1 how many at most
-- Returns: {member, ...}, the longest due first
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
