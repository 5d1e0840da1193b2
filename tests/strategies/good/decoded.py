"""A second client of its own with `decode_responses`, made from the first one's settings."""

from typing import Any, ClassVar

import redis.asyncio as aioredis
from due_index import ADD, CLAIM, SETTLE, DueIndex
from shelf import name_of, packed

from engine.buffer import Message, Receipt


class Decoded(DueIndex):
    name = "decoded"
    tick_ms: ClassVar[int | None] = 1_000

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        pool = runtime.redis.connection_pool
        self.text = aioredis.Redis(
            connection_pool=aioredis.ConnectionPool(
                connection_class=pool.connection_class, **{**pool.connection_kwargs, "decode_responses": True}
            )
        )
        self.claim = self.text.register_script(CLAIM)
        self.add = self.text.register_script(ADD)

    async def receive(self, message: Message) -> Receipt:
        name = name_of(message.conversation)
        keys = ["due", f"list:{name}", f"seen:{name}:{message.message_id!a}", f"state:{name}"]
        args = [name, packed(message), self.runtime.settings.buffer_delay_ms, self._marker_s]
        await self.add(keys=keys, args=args)
        return Receipt()

    async def tick(self) -> None:
        while found := await self.claim(keys=["due"], args=[150_000]):
            name, key, fence, tries, payloads = found
            self.runtime.start(
                self._work(name.encode(), key.encode(), fence.encode(), tries.encode(), [p.encode() for p in payloads])
            )
