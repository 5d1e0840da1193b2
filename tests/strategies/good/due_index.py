"""Batches from a due index in a sorted set, claimed for a while and acknowledged by number; polled by a tick alone."""

from typing import Any, ClassVar

from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

ADD = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('SET', KEYS[3], 'x', 'NX') then
  if redis.call('RPUSH', KEYS[2], ARGV[2]) == 1 then
    redis.call('HSET', KEYS[4], 'next', now + ARGV[3])
    redis.call('PERSIST', KEYS[4])
  end
  redis.call('ZADD', KEYS[1], 'NX', now + ARGV[3], ARGV[1])
elseif redis.call('PTTL', KEYS[3]) > 0 then
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
return 1
"""
CLAIM = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)
if not found[1] then return {} end
local name = found[1]
local list, flight, state = 'list:' .. name, 'flight:' .. name, 'state:' .. name
if redis.call('EXISTS', flight) == 0 then
  redis.call('RENAME', list, flight)
  redis.call('HSET', state, 'key', redis.sha1hex(name) .. now, 'tries', 0)
end
local fence = math.max(now, (tonumber(redis.call('HGET', state, 'fence')) or 0) + 1)
redis.call('HSET', state, 'fence', string.format('%.0f', fence))
redis.call('PERSIST', state)
redis.call('ZADD', KEYS[1], now + ARGV[1], name)
return {name, redis.call('HGET', state, 'key'), string.format('%.0f', fence), redis.call('HGET', state, 'tries'),
  redis.call('LRANGE', flight, 0, -1)}
"""
SETTLE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local name = ARGV[1]
local list, flight, state = 'list:' .. name, 'flight:' .. name, 'state:' .. name
if redis.call('HGET', state, 'fence') ~= ARGV[2] or redis.call('EXISTS', flight) == 0 then return 0 end
if ARGV[3] == 'retry' then
  redis.call('HINCRBY', state, 'tries', 1)
  redis.call('ZADD', KEYS[1], now + ARGV[4], name)
  return 1
end
redis.call('DEL', flight)
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[4]) end
if redis.call('EXISTS', list) == 1 then
  redis.call('ZADD', KEYS[1], math.max(now, tonumber(redis.call('HGET', state, 'next') or 0)), name)
else
  redis.call('ZREM', KEYS[1], name)
  redis.call('EXPIRE', state, ARGV[4])
end
return 1
"""


class DueIndex(Strategy):
    """Everything is in Redis; a function remembers nothing."""

    name = "due_index"
    tick_ms: ClassVar[int | None] = 1_000

    async def receive(self, message: Message) -> Receipt:
        """Append and arm, once."""
        name = name_of(message.conversation)
        keys = ["due", f"list:{name}", f"seen:{name}:{message.message_id!a}", f"state:{name}"]
        args = [name, packed(message), self.runtime.settings.buffer_delay_ms, self._marker_s]
        await self.runtime.redis.eval(ADD, 4, *keys, *args)
        return Receipt()

    async def tick(self) -> None:
        """Claim what is due, one conversation after the other, each in a task of its own."""
        while True:
            found: Any = await self.runtime.redis.eval(CLAIM, 1, "due", 150_000)
            if not found:
                return
            self.runtime.start(self._work(*found))

    async def _work(self, name: bytes, key: bytes, fence: bytes, tries: bytes, payloads: list[bytes]) -> None:
        conversation = conversation_of(name)
        messages = [unpacked(payload, conversation) for payload in payloads]
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return
        except HandOverError as error:
            if int(tries) < self.runtime.settings.max_retry_attempts:
                backoff_ms = round(1_000 * 2 ** int(tries) * self.runtime.random.uniform(0.5, 1.0))
                await self.runtime.redis.eval(SETTLE, 1, "due", name, fence, "retry", backoff_ms)
                return
            await self.runtime.dead_letter(messages, str(error))
            await self._settle(conversation, name, fence, messages)
            await self.runtime.report_status(conversation, "failed")
            return
        await self._settle(conversation, name, fence, messages)
        await self.runtime.report_status(conversation, "success")

    async def _settle(self, conversation: Conversation, name: bytes, fence: bytes, messages: list[Message]) -> None:
        seen = [f"seen:{name_of(conversation)}:{m.message_id!a}" for m in messages]
        await self.runtime.redis.eval(SETTLE, 1 + len(seen), "due", *seen, name, fence, "done", self._marker_s)

    @property
    def _marker_s(self) -> int:
        return self.runtime.settings.repeat_horizon_seconds + 600


class DueIndexFast(DueIndex):
    """The same, polled every 50 ms."""

    name = "due_index_fast"
    tick_ms = 50


class DueIndexSlow(DueIndex):
    """The same, polled once a minute."""

    name = "due_index_slow"
    tick_ms = 60_000
