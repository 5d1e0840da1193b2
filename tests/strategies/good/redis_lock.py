"""`redis.asyncio.lock.Lock` keeps two workers apart, a pinned batch and WATCH keep it right when the lock is lost. No Lua."""

import json
from typing import Any, ClassVar

from redis.exceptions import LockError, RedisError, WatchError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import Conversation, HandOverError, HandOverRefused, Message, Receipt, Strategy


class RedisLock(Strategy):
    """Messages in a hash, their order in a sorted set, the batch in flight pinned in a key."""

    name = "redis_lock"
    tick_ms: ClassVar[int | None] = 2_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._busy: set[str] = set()

    async def _us(self) -> int:
        seconds, micros = await self.runtime.redis.time()
        return int(seconds) * 1_000_000 + int(micros)

    async def receive(self, message: Message) -> Receipt:
        """One transaction; what is done already is sorted out when a batch is made."""
        name = name_of(message.conversation)
        field = f"{message.message_id!a}"
        now = await self._us()
        async with self.runtime.redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(f"messages:{name}", field, packed(message))
            pipe.zadd(f"arrivals:{name}", {field: now}, nx=True)
            pipe.zadd("due", {name: now / 1000 + self.runtime.settings.buffer_delay_ms}, nx=True)
            await pipe.execute()
        return Receipt(buffer_created=True)

    async def tick(self) -> None:
        """Work on whatever is due."""
        now = await self._us()
        for raw in await self.runtime.redis.zrangebyscore("due", "-inf", now / 1000):
            name = raw.decode()
            if name not in self._busy:
                self._busy.add(name)
                self.runtime.start(self._guarded(name))

    async def _guarded(self, name: str) -> None:
        lock = self.runtime.redis.lock(f"lock:{name}", timeout=150, blocking=False)
        try:
            if await lock.acquire():
                try:
                    await self._work(name)
                finally:
                    await lock.release()
        except LockError:
            self.runtime.note("lock_lost")
        finally:
            self._busy.discard(name)

    async def _pinned(self, name: str) -> dict[str, Any] | None:
        """The batch in flight, made of all that has arrived if there is none."""
        async with self.runtime.redis.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(f"batch:{name}", f"arrivals:{name}", f"done:{name}")
                    raw = await pipe.get(f"batch:{name}")
                    if raw:
                        return json.loads(raw)
                    due = await pipe.zscore("due", name)
                    if due is None:
                        return None
                    ids = [each.decode() for each in await pipe.zrange(f"arrivals:{name}", 0, -1)]
                    done = {each.decode() for each in await pipe.smembers(f"done:{name}")}
                    again = [each for each in ids if each in done]
                    batch = {"key": f"{self.runtime.random.getrandbits(64):x}", "tries": 0}
                    batch["ids"] = [each for each in ids if each not in done]
                    pipe.multi()
                    if again:
                        pipe.zrem(f"arrivals:{name}", *again)
                        pipe.hdel(f"messages:{name}", *again)
                    if batch["ids"]:
                        pipe.set(f"batch:{name}", json.dumps(batch))
                    else:
                        pipe.zrem("due", name)
                    await pipe.execute()
                    return batch if batch["ids"] else None
                except WatchError:
                    continue

    async def _work(self, name: str) -> None:
        redis, conversation = self.runtime.redis, conversation_of(name)
        batch = await self._pinned(name)
        if batch is None:
            return
        fence = await self._us()
        payloads = await redis.hmget(f"messages:{name}", batch["ids"])
        if None in payloads:
            return  # somebody else has finished it meanwhile
        messages = [unpacked(each, conversation) for each in payloads]
        try:
            await self.runtime.hand_over(messages, key=batch["key"], fence=fence)
        except HandOverRefused:
            return
        except HandOverError as error:
            if batch["tries"] < self.runtime.settings.max_retry_attempts:
                await self._settle(name, batch, again=True)
                return
            await self.runtime.dead_letter(messages, str(error))
        await self._settle(name, batch, again=False)

    async def _settle(self, name: str, batch: dict[str, Any], *, again: bool) -> None:
        keep = self.runtime.settings.repeat_horizon_seconds + 600
        delay = self.runtime.settings.buffer_delay_ms
        async with self.runtime.redis.pipeline() as pipe:
            while True:
                try:
                    await pipe.watch(f"batch:{name}", f"arrivals:{name}")
                    raw = await pipe.get(f"batch:{name}")
                    if not raw or json.loads(raw)["key"] != batch["key"]:
                        return
                    rest = [
                        score
                        for each, score in await pipe.zrange(f"arrivals:{name}", 0, -1, withscores=True)
                        if each.decode() not in batch["ids"]
                    ]
                    now = await self._us()
                    pipe.multi()
                    if again:
                        pipe.set(f"batch:{name}", json.dumps({**batch, "tries": batch["tries"] + 1}))
                        pipe.zadd("due", {name: now / 1000 + 1_000 * 2 ** batch["tries"]})
                    else:
                        pipe.delete(f"batch:{name}")
                        pipe.zrem(f"arrivals:{name}", *batch["ids"])
                        pipe.hdel(f"messages:{name}", *batch["ids"])
                        pipe.sadd(f"done:{name}", *batch["ids"])
                        pipe.expire(f"done:{name}", keep)
                        if rest:
                            pipe.zadd("due", {name: rest[0] / 1000 + delay})
                        else:
                            pipe.zrem("due", name)
                    await pipe.execute()
                    return
                except WatchError:
                    continue
