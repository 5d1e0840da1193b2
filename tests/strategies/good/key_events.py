"""A timer key whose `expired` event wakes a worker, if the server sends it; a tick looks all the same."""

from typing import Any, ClassVar

from due_index import DueIndex
from redis.exceptions import RedisError

from engine.buffer import Message, Receipt


class KeyEvents(DueIndex):
    name = "key_events"
    tick_ms: ClassVar[int | None] = 5_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def receive(self, message: Message) -> Receipt:
        receipt = await super().receive(message)
        who = message.conversation
        try:
            await self.runtime.redis.set(f"timer:{who!r}", 1, nx=True, px=self.runtime.settings.buffer_delay_ms)
        except RedisError:
            pass  # only a hint
        return receipt

    async def _listen(self) -> None:
        while True:
            try:
                await self.runtime.redis.config_set("notify-keyspace-events", "Ex")
                async with self.runtime.redis.pubsub() as pubsub:
                    await pubsub.psubscribe("__keyevent@*__:expired")
                    async for event in pubsub.listen():
                        if event["type"] == "pmessage":
                            await DueIndex.tick(self)
            except RedisError:
                await self.runtime.sleep(1)
