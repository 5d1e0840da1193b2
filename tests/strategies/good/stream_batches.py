"""A stream for each conversation; what its consumer group has read and not acknowledged is the batch in flight."""

from typing import Any, ClassVar

from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import HandOverError, HandOverRefused, Message, Receipt, Strategy

CLOCK = """
redis.replicate_commands()
local t = redis.call('TIME')
local now, now_us = t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000000 + t[2]
"""
ADD = (
    CLOCK
    + """
local due, stream, seen = KEYS[1], KEYS[2], KEYS[3]
if not redis.call('SET', seen, '1', 'NX') then
  if redis.call('TTL', seen) > 0 then redis.call('EXPIRE', seen, ARGV[4]) end
  return 0
end
if redis.call('EXISTS', stream) == 0 then redis.call('XGROUP', 'CREATE', stream, 'g', '0', 'MKSTREAM') end
redis.call('XADD', stream, '*', 'payload', ARGV[2])
redis.call('ZADD', due, 'NX', now + ARGV[3], ARGV[1])
return 1
"""
)
CLAIM = (
    CLOCK
    + """
local name = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not name then return false end
local stream, meta = 'stream:' .. name, 'meta:' .. name
local entries
if redis.call('XPENDING', stream, 'g')[1] == 0 then
  entries = redis.call('XREADGROUP', 'GROUP', 'g', ARGV[2], 'STREAMS', stream, '>')[1][2]
  redis.call('HSET', meta, 'tries', 0)
else
  local ids = {}
  for _, each in ipairs(redis.call('XPENDING', stream, 'g', '-', '+', 1000)) do ids[#ids + 1] = each[1] end
  entries = redis.call('XCLAIM', stream, 'g', ARGV[2], 0, unpack(ids))
end
local fence = string.format('%.0f', math.max(now_us, 1 + (tonumber(redis.call('HGET', meta, 'fence')) or 0)))
redis.call('HSET', meta, 'fence', fence)
redis.call('PERSIST', meta)
redis.call('ZADD', KEYS[1], now + ARGV[1], name)
return {name, fence, redis.call('HGET', meta, 'tries'), entries}
"""
)
DONE = (
    CLOCK
    + """
local due, stream, meta = KEYS[1], KEYS[2], KEYS[3]
local name, fence, delay, keep, retry = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('HGET', meta, 'fence') ~= fence then return 0 end
if retry ~= '' then
  redis.call('HINCRBY', meta, 'tries', 1)
  redis.call('ZADD', due, now + retry, name)
  return 1
end
for i = 6, #ARGV do
  redis.call('XACK', stream, 'g', ARGV[i])
  redis.call('XDEL', stream, ARGV[i])
end
for i = 4, #KEYS do redis.call('EXPIRE', KEYS[i], keep) end
redis.call('HDEL', meta, 'fence')
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first then
  redis.call('ZADD', due, tonumber(string.match(first[1], '^(%d+)')) + delay, name)
else
  redis.call('DEL', stream, meta)
  redis.call('ZREM', due, name)
end
return 1
"""
)


class StreamBatches(Strategy):
    """Claims by a due index; a batch is what is pending in the group, and its first entry's id is its key."""

    name = "stream_batches"
    tick_ms: ClassVar[int | None] = 1_000

    async def receive(self, message: Message) -> Receipt:
        """Add an entry, once."""
        name = name_of(message.conversation)
        keys = ["due", f"stream:{name}", f"seen:{name}:{message.message_id!a}"]
        await self.runtime.redis.eval(
            ADD, 3, *keys, name, packed(message), self.runtime.settings.buffer_delay_ms, self._keep
        )
        return Receipt()

    @property
    def _keep(self) -> int:
        return self.runtime.settings.repeat_horizon_seconds + 600

    async def tick(self) -> None:
        """Claim what is due."""
        lease_ms = (self.runtime.settings.hand_over_timeout_seconds + 30) * 1000
        while found := await self.runtime.redis.eval(CLAIM, 1, "due", lease_ms, self.runtime.name):
            self.runtime.start(self._work(*found))

    async def _work(self, name: bytes, fence: bytes, tries: bytes, entries: list[Any]) -> None:
        conversation = conversation_of(name)
        ids = [entry_id for entry_id, _ in entries]
        messages = [unpacked(fields[1], conversation) for _, fields in entries]
        retry: int | str = ""
        try:
            await self.runtime.hand_over(messages, key=f"{name.decode()}@{ids[0].decode()}", fence=int(fence))
            status = "success"
        except HandOverRefused:
            return
        except HandOverError as error:
            status = "failed"
            if int(tries) < self.runtime.settings.max_retry_attempts:
                retry = 500 << int(tries)
            else:
                await self.runtime.dead_letter(messages, str(error))
        text = name.decode()
        seen = [f"seen:{text}:{m.message_id!a}" for m in messages]
        keys = ["due", f"stream:{text}", f"meta:{text}", *seen]
        delay = self.runtime.settings.buffer_delay_ms
        await self.runtime.redis.eval(DONE, len(keys), *keys, text, fence, delay, self._keep, retry, *ids)
        if retry == "":
            await self.runtime.report_status(conversation, status)
