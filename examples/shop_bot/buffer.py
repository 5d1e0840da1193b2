"""The buffer of a small shop's bot: a Redis list a customer, and eight seconds of waiting for what else they write."""

import json
from collections.abc import Sequence
from typing import Any

from engine.buffer import Conversation, Message, Receipt, Strategy


class ShopBuffer(Strategy):
    """The first message of a burst starts a timer; when it ends, the list is read, deleted and answered.

    It has a bug that no test of the shop's had ever hit: see tests/test_buffer.py.
    """

    name = "shop_buffer"

    async def receive(self, message: Message) -> Receipt:
        """Append the message. Whoever appended the first one waits and answers."""
        entry = json.dumps([message.message_id, message.text, message.data])
        length = await self.runtime.redis.rpush(_key(message.conversation), entry)
        if length == 1:
            self.runtime.start(self._answer_later(message.conversation))
        return Receipt(buffer_created=length == 1)

    async def _answer_later(self, conversation: Conversation) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        entries = await self._take(conversation)
        if entries:
            messages = [_message(conversation, entry) for entry in entries]
            await self.runtime.hand_over(messages, key=f"{_key(conversation)}:{messages[0].message_id}")

    async def _take(self, conversation: Conversation) -> Sequence[Any]:
        key = _key(conversation)
        entries: Sequence[Any] = await self.runtime.redis.lrange(key, 0, -1)
        await self.runtime.redis.delete(key)
        return entries


class RepairedShopBuffer(ShopBuffer):
    """The same, but reading and deleting are one transaction: nothing can be appended in between."""

    name = "repaired_shop_buffer"

    async def _take(self, conversation: Conversation) -> Sequence[Any]:
        key = _key(conversation)
        async with self.runtime.redis.pipeline(transaction=True) as both:
            entries, _ = await both.lrange(key, 0, -1).delete(key).execute()
        return list(entries)


def _key(conversation: Conversation) -> str:
    # As JSON: a name may hold a colon.
    return "shop:" + json.dumps([conversation.instance_name, conversation.user_phone])


def _message(conversation: Conversation, entry: bytes) -> Message:
    message_id, text, data = json.loads(entry)
    return Message(conversation=conversation, message_id=message_id, text=text, data=data)
