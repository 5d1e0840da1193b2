"""The generation design, but a batch is a COPY of the list, taken at the claim, and its length is trimmed off when it is settled."""

from typing import Any, ClassVar

from kit import NOW, conversation_of, keep, mid, name_of, outcome, packed, rnd, unpacked

from engine.buffer import Message, Receipt, Strategy


class CopyPin(Strategy):
    name = "copy_pin"
    tick_ms: ClassVar[int | None] = 1_000
    ADD = (
        NOW
        + """
if redis.call('SADD', KEYS[3], ARGV[2]) == 0 then
  if redis.call('TTL', KEYS[3]) > 0 then redis.call('EXPIRE', KEYS[3], ARGV[5]) end
  return 0
end
redis.call('PERSIST', KEYS[3])
redis.call('RPUSH', KEYS[2], ARGV[3])
if redis.call('HSETNX', KEYS[4], 'open', now) == 1 and redis.call('HEXISTS', KEYS[4], 'key') == 0 then
  redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
end
return 1
"""
    )
    CLAIM = (
        NOW
        + """
local name = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
if not name then return {} end
local list, pin, s = 'kl:' .. name, 'kp:' .. name, 'ks:' .. name
if redis.call('HEXISTS', s, 'key') == 0 then
  redis.call('COPY', list, pin)
  redis.call('HSET', s, 'key', ARGV[2], 'tries', 0)
  redis.call('HDEL', s, 'open')
end
redis.call('HSET', s, 'fence', us)
redis.call('ZADD', KEYS[1], now + ARGV[1], name)
local h = redis.call('HMGET', s, 'key', 'tries')
return {name, h[1], us, h[2], redis.call('LRANGE', pin, 0, -1)}
"""
    )
    SETTLE = (
        NOW
        + """
local h = redis.call('HMGET', KEYS[4], 'fence', 'open')
if h[1] ~= ARGV[2] then return 0 end
if ARGV[3] == 'retry' then
  redis.call('ZADD', KEYS[1], now + 1000 * redis.call('HINCRBY', KEYS[4], 'tries', 1), ARGV[1])
  return 1
end
redis.call('LTRIM', KEYS[2], redis.call('LLEN', KEYS[5]), -1)
redis.call('DEL', KEYS[5])
if h[2] then
  redis.call('HDEL', KEYS[4], 'key', 'tries', 'fence')
  redis.call('ZADD', KEYS[1], h[2] + ARGV[4], ARGV[1])
else
  redis.call('DEL', KEYS[4])
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('EXPIRE', KEYS[3], ARGV[5])
end
return 1
"""
    )

    async def receive(self, message: Message) -> Receipt:
        n = name_of(message.conversation)
        s = self.runtime.settings
        await self.runtime.redis.eval(
            self.ADD, 4, *self._keys(n)[:4], n, mid(message), packed(message), s.buffer_delay_ms, keep(self.runtime)
        )
        return Receipt()

    async def tick(self) -> None:
        while found := await self.runtime.redis.eval(self.CLAIM, 1, "kwake", 160_000, rnd(self.runtime)):
            self.runtime.start(self._work(*found))

    async def _work(self, name: bytes, key: bytes, fence: bytes, tries: bytes, raw: list[bytes]) -> None:
        messages = [unpacked(each, conversation_of(name)) for each in raw]
        result = await outcome(self.runtime, messages, key.decode(), int(fence), int(tries))
        if result != "refused":
            n, delay = name.decode(), self.runtime.settings.buffer_delay_ms
            await self.runtime.redis.eval(self.SETTLE, 5, *self._keys(n), n, fence, result, delay, keep(self.runtime))

    def _keys(self, n: str) -> list[str]:
        return ["kwake", f"kl:{n}", f"ki:{n}", f"ks:{n}", f"kp:{n}"]
