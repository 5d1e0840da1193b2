"""A deliberately simple correct design: each message is recorded in Redis and handed over by itself, under its id."""

import json
from typing import Any, ClassVar

from engine.buffer import Conversation, HandOverError, Message, Receipt, Strategy


class OneByOne(Strategy):
    """Loses nothing, doubles nothing, and buffers nothing."""

    name = "one_by_one"
    tick_ms: ClassVar[int | None] = 1_000

    async def receive(self, message: Message) -> Receipt:
        """Record the message, if it is not recorded already."""
        names = [message.conversation.instance_name, message.conversation.user_phone]
        field = json.dumps([*names, message.message_id])
        await self.runtime.redis.hsetnx("waiting", field, json.dumps([message.text, message.data]))
        return Receipt()

    async def tick(self) -> None:
        """Hand over what is recorded, each under its own id, and forget it when it is done."""
        waiting: dict[Any, Any] = await self.runtime.redis.hgetall("waiting")
        for field, value in sorted(waiting.items()):
            instance, phone, message_id = json.loads(field)
            text, data = json.loads(value)
            conversation = Conversation(instance_name=instance, user_phone=phone)
            message = Message(conversation=conversation, message_id=message_id, text=text, data=data)
            try:
                await self.runtime.hand_over([message], key=field.decode("ascii"))
            except HandOverError:
                continue
            await self.runtime.redis.hdel("waiting", field)
