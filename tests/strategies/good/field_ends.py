"""One hash a conversation, one script with a state machine; repeat markers are fields that end by themselves (`HPEXPIRE`)."""

import asyncio
import zlib
from typing import Any, ClassVar

from kit import conversation_of, keep, mid, name_of, outcome, packed, rnd, unpacked
from redis.exceptions import RedisError

from engine.buffer import Message, Receipt, Strategy

MACHINE = """#!lua flags=allow-oom
local H, DUE = KEYS[1], KEYS[2]
local op, who = ARGV[1], ARGV[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local us = t[1] * 1000000 + t[2]
local function int(x) return string.format('%.0f', x) end
local function get(f) return redis.call('HGET', H, f) end
local function num(f) return tonumber(get(f) or '0') end

local function rearm()
  -- where in the index this conversation belongs, by its state alone
  if get('e') then redis.call('ZADD', DUE, get('l'), who)
  elseif get('d') then redis.call('ZADD', DUE, get('d'), who)
  else
    redis.call('ZREM', DUE, who)
    redis.call('HDEL', H, 'n', 'h')
  end
end

if op == 'add' then
  local id, payload, delay, keep = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
  local mark = 'i' .. id
  if redis.call('HEXISTS', H, mark) == 1 then
    local ttl = redis.call('HPTTL', H, 'FIELDS', 1, mark)
    if ttl[1] >= 0 then redis.call('HPEXPIRE', H, keep, 'FIELDS', 1, mark) end
    rearm()
    return 0
  end
  local n = num('n')
  redis.call('HSET', H, mark, 1, 'p' .. n, payload, 'm' .. n, id, 'n', n + 1, 'h', num('h'))
  if not get('d') then redis.call('HSET', H, 'd', int(now + delay)) end
  rearm()
  return 1
end

if op == 'claim' then
  local token, lease = ARGV[3], tonumber(ARGV[4])
  if get('e') then
    if num('l') > now then rearm() return false end
  else
    if not get('d') or num('d') > now then rearm() return false end
    redis.call('HSET', H, 'e', num('n'), 'k', token, 't', 0)
    redis.call('HDEL', H, 'd')
  end
  local f = math.max(num('f') + 1, us)
  redis.call('HSET', H, 'o', token, 'f', int(f), 'l', int(now + lease))
  rearm()
  local out = {get('k'), int(f), get('t')}
  for i = num('h'), num('e') - 1 do out[#out + 1] = get('p' .. i) end
  return out
end

if op == 'settle' then
  local token, what, ms = ARGV[3], ARGV[4], tonumber(ARGV[5])
  if get('o') ~= token then return 0 end
  redis.call('HDEL', H, 'o')
  if what == 'retry' then
    redis.call('HINCRBY', H, 't', 1)
    redis.call('HSET', H, 'l', int(now + ms))
  else
    for i = num('h'), num('e') - 1 do
      redis.call('HPEXPIRE', H, ms, 'FIELDS', 1, 'i' .. get('m' .. i))
      redis.call('HDEL', H, 'p' .. i, 'm' .. i)
    end
    redis.call('HSET', H, 'h', get('e'))
    redis.call('HDEL', H, 'e', 'k', 't', 'l', 'f')
  end
  rearm()
  return 1
end
return redis.error_reply('unknown op')
"""
SHARDS = 4


class FieldEnds(Strategy):
    """`n` next number, `h` first unanswered, `e` end of the batch in hand, `d` due, `l` lease, `o` owner, `f` fence."""

    name = "field_ends"
    tick_ms: ClassVar[int | None] = 1_000
    script = MACHINE

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._busy: set[bytes] = set()

    async def _run(self, who: bytes, *args: Any) -> Any:
        shard = zlib.crc32(who) % SHARDS
        return await self.runtime.redis.eval(
            self.script,
            2,
            f"ft:{{{shard}}}:c:".encode() + who,
            f"ft:{{{shard}}}:due",
            args[0],
            who,
            *args[1:],
            self._keep_ms,
        )

    @property
    def _keep_ms(self) -> int:
        return keep(self.runtime) * 1000

    async def receive(self, message: Message) -> Receipt:
        who, delay = name_of(message.conversation).encode(), self.runtime.settings.buffer_delay_ms
        new = await self._run(who, "add", mid(message), packed(message), delay, self._keep_ms)
        return Receipt(buffer_created=bool(new))

    async def tick(self) -> None:
        seconds, micros = await self.runtime.redis.time()
        now = seconds * 1000 + micros // 1000
        for shard in range(SHARDS):
            for who in await self.runtime.redis.zrange(f"ft:{{{shard}}}:due", "-inf", now, byscore=True):
                if who not in self._busy:
                    self._busy.add(who)
                    self.runtime.start(self._serve(who))

    async def _serve(self, who: bytes) -> None:
        try:
            token = rnd(self.runtime)
            lease = (self.runtime.settings.hand_over_timeout_seconds + 30) * 1000
            claimed = await self._run(who, "claim", token, lease)
            if not claimed:
                return
            key, fence, tries, *bodies = claimed
            c = conversation_of(who)
            messages = [unpacked(body, c) for body in bodies]
            what = await outcome(self.runtime, messages, key.decode(), int(fence), int(tries))
            if what != "refused":
                wait_ms = min(60_000, 1_000 * 2 ** int(tries)) if what == "retry" else self._keep_ms
                await self._run(who, "settle", token, what, wait_ms)
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            self.runtime.note("serve_failed", error=str(error))
        finally:
            self._busy.discard(who)
