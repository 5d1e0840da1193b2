"""Ticks that wait on BLPOP for a word from `receive`, at most 3 s; the truth is in the due index."""

from typing import ClassVar

from due_index import DueIndex

from engine.buffer import Message, Receipt


class BlockingTick(DueIndex):
    """A list of wake-up words, trimmed and with an end of its own."""

    name = "blocking_tick"
    tick_ms: ClassVar[int | None] = 10

    async def receive(self, message: Message) -> Receipt:
        receipt = await super().receive(message)
        async with self.runtime.redis.pipeline(transaction=False) as pipe:
            pipe.lpush("wake", "1")
            pipe.ltrim("wake", 0, 9)
            pipe.expire("wake", 60)
            await pipe.execute()
        return receipt

    async def tick(self) -> None:
        await self.runtime.redis.blpop(["wake"], timeout=3)
        await super().tick()
