"""A library of Redis functions, loaded when it is missing, called by FCALL."""

import json
from typing import Any, ClassVar

from redis.exceptions import ResponseError

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy

LIBRARY = """#!lua name=chatbuffer
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function add(keys, args)
  local name, id, payload, delay, keep = args[1], args[2], args[3], tonumber(args[4]), args[5]
  local ids, state = keys[1], keys[2]
  if redis.call('SADD', ids, id) == 0 then
    if redis.call('TTL', ids) > 0 then redis.call('EXPIRE', ids, keep) end
    return 0
  end
  redis.call('PERSIST', ids)
  redis.call('RPUSH', keys[3], payload)
  if redis.call('HSETNX', state, 'opened', clock()) == 1 then
    if redis.call('HEXISTS', state, 'key') == 0 then redis.call('ZADD', keys[4], clock() + delay, name) end
  end
  return 1
end

local function claim(keys, args)
  local now = clock()
  local found = redis.call('ZRANGE', keys[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)
  if #found == 0 then return nil end
  local name = found[1]
  local state = 'state:' .. name
  if redis.call('HEXISTS', state, 'key') == 0 then
    redis.call('HSET', state, 'key', args[2], 'tries', 0, 'size', redis.call('LLEN', 'list:' .. name))
    redis.call('HDEL', state, 'opened')
  end
  local fence = math.max(now, tonumber(redis.call('HGET', state, 'fence') or 0) + 1)
  redis.call('HSET', state, 'fence', string.format('%.0f', fence))
  redis.call('ZADD', keys[1], now + tonumber(args[1]), name)
  local size = tonumber(redis.call('HGET', state, 'size'))
  local head = redis.call('HMGET', state, 'key', 'fence', 'tries')
  return {name, head[1], head[2], head[3], redis.call('LRANGE', 'list:' .. name, 0, size - 1)}
end

local function settle(keys, args)
  local name, fence, back_off, delay, keep = args[1], args[2], tonumber(args[3]), tonumber(args[4]), args[5]
  local state, list, due, ids = keys[1], keys[2], keys[3], keys[4]
  if redis.call('HGET', state, 'fence') ~= fence or redis.call('HEXISTS', state, 'key') == 0 then return 0 end
  if back_off > 0 then
    redis.call('HINCRBY', state, 'tries', 1)
    redis.call('ZADD', due, clock() + back_off, name)
    return 1
  end
  redis.call('LTRIM', list, redis.call('HGET', state, 'size'), -1)
  redis.call('HDEL', state, 'key', 'tries', 'size')
  local opened = redis.call('HGET', state, 'opened')
  if opened then
    redis.call('ZADD', due, opened + delay, name)
  else
    redis.call('ZREM', due, name)
    redis.call('EXPIRE', state, keep)
    redis.call('EXPIRE', ids, keep)
  end
  return 1
end

redis.register_function('add', add)
redis.register_function('claim', claim)
redis.register_function('settle', settle)
"""


class Fcall(Strategy):
    """Everything that must be atomic is a function of the server."""

    name = "fcall"
    tick_ms: ClassVar[int | None] = 1_000

    async def _call(self, function: str, keys: list[str], *args: Any) -> Any:
        try:
            return await self.runtime.redis.fcall(function, len(keys), *keys, *args)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
        await self.runtime.redis.function_load(LIBRARY, replace=True)
        return await self.runtime.redis.fcall(function, len(keys), *keys, *args)

    async def receive(self, message: Message) -> Receipt:
        who = message.conversation
        name = json.dumps([who.instance_name, who.user_phone])
        body = json.dumps([message.message_id, message.text, message.data])
        keys = [f"ids:{name}", f"state:{name}", f"list:{name}", "due"]
        settings = self.runtime.settings
        await self._call("add", keys, name, json.dumps(message.message_id), body, settings.buffer_delay_ms, self._keep)
        return Receipt()

    @property
    def _keep(self) -> int:
        return self.runtime.settings.repeat_horizon_seconds + 600

    async def tick(self) -> None:
        while True:
            found = await self._call("claim", ["due"], 150_000, f"{self.runtime.random.getrandbits(128):032x}")
            if not found:
                return
            self.runtime.start(self._deliver(*found))

    async def _deliver(self, name: bytes, key: bytes, fence: bytes, tries: bytes, bodies: list[bytes]) -> None:
        conversation = Conversation(**dict(zip(("instance_name", "user_phone"), json.loads(name), strict=True)))
        messages = []
        for body in bodies:
            message_id, text, data = json.loads(body)
            messages.append(Message(conversation=conversation, message_id=message_id, text=text, data=data))
        back_off = 0
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return
        except HandOverError as error:
            if int(tries) < self.runtime.settings.max_retry_attempts:
                back_off = 1_000 * (int(tries) + 1)
            else:
                await self.runtime.dead_letter(messages, f"given up: {error}")
        text_name = name.decode()
        keys = [f"state:{text_name}", f"list:{text_name}", "due", f"ids:{text_name}"]
        await self._call("settle", keys, text_name, fence, back_off, self.runtime.settings.buffer_delay_ms, self._keep)
