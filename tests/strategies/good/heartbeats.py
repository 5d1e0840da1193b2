"""Sealed batches become jobs in one stream, which workers await by `XREADGROUP BLOCK`.

Who works on a job keeps it by `XCLAIM JUSTID` every few seconds; `XAUTOCLAIM` takes over what nobody keeps. Attempts are counted by
what failed, not by the group's delivery counter.
"""

import asyncio
from typing import Any, ClassVar

from kit import conversation_of, keep, mid, name_of, outcome, packed, rnd, unpacked

from redis.exceptions import RedisError, ResponseError

from engine.buffer import Message, Receipt, Strategy

JOBS, GROUP = "hb:jobs", "workers"
IDLE_MS, BEAT_S = 20_000, 5
CLOCK = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local us = t[1] * 1000000 + t[2]
local function int(x) return string.format('%.0f', x) end
"""
ADD = (
    CLOCK
    + """
local list, ids, st, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('SADD', ids, ARGV[2]) == 0 then
  if redis.call('TTL', ids) >= 0 then redis.call('EXPIRE', ids, ARGV[5]) end
  return 0
end
redis.call('PERSIST', ids)
redis.call('RPUSH', list, ARGV[3])
if redis.call('HSETNX', st, 'due', int(now + ARGV[4])) == 1 and redis.call('HEXISTS', st, 'key') == 0 then
  redis.call('ZADD', due, int(now + ARGV[4]), ARGV[1])
end
return 1
"""
)
SEAL = (
    CLOCK
    + """
local due, jobs, list, st = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local at = redis.call('ZSCORE', due, ARGV[1])
if not at or tonumber(at) > now then return 0 end
redis.call('ZREM', due, ARGV[1])
redis.call('HDEL', st, 'due')
redis.call('HSET', st, 'key', ARGV[2], 'count', redis.call('LLEN', list), 'tries', 0, 'after', 0, 'fence', 0)
redis.call('XADD', jobs, '*', 'who', ARGV[1], 'key', ARGV[2])
return 1
"""
)
BEGIN = (
    CLOCK
    + """
local st, list, jobs = KEYS[1], KEYS[2], KEYS[3]
if redis.call('HGET', st, 'key') ~= ARGV[1] then
  redis.call('XACK', jobs, ARGV[4], ARGV[3])
  redis.call('XDEL', jobs, ARGV[3])
  return false
end
if tonumber(redis.call('HGET', st, 'after')) > now then return false end
local fence = int(math.max(us, redis.call('HGET', st, 'fence') + 1))
redis.call('HSET', st, 'owner', ARGV[2], 'fence', fence)
return {fence, redis.call('HGET', st, 'tries'), redis.call('LRANGE', list, 0, redis.call('HGET', st, 'count') - 1)}
"""
)
END = (
    CLOCK
    + """
local st, list, jobs, due, ids = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('HGET', st, 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', st, 'owner')
if ARGV[2] == 'retry' then
  redis.call('HINCRBY', st, 'tries', 1)
  redis.call('HSET', st, 'after', int(now + 2000))
  return 1
end
redis.call('LTRIM', list, redis.call('HGET', st, 'count'), -1)
redis.call('HDEL', st, 'key', 'count', 'tries', 'after', 'fence')
redis.call('XACK', jobs, ARGV[5], ARGV[4])
redis.call('XDEL', jobs, ARGV[4])
local at = redis.call('HGET', st, 'due')
if at then redis.call('ZADD', due, at, ARGV[3])
else redis.call('EXPIRE', ids, ARGV[6]) end
return 1
"""
)


class Heartbeats(Strategy):
    name = "heartbeats"
    tick_ms: ClassVar[int | None] = 1_000
    shared_keys = frozenset({JOBS})

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._me = f"{runtime.random.getrandbits(64):016x}"
        self._running: set[bytes] = set()
        runtime.start(self._read())

    async def receive(self, message: Message) -> Receipt:
        who = name_of(message.conversation)
        keys = [f"hb:m:{who}", f"hb:ids:{who}", f"hb:st:{who}", "hb:due"]
        args = [who, mid(message), packed(message), self.runtime.settings.buffer_delay_ms]
        return Receipt(buffer_created=bool(await self.runtime.redis.eval(ADD, 4, *keys, *args, keep(self.runtime))))

    async def tick(self) -> None:
        redis = self.runtime.redis
        seconds, micros = await redis.time()
        for raw in await redis.zrange("hb:due", "-inf", seconds * 1000 + micros // 1000, byscore=True):
            who = raw.decode()
            key = rnd(self.runtime)
            await redis.eval(SEAL, 4, "hb:due", JOBS, f"hb:m:{who}", f"hb:st:{who}", who, key)
        start = b"0-0"
        while True:
            try:
                start, jobs, *_ = await redis.xautoclaim(JOBS, GROUP, self._me, IDLE_MS, start_id=start, count=20)
            except ResponseError:
                return  # no group yet
            for job, fields in jobs:
                self._begin(job, fields)
            if start == b"0-0":
                return

    async def _read(self) -> None:
        while True:
            try:
                found = await self.runtime.redis.xreadgroup(GROUP, self._me, {JOBS: ">"}, block=2_000)
            except ResponseError:
                try:
                    await self.runtime.redis.xgroup_create(JOBS, GROUP, id="0", mkstream=True)
                except RedisError:
                    await self.runtime.sleep(0.2)
                continue
            except RedisError:
                await self.runtime.sleep(0.5)
                continue
            for _, jobs in found or ():
                for job, fields in jobs:
                    self._begin(job, fields)

    def _begin(self, job: bytes, fields: dict[bytes, bytes]) -> None:
        if job not in self._running:
            self._running.add(job)
            self.runtime.start(self._run(job, fields[b"who"].decode(), fields[b"key"].decode()))

    async def _run(self, job: bytes, who: str, key: str) -> None:
        redis, token = self.runtime.redis, rnd(self.runtime)
        st, listed = f"hb:st:{who}", f"hb:m:{who}"
        beat: asyncio.Task[None] | None = None
        try:
            begun = await redis.eval(BEGIN, 3, st, listed, JOBS, key, token, job, GROUP)
            if not begun:
                return
            beat = asyncio.create_task(self._beat(job))
            fence, tries, bodies = begun
            c = conversation_of(who)
            messages = [unpacked(body, c) for body in bodies]
            what = await outcome(self.runtime, messages, key, int(fence), int(tries))
            if what != "refused":
                keys = [st, listed, JOBS, "hb:due", f"hb:ids:{who}"]
                await redis.eval(END, 5, *keys, token, what, who, job, GROUP, keep(self.runtime))
        except RedisError as error:
            self.runtime.note("job_left", error=repr(error))
        finally:
            if beat is not None:
                beat.cancel()
            self._running.discard(job)

    async def _beat(self, job: bytes) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self.runtime.redis.xclaim(JOBS, GROUP, self._me, 0, [job], justid=True)
            except RedisError:
                pass  # the next one will do
