"""Timers in the function that created a buffer, `post_delivery`, and a tick as the safety net; state in a hash."""

import dataclasses
import json
from typing import Any, ClassVar

import httpx
from redis.exceptions import RedisError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import Conversation, Delivery, HandOverError, Message, Receipt, Strategy

NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""
ADD = (
    NOW
    + """
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then
  redis.call('HSET', KEYS[2], ARGV[2], 1)
  redis.call('PERSIST', KEYS[2])
  local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('HSET', KEYS[1], 'm' .. n, ARGV[3])
  if not redis.call('HGET', KEYS[1], 'due') then redis.call('HSET', KEYS[1], 'due', now + ARGV[4]) end
end
redis.call('SADD', KEYS[3], ARGV[1])
return {redis.call('HGET', KEYS[1], 'due') or '', now}
"""
)
CLAIM = (
    NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[3], ARGV[1])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
  return {}
end
local f = redis.call('HMGET', KEYS[1], 'due', 'key', 'until', 'first', 'last', 'n', 'tries', 'fence')
local first, last = tonumber(f[4] or 0), tonumber(f[5] or 0)
if f[2] then
  if tonumber(f[3]) > now then return {} end
else
  if not f[1] or tonumber(f[1]) > now then return {} end
  first, last = last + 1, tonumber(f[6])
  redis.call('HSET', KEYS[1], 'key', ARGV[4] .. '-' .. first, 'first', first, 'last', last, 'tries', 0)
  redis.call('HDEL', KEYS[1], 'due')
end
local fence = math.max(now, tonumber(f[8] or 0) + 1)
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'fence', string.format('%.0f', fence))
local found = {redis.call('HGET', KEYS[1], 'key'), string.format('%.0f', fence), redis.call('HGET', KEYS[1], 'tries')}
for i = first, last do found[#found + 1] = redis.call('HGET', KEYS[1], 'm' .. i) end
return found
"""
)
SETTLE = (
    NOW
    + """
local f = redis.call('HMGET', KEYS[1], 'fence', 'first', 'last', 'n')
if f[1] ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
  redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
  return 1
end
for i = tonumber(f[2]), tonumber(f[3]) do redis.call('HDEL', KEYS[1], 'm' .. i) end
redis.call('HDEL', KEYS[1], 'key', 'until', 'first', 'tries', 'fence')
if tonumber(f[4]) > tonumber(f[3]) then
  if not redis.call('HGET', KEYS[1], 'due') then redis.call('HSET', KEYS[1], 'due', now) end
else
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[4], ARGV[1])
  redis.call('EXPIRE', KEYS[5], ARGV[4])
end
return 1
"""
)


@dataclasses.dataclass(slots=True)
class Batch:
    """A claimed batch."""

    key: str
    fence: int
    tries: int
    messages: list[Message]


class TimersAndNet(Strategy):
    """Three ways lead to a delivery; the claim lets one of them through."""

    __slots__ = ("_timers",)
    name = "timers_and_net"
    tick_ms: ClassVar[int | None] = 5_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._timers: set[Conversation] = set()

    async def receive(self, message: Message) -> Receipt:
        """Store, and start a timer if this function has none for the conversation."""
        name = name_of(message.conversation)
        keys = [f"buffer:{name}", f"ids:{name}", "open"]
        args = [name, f"{message.message_id!a}", packed(message), self.runtime.settings.buffer_delay_ms]
        due, now = await self.runtime.redis.eval(ADD, 3, *keys, *args)
        if due and message.conversation not in self._timers:
            self._timers.add(message.conversation)
            self.runtime.start(self._timer(message.conversation, (int(due) - int(now)) / 1000))
        return Receipt()

    async def _timer(self, conversation: Conversation, seconds: float) -> None:
        try:
            await self.runtime.sleep(max(0.0, seconds))
        finally:
            self._timers.discard(conversation)
        try:
            status, body = await self.runtime.post_delivery(conversation)
        except (httpx.HTTPError, TimeoutError):
            return
        if status == 200:
            self.runtime.note("delivered", processed=body["processed"])

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Claim, hand over, settle."""
        batch = await self._claim(conversation)
        if batch is None:
            return Delivery()
        try:
            await self.runtime.hand_over(batch.messages, key=batch.key, fence=batch.fence)
        except HandOverError as error:
            settings = self.runtime.settings
            if type(error).__name__ == "HandOverRefused":
                return Delivery(success=False)
            if batch.tries < settings.max_retry_attempts:
                await self._settle(conversation, batch, str(1_000 << batch.tries))
                return Delivery(success=False)
            await self.runtime.dead_letter(batch.messages, f"{batch.tries + 1} failures")
            await self._settle(conversation, batch, "")
            await self.runtime.report_status(conversation, "failed")
            return Delivery(success=False)
        await self._settle(conversation, batch, "")
        await self.runtime.report_status(conversation, "success")
        return Delivery(processed=len(batch.messages))

    async def tick(self) -> None:
        """Whatever is open is delivered, if it is due."""
        for name in sorted(await self.runtime.redis.smembers("open")):
            self.runtime.start(self._net(conversation_of(name)))

    async def _net(self, conversation: Conversation) -> None:
        try:
            await self.deliver(conversation)
        except RedisError as error:
            self.runtime.note("net", error=json.dumps(str(error)))

    async def _claim(self, conversation: Conversation) -> Batch | None:
        name = name_of(conversation)
        keys = [f"buffer:{name}", f"ids:{name}", "open"]
        args = [name, 150_000, self._marker_s, f"{self.runtime.random.getrandbits(64):016x}"]
        found: Any = await self.runtime.redis.eval(CLAIM, 3, *keys, *args)
        if not found:
            return None
        key, fence, tries, *payloads = found
        return Batch(key.decode(), int(fence), int(tries), [unpacked(payload, conversation) for payload in payloads])

    async def _settle(self, conversation: Conversation, batch: Batch, back_off_ms: str) -> None:
        name = name_of(conversation)
        keys = [f"buffer:{name}", f"ids:{name}", "-", "open", f"ids:{name}"]
        await self.runtime.redis.eval(SETTLE, 5, *keys, name, batch.fence, back_off_ms, self._marker_s)

    @property
    def _marker_s(self) -> int:
        return self.runtime.settings.repeat_horizon_seconds + 600
