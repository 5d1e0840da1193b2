-- ADD_MESSAGE_TO_BUFFER: adds one message to a conversation's buffer, or creates the buffer.
--
-- KEYS[1]  the buffer (msg_buffer:{instance}:{phone})
-- ARGV[1]  the message: JSON {text, timestamp, messageId, messageData}
-- ARGV[2]  TTL of the buffer, in the unit of ARGV[4]
-- ARGV[3]  now, ISO-8601, from the calling function's clock
-- ARGV[4]  SETEX (ARGV[2] in seconds), or PSETEX (milliseconds) under a scaled time
-- Returns  1 the message is in the buffer; 0 the buffer is processed already, nothing was written
--
-- Decoding and encoding the messages loses what cjson cannot carry ([] becomes {}, big integers become floats):
-- that is the plan's, and to be shown.

local message = cjson.decode(ARGV[1])
local stored = redis.call('GET', KEYS[1])
local buffer

if stored then
  buffer = cjson.decode(stored)
  if buffer.processed then
    return 0
  end
  table.insert(buffer.messages, message)
  buffer.lastMessageAt = ARGV[3]
else
  buffer = {messages = {message}, firstMessageAt = ARGV[3], lastMessageAt = ARGV[3], processed = false}
end

redis.call(ARGV[4], KEYS[1], ARGV[2], cjson.encode(buffer))
return 1
