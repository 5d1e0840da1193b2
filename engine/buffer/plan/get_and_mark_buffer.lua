-- GET_AND_MARK_BUFFER: takes a buffer for processing: marks it processed and returns it as it was.
--
-- KEYS[1]  the buffer (msg_buffer:{instance}:{phone})
-- ARGV[1]  TTL of the processed buffer, in the unit of ARGV[3]
-- ARGV[2]  now, ISO-8601, from the calling function's clock
-- ARGV[3]  SETEX (ARGV[1] in seconds), or PSETEX (milliseconds) under a scaled time
-- Returns  the buffer as it was stored before (JSON), or nil: there is none, or it is processed already

local stored = redis.call('GET', KEYS[1])
if not stored then
  return nil
end

local buffer = cjson.decode(stored)
if buffer.processed then
  return nil
end

buffer.processed = true
buffer.processedAt = ARGV[2]
redis.call(ARGV[3], KEYS[1], ARGV[1], cjson.encode(buffer))
return stored
