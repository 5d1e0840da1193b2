"""What asyncio and contextlib offer: gather, timeout, Lock, Queue, TaskGroup, async generators with a finally."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from redis.exceptions import RedisError
from shelf import conversation_of, name_of, packed, unpacked

from engine.buffer import HandOverError, Message, Receipt, Strategy


class AsyncioTools(Strategy):
    """Messages lie in a hash until they are confirmed; a tick fills a queue that two consumers empty."""

    name = "asyncio_tools"
    tick_ms: ClassVar[int | None] = 3_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._lock = asyncio.Lock()
        self._queue: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(maxsize=10)
        self._consuming = False

    async def receive(self, message: Message) -> Receipt:
        """Store the message, once in a day."""
        async with self._lock, asyncio.timeout(20):
            field = f"{name_of(message.conversation)}\n{message.message_id!a}"
            async with self.runtime.redis.pipeline(transaction=True) as pipe:
                pipe.sadd("known", field)
                pipe.hsetnx("waiting", field, packed(message))
                added, _ = await pipe.execute()
            if not added:  # a repeat: what is confirmed already must not lie there again
                await self.runtime.redis.eval(
                    "if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then redis.call('HDEL', KEYS[1], ARGV[1]) end",
                    2, "waiting", "done", field,
                )  # fmt: skip
        return Receipt()

    @contextlib.asynccontextmanager
    async def _consumers(self) -> AsyncIterator[None]:
        consumers = [asyncio.create_task(self._consume()) for _ in range(2)]
        try:
            yield
            await self._queue.join()
        finally:
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)

    async def tick(self) -> None:
        """Let two consumers hand over what lies there."""
        async with self._consumers():
            async for field, payload in self._waiting():
                await self._queue.put((field, payload))

    async def _waiting(self) -> AsyncIterator[tuple[bytes, bytes]]:
        waiting: Any = await self.runtime.redis.hgetall("waiting")
        try:
            for field in sorted(waiting):
                yield field, waiting[field]
        finally:
            self.runtime.note("looked", count=len(waiting))

    async def _consume(self) -> None:
        while True:
            field, payload = await self._queue.get()
            try:
                await self._hand_over(field, payload)
            except (HandOverError, RedisError):
                pass
            finally:
                self._queue.task_done()

    async def _hand_over(self, field: bytes, payload: bytes) -> None:
        name, _, message_id = field.decode().partition("\n")
        message = unpacked(payload, conversation_of(name))
        await self.runtime.hand_over([message], key=f"{name}/{message_id}")
        async with self.runtime.redis.pipeline(transaction=True) as pipe:
            pipe.hset("done", field, 1)
            pipe.expire("done", 86_400)
            pipe.expire("known", 86_400)
            pipe.hdel("waiting", field)
            await pipe.execute()
