"""Loops that never return: one started with the function by runtime.start, one by asyncio, one that is the tick itself."""

import asyncio
from typing import Any, ClassVar

from due_index import DueIndex
from redis.exceptions import RedisError


class LoopInTheBackground(DueIndex):
    """No tick: each function looks every two seconds by itself."""

    name = "loop_in_the_background"
    tick_ms: ClassVar[int | None] = None

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._loop())

    async def _loop(self) -> None:
        while True:
            try:
                await self.tick()
            except RedisError as error:
                self.runtime.note("loop", error=str(error))
            await self.runtime.sleep(2)


class LoopOfItsOwn(LoopInTheBackground):
    """The same in a task that the runtime does not know."""

    name = "loop_of_its_own"

    def __init__(self, runtime: Any) -> None:
        DueIndex.__init__(self, runtime)
        self._task = asyncio.create_task(self._loop())


class EndlessTick(DueIndex):
    """A tick that goes round and round: the one that was begun first is the only one."""

    name = "endless_tick"

    async def tick(self) -> None:
        """Look every second."""
        while True:
            try:
                await super().tick()
            except RedisError as error:
                self.runtime.note("loop", error=str(error))
            await self.runtime.sleep(1)
