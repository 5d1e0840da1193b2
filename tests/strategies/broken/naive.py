"""Designs as one first writes them: locks, timers, reads and writes in commands of their own."""

import json
from typing import Any, ClassVar

from redis.exceptions import WatchError

from engine.buffer import Conversation, Delivery, HandOverError, Message, Receipt, Strategy


def name_of(conversation: Conversation) -> str:
    """An unambiguous text for a conversation."""
    return json.dumps([conversation.instance_name, conversation.user_phone])


def packed(message: Message) -> str:
    """A message as a text in ASCII."""
    return json.dumps([message.message_id, message.text, message.data])


def unpacked(payload: Any, conversation: Conversation) -> Message:
    """The message of such a text."""
    message_id, text, data = json.loads(payload)
    return Message(conversation=conversation, message_id=message_id, text=text, data=data)


class ListAndTimer(Strategy):
    """RPUSH; the first one starts a timer, which reads, hands over and deletes."""

    name = "list_and_timer"

    async def receive(self, message: Message) -> Receipt:
        """Append; the first starts the timer."""
        if await self.append(message) == 1:
            self.runtime.start(self.later(message.conversation))
        return Receipt()

    async def append(self, message: Message) -> int:
        """How many there are now."""
        return int(await self.runtime.redis.rpush(f"list:{name_of(message.conversation)}", packed(message)))

    async def later(self, conversation: Conversation) -> None:
        """Sleep, read, hand over, delete."""
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        await self.flush(conversation)

    async def flush(self, conversation: Conversation) -> None:
        """Hand over what is read, then delete."""
        payloads = await self.read(conversation)
        if payloads:
            messages = [unpacked(payload, conversation) for payload in payloads]
            await self.runtime.hand_over(messages, key=f"{name_of(conversation)}/{messages[0].message_id}")
        await self.runtime.redis.delete(f"list:{name_of(conversation)}")

    async def read(self, conversation: Conversation) -> list[bytes]:
        """What lies there."""
        found: Any = await self.runtime.redis.lrange(f"list:{name_of(conversation)}", 0, -1)
        return list(found)


class ReadThenDelete(ListAndTimer):
    """LRANGE and DEL in a pipeline that is no transaction, then the hand-over."""

    async def flush(self, conversation: Conversation) -> None:
        """What comes between the two is deleted unread."""
        async with self.runtime.redis.pipeline(transaction=False) as pipe:
            pipe.lrange(f"list:{name_of(conversation)}", 0, -1)
            pipe.delete(f"list:{name_of(conversation)}")
            payloads, _ = await pipe.execute()
        await self.runtime.hand_over([unpacked(payload, conversation) for payload in payloads])


class ReadAndDeleteAtOnce(ListAndTimer):
    """LRANGE and DEL in a transaction, then the hand-over: right, until something fails."""

    async def flush(self, conversation: Conversation) -> None:
        """Gone before it is confirmed."""
        async with self.runtime.redis.pipeline(transaction=True) as pipe:
            pipe.lrange(f"list:{name_of(conversation)}", 0, -1)
            pipe.delete(f"list:{name_of(conversation)}")
            payloads, _ = await pipe.execute()
        await self.runtime.hand_over([unpacked(payload, conversation) for payload in payloads])


class PopsWhileThereIsSomething(ListAndTimer):
    """LPOP until the list is empty."""

    async def read(self, conversation: Conversation) -> list[bytes]:
        """One after the other."""
        payloads = []
        while (payload := await self.runtime.redis.lpop(f"list:{name_of(conversation)}")) is not None:  # type: ignore[misc]
            payloads.append(payload)
        return payloads


class OneDocument(ListAndTimer):
    """GET, append, SET: two that read the same write the same."""

    async def append(self, message: Message) -> int:
        """Read, append, write."""
        key = f"list:{name_of(message.conversation)}"
        entries = json.loads(await self.runtime.redis.get(key) or b"[]")
        entries.append(packed(message))
        await self.runtime.redis.set(key, json.dumps(entries))
        return len(entries)

    async def read(self, conversation: Conversation) -> list[bytes]:
        """The entries."""
        return list(json.loads(await self.runtime.redis.get(f"list:{name_of(conversation)}") or b"[]"))


class WatchesOnce(OneDocument):
    """WATCH and MULTI, tried twice; who loses twice says that all is well."""

    async def append(self, message: Message) -> int:
        """Two tries."""
        key = f"list:{name_of(message.conversation)}"
        for _ in range(2):
            async with self.runtime.redis.pipeline() as pipe:
                await pipe.watch(key)
                entries = json.loads(await pipe.get(key) or b"[]")  # type: ignore[misc]
                entries.append(packed(message))
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.set(key, json.dumps(entries))
                try:
                    await pipe.execute()
                except WatchError:
                    continue
                return len(entries)
        return 0


class LockForEver(ListAndTimer):
    """A lock without an end; who does not get it waits."""

    lock_s: ClassVar[int | None] = None

    async def receive(self, message: Message) -> Receipt:
        """Append under the lock."""
        lock = f"lock:{name_of(message.conversation)}"
        while not await self.runtime.redis.set(lock, 1, nx=True, ex=self.lock_s):
            await self.runtime.sleep(0.05)
        receipt = await super().receive(message)
        await self.runtime.redis.delete(lock)
        return receipt


class LockOfTwoSeconds(OneDocument):
    """A lock of two seconds around a read and a write, released by whoever comes to the end of it."""

    async def append(self, message: Message) -> int:
        """Read and write under the lock."""
        lock = f"lock:{name_of(message.conversation)}"
        while not await self.runtime.redis.set(lock, 1, nx=True, ex=2):
            await self.runtime.sleep(0.05)
        count = await super().append(message)
        await self.runtime.redis.delete(lock)
        return count


class DropsWithoutTheLock(ListAndTimer):
    """Who does not get the lock gives up, and says that all is well."""

    async def receive(self, message: Message) -> Receipt:
        """Only with the lock."""
        lock = f"lock:{name_of(message.conversation)}"
        if await self.runtime.redis.set(lock, 1, nx=True, ex=5):
            await super().receive(message)
            await self.runtime.redis.delete(lock)
        return Receipt()


class EveryoneDelivers(ListAndTimer):
    """Each message starts a timer, and each timer hands over what it finds."""

    async def receive(self, message: Message) -> Receipt:
        """A timer for each."""
        await self.append(message)
        self.runtime.start(self.later(message.conversation))
        return Receipt()

    async def flush(self, conversation: Conversation) -> None:
        """Each under a key of its own."""
        payloads = await self.read(conversation)
        if payloads:
            await self.runtime.hand_over([unpacked(payload, conversation) for payload in payloads])
            await self.runtime.redis.delete(f"list:{name_of(conversation)}")


class NoBuffer(Strategy):
    """Hands each message over at once, before it answers."""

    name = "no_buffer"

    async def receive(self, message: Message) -> Receipt:
        """At once."""
        await self.runtime.hand_over([message], key=f"{name_of(message.conversation)}/{message.message_id}")
        return Receipt()


class WrongConversation(ListAndTimer):
    """Hands a batch over to the conversation that wrote last."""

    async def append(self, message: Message) -> int:
        """Remember who wrote."""
        self._last = message.conversation
        return await super().append(message)

    async def flush(self, conversation: Conversation) -> None:
        """To the last one."""
        payloads = await self.read(conversation)
        await self.runtime.hand_over([unpacked(payload, self._last) for payload in payloads])
        await self.runtime.redis.delete(f"list:{name_of(conversation)}")


class DeliversWithoutAnEnd(ListAndTimer):
    """A timer that calls the endpoint once; the endpoint reads and deletes."""

    async def later(self, conversation: Conversation) -> None:
        """One call, whatever comes of it."""
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        await self.runtime.post_delivery(conversation)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Read, hand over, delete."""
        try:
            await self.flush(conversation)
        except HandOverError:
            return Delivery(success=False)
        return Delivery(processed=1)


class WaitsForEver(Strategy):
    """Waits on a lock that nobody releases."""

    name = "waits_for_ever"

    async def receive(self, message: Message) -> Receipt:
        """Never returns."""
        await self.runtime.redis.set("lock", 1, nx=True)
        while not await self.runtime.redis.set("lock", 1, nx=True):
            await self.runtime.sleep(0.1)
        return Receipt()


class Spins(Strategy):
    """Polls without a pause."""

    name = "spins"

    async def receive(self, message: Message) -> Receipt:
        """Never returns, and never waits."""
        while True:
            await self.runtime.sleep(0)
