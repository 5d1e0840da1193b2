"""Ways of storing and reading at which an explanation could go wrong: counts, ids, packings, readers that think first."""

import json
import pickle
from typing import Any

from engine.buffer import Conversation, Message, Receipt, Strategy


class Thinks(Strategy):
    """Looks at the length, appends; a timer of each message reads, thinks for 1.5 s, hands over without a key and deletes."""

    name = "thinks"
    first_alone = False

    async def receive(self, message: Message) -> Receipt:
        """A length, an append, a timer."""
        before = await self.runtime.redis.llen("list")
        await self.runtime.redis.rpush("list", self.pack(message))
        if not (before and self.first_alone):
            self.runtime.start(self.later(message.conversation))
        return Receipt()

    async def later(self, conversation: Conversation) -> None:
        """Read, think, hand over, delete."""
        await self.runtime.sleep(8)
        payloads: Any = await self.runtime.redis.lrange("list", 0, -1)
        await self.runtime.sleep(1.5)
        if payloads:
            await self.runtime.hand_over([self.unpack(payload, conversation) for payload in payloads])
        await self.runtime.redis.delete("list")

    def pack(self, message: Message) -> bytes:
        """As JSON."""
        return json.dumps([message.message_id, message.text]).encode()

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """From JSON."""
        message_id, text = json.loads(payload)
        return Message(conversation=conversation, message_id=message_id, text=text)


class ThinksOnce(Thinks):
    """Only the first message starts a timer."""

    first_alone = True


class Pickles(ThinksOnce):
    """The same with pickle, in which a length stands right before the text."""

    def pack(self, message: Message) -> bytes:
        """As a pickle."""
        return pickle.dumps((message.message_id, message.text), protocol=4)

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """From a pickle."""
        message_id, text = pickle.loads(payload)
        return Message(conversation=conversation, message_id=message_id, text=text)


class KnowsIds(ThinksOnce):
    """Keeps the ids of all messages in a set, and takes the same text for a repeat."""

    async def receive(self, message: Message) -> Receipt:
        """The id is kept, the text perhaps not."""
        await self.runtime.redis.sadd("ids", message.message_id)
        if await self.runtime.redis.getset("last", message.text) == message.text.encode():
            return Receipt()
        return await super().receive(message)


class PutsBack(ThinksOnce):
    """Takes the list away before it hands over, puts it back although that went well, and begins again under another key."""

    async def later(self, conversation: Conversation) -> None:
        """Pop, hand over, push, twice."""
        await self.runtime.sleep(8)
        for attempt in range(2):
            payload: Any = await self.runtime.redis.lpop("list")
            await self.runtime.hand_over([self.unpack(payload, conversation)], key=f"attempt-{attempt}")
            await self.runtime.redis.rpush("list", payload)


class LetsItEnd(ThinksOnce):
    """A TTL shorter than the delay, and nobody who comes."""

    async def receive(self, message: Message) -> Receipt:
        """Stored for five seconds."""
        await self.runtime.redis.set("list", self.pack(message), ex=5)
        return Receipt()


class DropsAnother(ThinksOnce):
    """A list for each message; who comes for the first one deletes that of the second, which it never looked at."""

    async def receive(self, message: Message) -> Receipt:
        """An append, and a timer for the first message alone."""
        mine = f"list-{message.message_id}"
        await self.runtime.redis.rpush(mine, self.pack(message))
        if mine == "list-id-1":
            self.runtime.start(self.later(message.conversation))
        return Receipt()

    async def later(self, conversation: Conversation) -> None:
        """Read one, hand over, delete the other."""
        await self.runtime.sleep(8)
        payloads: Any = await self.runtime.redis.lrange("list-id-1", 0, -1)
        await self.runtime.hand_over([self.unpack(payload, conversation) for payload in payloads])
        await self.runtime.redis.delete("list-id-2")


class Forgets(Strategy):
    """Stores a message and an entry that says for whom there is one; a tick takes the entry and does nothing."""

    name = "forgets"
    tick_ms = 1_000
    indexes: tuple[str, ...] = ("open",)

    async def receive(self, message: Message) -> Receipt:
        """An append, and the entry."""
        phone = message.conversation.user_phone
        await self.runtime.redis.rpush(f"list:{phone}", message.text)
        for index in self.indexes:
            await self.runtime.redis.sadd(index, phone)
        return Receipt()

    async def tick(self) -> None:
        """The entry goes."""
        for phone in await self.runtime.redis.smembers("open"):
            await self.runtime.redis.srem("open", phone)


class ForgetsOneOfTwo(Forgets):
    """The same, with a second entry that stays."""

    indexes = ("open", "all")


class CannotBeRead(Strategy):
    """Stores a message; each tick sends a script that is none."""

    name = "cannot_be_read"
    tick_ms = 1_000

    async def receive(self, message: Message) -> Receipt:
        """RPUSH."""
        await self.runtime.redis.rpush("list", message.text)
        return Receipt()

    async def tick(self) -> None:
        """Refused by the server."""
        await self.runtime.redis.eval("return redis.call('LRANGE', 'list', 0, -1", 0)
