"""A timer is a key that expires; its event wakes every function, one of them claims. No tick: `cleanup` alone sweeps.

One script with an operation as argument. Messages lie in a list, what is in hand is a second list.
"""

from typing import Any

from kit import conversation_of, keep, mid, name_of, outcome, packed, rnd, unpacked

from redis.exceptions import RedisError

from engine.buffer import Message, Receipt, Strategy

SCRIPT = """#!lua
local wait, hand, st, ids, timer, open = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local op, who, keep = ARGV[1], ARGV[2], tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local us = t[1] * 1000000 + t[2]
local function int(x) return string.format('%.0f', x) end
local function set_timer()
  local at = redis.call('HGET', st, 'lease') or redis.call('HGET', st, 'due')
  if at then redis.call('SET', timer, 1, 'PX', int(math.max(1, tonumber(at) - now)))
  else redis.call('DEL', timer) end
end
if op == 'add' then
  if redis.call('HSETNX', ids, ARGV[4], 1) == 0 then
    if redis.call('TTL', ids) >= 0 then redis.call('EXPIRE', ids, keep) end
    return 0
  end
  redis.call('PERSIST', ids)
  redis.call('RPUSH', wait, ARGV[5])
  redis.call('SADD', open, who)
  if redis.call('HSETNX', st, 'due', int(now + ARGV[6])) == 1 then set_timer() end
  return 1
elseif op == 'claim' then
  local lease, due = redis.call('HGET', st, 'lease'), redis.call('HGET', st, 'due')
  if lease then
    if tonumber(lease) > now then return false end
  elseif not due or tonumber(due) > now then return false
  else
    redis.call('RENAME', wait, hand)
    redis.call('HDEL', st, 'due')
    redis.call('HSET', st, 'key', ARGV[4], 'tries', 0)
  end
  redis.call('HSET', st, 'owner', ARGV[4], 'lease', int(now + ARGV[5]),
    'fence', int(math.max(us, 1 + (redis.call('HGET', st, 'fence') or 0))))
  set_timer()
  return {redis.call('HMGET', st, 'key', 'fence', 'tries'), redis.call('LRANGE', hand, 0, -1)}
elseif op == 'settle' then
  if redis.call('HGET', st, 'owner') ~= ARGV[4] then return 0 end
  redis.call('HDEL', st, 'owner')
  if ARGV[5] == 'retry' then
    redis.call('HINCRBY', st, 'tries', 1)
    redis.call('HSET', st, 'lease', int(now + ARGV[6]))
  else
    redis.call('DEL', hand)
    redis.call('HDEL', st, 'lease', 'key', 'tries')
    if redis.call('HEXISTS', st, 'due') == 0 then
      redis.call('DEL', st)
      redis.call('SREM', open, who)
      redis.call('EXPIRE', ids, keep)
    end
  end
  set_timer()
  return 1
end
return redis.error_reply('ERR no such operation')
"""
TIMER = "ev:timer:"


class ExpiryEvents(Strategy):
    name = "expiry_events"
    tick_ms = None

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def _run(self, op: str, who: str, *args: Any) -> Any:
        keys = [f"ev:wait:{who}", f"ev:hand:{who}", f"ev:st:{who}", f"ev:ids:{who}", f"{TIMER}{who}", "ev:open"]
        return await self.runtime.redis.eval(SCRIPT, 6, *keys, op, who, keep(self.runtime), *args)

    async def receive(self, message: Message) -> Receipt:
        named, delay = mid(message), self.runtime.settings.buffer_delay_ms
        new = await self._run("add", name_of(message.conversation), named, packed(message), delay)
        return Receipt(buffer_created=bool(new))

    async def cleanup(self) -> int:
        """The sweep: each open conversation is tried; the script knows what is due."""
        served = 0
        for who in sorted(await self.runtime.redis.smembers("ev:open")):
            self.runtime.start(self._serve(who.decode()))
            served += 1
        return served

    async def _listen(self) -> None:
        while True:
            try:
                await self.runtime.redis.config_set("notify-keyspace-events", "Ex")
                async with self.runtime.redis.pubsub(ignore_subscribe_messages=True) as events:
                    await events.psubscribe("__keyevent@*__:expired")
                    await self.cleanup()  # what expired before
                    async for event in events.listen():
                        if event["data"].startswith(TIMER.encode()):
                            self.runtime.start(self._serve(event["data"][len(TIMER) :].decode()))
            except (RedisError, OSError) as error:
                self.runtime.note("listen_again", error=repr(error))
                await self.runtime.sleep(1)

    async def _serve(self, who: str) -> None:
        token = rnd(self.runtime)
        claimed = await self._run("claim", who, token, (self.runtime.settings.hand_over_timeout_seconds + 30) * 1000)
        if not claimed:
            return
        (key, fence, tries), bodies = claimed
        c = conversation_of(who)
        messages = [unpacked(body, c) for body in bodies]
        what = await outcome(self.runtime, messages, key.decode(), int(fence), int(tries))
        if what != "refused":
            await self._run("settle", who, token, what, min(60_000, 1_000 * 2 ** int(tries)))
