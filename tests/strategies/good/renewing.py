"""A short lease that a background task renews while the processor works."""

import asyncio
from typing import Any, ClassVar

from due_index import CLAIM, DueIndex
from redis.exceptions import RedisError
from shelf import conversation_of, name_of, unpacked

RENEW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HGET', 'state:' .. ARGV[1], 'fence') ~= ARGV[2] or redis.call('EXISTS', 'flight:' .. ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], 'XX', 'GT', now + ARGV[3], ARGV[1])
return 1
"""


class Renewing(DueIndex):
    """The lease lasts 20 s and is renewed every 5."""

    name = "renewing"
    tick_ms: ClassVar[int | None] = 1_000

    async def tick(self) -> None:

        while found := await self.runtime.redis.eval(CLAIM, 1, "due", 20_000):
            self.runtime.start(self._renewed(*found))

    async def _renewed(self, name: bytes, fence_key: bytes, fence: bytes, *rest: Any) -> None:
        beat = asyncio.create_task(self._beat(name, fence))
        try:
            await self._work(name, fence_key, fence, *rest)
        finally:
            beat.cancel()

    async def _beat(self, name: bytes, fence: bytes) -> None:
        while True:
            await asyncio.sleep(5)
            try:
                async with asyncio.timeout(4):
                    if not await self.runtime.redis.eval(RENEW, 1, "due", name, fence, 20_000):
                        return
            except (RedisError, TimeoutError) as error:
                self.runtime.note("renewal failed", error=str(error))
