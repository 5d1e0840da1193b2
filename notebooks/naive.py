"""The strategy of notebook 04: a list, a timer, and the two mistakes that nearly everybody makes first."""

import json

from engine.buffer import Conversation, Delivery, Message, Receipt, Strategy


class Naive(Strategy):
    """`RPUSH`; the first message starts a timer; then `LRANGE`, hand over, `DEL`."""

    name = "naive"

    async def receive(self, message: Message) -> Receipt:
        """Append; whoever appended first schedules the delivery."""
        entry = json.dumps({"id": message.message_id, "text": message.text, "data": message.data})
        length = await self.runtime.redis.rpush(self._key(message.conversation), entry)
        if length == 1:
            self.runtime.start(self._later(message.conversation))
        return Receipt(buffer_created=length == 1)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Read all, hand it over, delete the list."""
        key = self._key(conversation)
        entries = [json.loads(entry) for entry in await self.runtime.redis.lrange(key, 0, -1)]
        messages = [
            Message(conversation=conversation, message_id=entry["id"], text=entry["text"], data=entry["data"])
            for entry in entries
        ]
        if messages:
            await self.runtime.hand_over(messages)
            await self.runtime.redis.delete(key)
        return Delivery(processed=len(messages))

    async def _later(self, conversation: Conversation) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1_000)
        await self.runtime.post_delivery(conversation)

    def _key(self, conversation: Conversation) -> str:
        return json.dumps(["naive", conversation.instance_name, conversation.user_phone])
