"""`rpush_sleep_del`: `RPUSH`, `EXPIRE`, a local timer that each message of this function starts anew; `LRANGE`, hand over, `DEL`.

What would repair it: read and delete in one step *before* the hand-over (a rename to an in-flight list), and a due time in
Redis instead of a timer in each function's memory.
"""

import asyncio

from engine.buffer import Conversation, Message, Receipt, Runtime, Strategy
from scenarios.gallery.common import entry_of, key_of, messages_of


class RpushSleepDel(Strategy):
    """A sliding window in the memory of every function."""

    name = "rpush_sleep_del"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._timers: dict[Conversation, asyncio.Event] = {}

    async def receive(self, message: Message) -> Receipt:
        """Append, and start this function's timer anew."""
        key = key_of("list", message.conversation)
        await self.runtime.redis.rpush(key, entry_of(message))
        await self.runtime.redis.expire(key, self.runtime.settings.buffer_ttl_seconds)
        earlier = self._timers.get(message.conversation)
        if earlier is not None:
            earlier.set()
        cancelled = self._timers[message.conversation] = asyncio.Event()
        self.runtime.start(self._flush_later(message.conversation, cancelled))
        return Receipt(buffer_created=True)

    async def _flush_later(self, conversation: Conversation, cancelled: asyncio.Event) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        if cancelled.is_set():
            return
        key = key_of("list", conversation)
        entries = await self.runtime.redis.lrange(key, 0, -1)
        if entries:
            await self.runtime.hand_over(messages_of(conversation, entries))
            await self.runtime.redis.delete(key)
