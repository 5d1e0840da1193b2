"""An outbox that every function relays: receiving is one XADD, all else happens when the relay reads it."""

import json
from typing import Any, ClassVar

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

# Reads the whole outbox into the conversations' hashes, then claims one conversation that is due.
RELAY = """#!lua
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  local id, fields = entry[1], entry[2]
  local who, message_id, body = fields[2], fields[4], fields[6]
  local known = 'known:' .. who
  if redis.call('HSETNX', known, message_id, id) == 1 then
    redis.call('PERSIST', known)
    redis.call('ZADD', 'todo:' .. who, redis.call('INCR', 'count'), body)
    redis.call('HSET', 'at:' .. who, body, string.match(id, '^%d+'))
  elseif redis.call('TTL', known) > 0 then
    redis.call('EXPIRE', known, ARGV[3])
  end
  redis.call('XDEL', KEYS[1], id)
  if redis.call('EXISTS', 'todo:' .. who) == 1 and not redis.call('ZSCORE', KEYS[2], who) then
    redis.call('ZADD', KEYS[2], string.match(id, '^%d+') + ARGV[1], who)
  end
end
redis.call('DEL', KEYS[1])
local who = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1]
if not who then return nil end
redis.call('ZADD', KEYS[2], now + ARGV[2], who)
local flight = 'flight:' .. who
if redis.call('EXISTS', flight) == 0 then
  local size = redis.call('ZCARD', 'todo:' .. who)
  redis.call('HMSET', flight, 'size', size, 'key', ARGV[4], 'tries', 0)
end
local fence = string.format('%.0f', t[1] * 1000000 + t[2])
redis.call('HSET', flight, 'fence', fence)
local f = redis.call('HMGET', flight, 'size', 'key', 'tries')
return {who, f[2], fence, f[3], redis.call('ZRANGE', 'todo:' .. who, 0, f[1] - 1)}
"""
SETTLE = """#!lua flags=allow-stale
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local who, flight = ARGV[1], 'flight:' .. ARGV[1]
if redis.call('HGET', flight, 'fence') ~= ARGV[2] then return 0 end
if tonumber(ARGV[3]) > 0 then
  redis.call('HINCRBY', flight, 'tries', 1)
  redis.call('ZADD', KEYS[1], now + ARGV[3], who)
  return 1
end
local size = tonumber(redis.call('HGET', flight, 'size'))
for _, body in ipairs(redis.call('ZRANGE', 'todo:' .. who, 0, size - 1)) do redis.call('HDEL', 'at:' .. who, body) end
redis.call('ZREMRANGEBYRANK', 'todo:' .. who, 0, size - 1)
redis.call('DEL', flight)
local first = redis.call('ZRANGE', 'todo:' .. who, 0, 0)[1]
if first then
  redis.call('ZADD', KEYS[1], redis.call('HGET', 'at:' .. who, first) + ARGV[4], who)
else
  redis.call('ZREM', KEYS[1], who)
  redis.call('EXPIRE', 'known:' .. who, ARGV[5])
end
return 1
"""


class Outbox(Strategy):
    name = "outbox"
    tick_ms: ClassVar[int | None] = 1_000
    shared_keys = frozenset({"count"})

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self.relay = runtime.redis.register_script(RELAY)
        self.settle = runtime.redis.register_script(SETTLE)

    async def receive(self, message: Message) -> Receipt:
        who = message.conversation
        entry = {
            "who": json.dumps([who.instance_name, who.user_phone]),
            "id": json.dumps(message.message_id),
            "body": json.dumps([message.message_id, message.text, message.data]),
        }
        await self.runtime.redis.xadd("outbox", entry)
        return Receipt()

    async def tick(self) -> None:
        settings = self.runtime.settings
        keep = settings.repeat_horizon_seconds + 600
        while True:
            key = f"{self.runtime.random.getrandbits(64):x}"
            found = await self.relay(["outbox", "due"], [settings.buffer_delay_ms, 150_000, keep, key])
            if not found:
                return
            self.runtime.start(self.hand(*found))

    async def hand(self, who: bytes, key: bytes, fence: bytes, tries: bytes, bodies: list[bytes]) -> None:
        instance, phone = json.loads(who)
        conversation = Conversation(instance_name=instance, user_phone=phone)
        loaded = [json.loads(body) for body in bodies]
        messages = [Message(conversation=conversation, message_id=i, text=t, data=d) for i, t, d in loaded]
        settings, wait_ms = self.runtime.settings, 0
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return
        except HandOverError as error:
            if int(tries) < settings.max_retry_attempts:
                wait_ms = 2_000
            else:
                await self.runtime.dead_letter(messages, str(error))
        keep = settings.repeat_horizon_seconds + 600
        await self.settle(["due"], [who, fence, wait_ms, settings.buffer_delay_ms, keep])
