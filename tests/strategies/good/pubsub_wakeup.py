"""Pub/sub wakes a worker up, and a tick looks all the same: a published word is a hint, never the truth."""

from typing import Any

from due_index import ADD, DueIndex
from redis.exceptions import RedisError
from shelf import name_of, packed

from engine.buffer import Message, Receipt


class PubsubWakeup(DueIndex):
    """Polls twice a minute; a published word makes it look when the buffer is due."""

    name = "pubsub_wakeup"
    tick_ms = 30_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        runtime.start(self._listen())

    async def receive(self, message: Message) -> Receipt:
        """Append, arm, and say so."""
        name = name_of(message.conversation)
        keys = ["due", f"list:{name}", f"seen:{name}:{message.message_id!a}", f"state:{name}"]
        delay_ms = self.runtime.settings.buffer_delay_ms
        await self.runtime.redis.eval(ADD, 4, *keys, name, packed(message), delay_ms, self._marker_s)
        await self.runtime.redis.publish("armed", name)
        return Receipt()

    async def _listen(self) -> None:
        while True:
            try:
                async with self.runtime.redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    await pubsub.subscribe("armed")
                    while True:
                        said = await pubsub.get_message(ignore_subscribe_messages=True, timeout=20)
                        if said is not None:
                            self.runtime.note("woken")
                            self.runtime.start(self._look())
            except RedisError:
                await self.runtime.sleep(1)

    async def _look(self) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        await self.tick()
