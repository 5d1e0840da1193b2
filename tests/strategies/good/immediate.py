"""Hands over at once, under the message's id, before it answers. Remembers nothing: the processor knows what it has done."""

from engine.buffer import Message, Receipt, Strategy


class Immediate(Strategy):
    """No buffer: breaks `buffered`, `one_at_a_time`, and `available` where the processor takes longer than a webhook waits."""

    name = "immediate"

    async def receive(self, message: Message) -> Receipt:
        await self.runtime.hand_over([message], key=f"{message.conversation!r} {message.message_id!r}")
        return Receipt()
