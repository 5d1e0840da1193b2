"""Strategy `lua`: the plan's problem 5. The add and the mark are a script each; what is between them is not."""

from typing import ClassVar

from redis.exceptions import RedisError

from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.plan.cleanup import cleanup_old_buffers
from engine.buffer.plan.delivery import schedule_delivery
from engine.buffer.plan.document import batch_of, entry_of, iso, load
from engine.buffer.plan.keys import buffer_key
from engine.buffer.plan.times import Times
from engine.buffer.runtime import Runtime, encode
from engine.buffer.scripts import Script
from engine.buffer.strategy import Strategy

ADD_MESSAGE_TO_BUFFER = Script.load("engine.buffer.plan", "add_message_to_buffer.lua")
GET_AND_MARK_BUFFER = Script.load("engine.buffer.plan", "get_and_mark_buffer.lua")


class Lua(Strategy):
    """Add: a script, then a separate `GET`. Process: a script that reads and marks, then the hand-over."""

    name: ClassVar[str] = "lua"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.times = Times(runtime.settings)

    async def receive(self, message: Message) -> Receipt:
        """Add the message; if the buffer then holds it alone, schedule the delivery."""
        try:
            receipt = await self._add(message)
        except RedisError:
            receipt = Receipt(success=False, fallback_to_immediate=True)
        if receipt.buffer_created:
            await schedule_delivery(self.runtime, self.times, message.conversation, retries=True)
        return receipt

    async def _add(self, message: Message) -> Receipt:
        key = buffer_key(message.conversation)
        now = self.runtime.now()
        command, ttl = self.times.ttl(self.runtime.settings.buffer_ttl_seconds)
        added = await ADD_MESSAGE_TO_BUFFER.run(
            self.runtime.redis, keys=[key], args=[encode(entry_of(message, now)), ttl, iso(now), command]
        )
        if added != 1:
            return Receipt(success=False, fallback_to_immediate=True)
        # A separate GET: by now another message may have joined, or the buffer may be gone.
        document = load(await self.runtime.redis.get(key))
        return Receipt(buffer_created=document is not None and len(document["messages"]) == 1)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Mark the buffer and hand over what it held. If the processor raises, the buffer stays marked."""
        command, ttl = self.times.ttl(self.runtime.settings.processed_buffer_ttl)
        stored = await GET_AND_MARK_BUFFER.run(
            self.runtime.redis, keys=[buffer_key(conversation)], args=[ttl, iso(self.runtime.now()), command]
        )
        document = load(stored)
        if document is None:
            return Delivery()
        batch = batch_of(document, conversation)
        if batch:
            await self.runtime.hand_over(batch)
        return Delivery(processed=len(batch))

    async def cleanup(self) -> int:
        """Delete buffers processed long ago."""
        return await cleanup_old_buffers(self.runtime, self.times)
