"""Delivery only through the endpoint: a slow tick of five seconds looks what is due and calls it. No timers."""

from typing import Any, ClassVar

import httpx
from kit import NOW, keep, mid, name_of, outcome, packed, rnd, unpacked, conversation_of

from engine.buffer import Conversation, Delivery, Message, Receipt, Strategy


class Posted(Strategy):
    name = "posted"
    tick_ms: ClassVar[int | None] = 5_000
    # pb: list; pp: pinned "key n tries"; pd: due, scores by the server's time
    ADD: ClassVar[str] = (
        NOW
        + """
if redis.call('HSETNX', KEYS[3], ARGV[2], 1) == 0 then
  if redis.call('TTL', KEYS[3]) > 0 then redis.call('EXPIRE', KEYS[3], ARGV[5]) end
  return 0
end
redis.call('PERSIST', KEYS[3])
redis.call('RPUSH', KEYS[2], string.format('%.0f', now) .. ' ' .. ARGV[3])
redis.call('ZADD', KEYS[1], 'NX', now + ARGV[4], ARGV[1])
return 1
"""
    )
    CLAIM: ClassVar[str] = (
        NOW
        + """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > now then return {} end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('HSET', KEYS[3], 'key', ARGV[2], 'n', redis.call('LLEN', KEYS[2]), 'tries', 0)
end
redis.call('HSET', KEYS[3], 'fence', us)
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
local h = redis.call('HMGET', KEYS[3], 'key', 'tries', 'n')
return {h[1], us, h[2], redis.call('LRANGE', KEYS[2], 0, h[3] - 1)}
"""
    )
    SETTLE: ClassVar[str] = (
        NOW
        + """
local h = redis.call('HMGET', KEYS[3], 'fence', 'n')
if h[1] ~= ARGV[2] then return 0 end
if ARGV[3] == 'retry' then
  redis.call('ZADD', KEYS[1], now + 500 * redis.call('HINCRBY', KEYS[3], 'tries', 1), ARGV[1])
  return 1
end
redis.call('LTRIM', KEYS[2], h[2], -1)
redis.call('DEL', KEYS[3])
local first = redis.call('LINDEX', KEYS[2], 0)
if first then
  redis.call('ZADD', KEYS[1], string.match(first, '^%d+') + ARGV[4], ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('EXPIRE', KEYS[4], ARGV[5])
end
return 1
"""
    )
    lease_ms: ClassVar[int] = 160_000

    async def receive(self, message: Message) -> Receipt:
        n = name_of(message.conversation)
        s = self.runtime.settings
        keys = ["pd", f"pb:{n}", f"pi:{n}"]
        created = await self.runtime.redis.eval(
            self.ADD, 3, *keys, n, mid(message), packed(message), s.buffer_delay_ms, keep(self.runtime)
        )
        return Receipt(buffer_created=bool(created))

    async def tick(self) -> None:
        s, us = await self.runtime.redis.time()
        for n in await self.runtime.redis.zrangebyscore("pd", "-inf", s * 1000 + us // 1000):
            self.runtime.start(self._post(conversation_of(n)))

    async def _post(self, c: Conversation) -> None:
        try:
            await self.runtime.post_delivery(c)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            self.runtime.note("not delivered", error=repr(error))

    async def deliver(self, conversation: Conversation) -> Delivery:
        n = name_of(conversation)
        keys = ["pd", f"pb:{n}", f"pp:{n}"]
        found: Any = await self.runtime.redis.eval(self.CLAIM, 3, *keys, n, rnd(self.runtime), self.lease_ms)
        if not found:
            return Delivery()
        key, fence, tries, raw = found
        messages = [unpacked(each.split(b" ", 1)[1], conversation) for each in raw]
        result = await outcome(self.runtime, messages, key.decode(), int(fence), int(tries))
        if result == "refused":
            return Delivery(success=False)
        await self.runtime.redis.eval(
            self.SETTLE,
            4,
            *keys,
            f"pi:{n}",
            n,
            fence,
            result,
            self.runtime.settings.buffer_delay_ms,
            keep(self.runtime),
        )
        return Delivery(success=result == "done", processed=len(messages) if result == "done" else 0)
