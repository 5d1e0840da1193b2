"""Defects of recognising repeats, and of what is stored when."""

import hashlib
from typing import Any, ClassVar

from core import Core, changed

from engine.buffer import Message, Receipt


class NoDedupe(Core):
    """Every call is a new message."""

    ADD = changed(Core.ADD, "if redis.call('SET', KEYS[3], 1, 'NX') then", "if true then")


class ForgetsWhenDone(Core):
    """A marker ends with its batch."""

    @property
    def marker_s(self) -> int:
        """A second."""
        return 1


class MarkerOfTenSeconds(Core):
    """A marker ends ten seconds after the message came, whatever became of it."""

    ADD = changed(Core.ADD, "KEYS[3], 1, 'NX'", "KEYS[3], 1, 'NX', 'EX', 10")


class MarksFirst(Core):
    """Marks in one command and stores in the next: what falls between is never stored."""

    ADD = changed(Core.ADD, "if redis.call('SET', KEYS[3], 1, 'NX') then", "if true then")

    async def receive(self, message: Message) -> Receipt:
        """SET NX, then the append."""
        key = self.seen(self.name_of(message.conversation), message)
        if await self.runtime.redis.set(key, 1, nx=True, ex=self.marker_s):
            await self.add(message)
        return Receipt()


class MarksAfterwards(Core):
    """Stores in one command and marks in the next: what falls between is stored again when it is repeated."""

    ADD = changed(Core.ADD, "if redis.call('SET', KEYS[3], 1, 'NX') then", "if true then")

    async def receive(self, message: Message) -> Receipt:
        """The append, then SET NX."""
        key = self.seen(self.name_of(message.conversation), message)
        if not await self.runtime.redis.exists(key):
            await self.add(message)
            await self.runtime.redis.set(key, 1, nx=True, ex=self.marker_s)
        return Receipt()


class MarkerWithoutConversation(Core):
    """An id is taken for one of all conversations."""

    def seen(self, name: str, message: Message) -> str:
        """The id alone."""
        return f"seen:{message.message_id!a}"


class DedupesByText(Core):
    """The same text twice is taken for the same message."""

    def seen(self, name: str, message: Message) -> str:
        """A digest of the text."""
        text = message.text.encode("utf-8", "surrogatepass")
        return f"seen:{name}:{hashlib.sha256(text).hexdigest()}"


class DedupesInMemory(Core):
    """A function knows the ids that it has seen itself."""

    ADD = NoDedupe.ADD

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._known: set[Any] = set()

    async def receive(self, message: Message) -> Receipt:
        """Unless it is known here."""
        known = (message.conversation, message.message_id)
        if known not in self._known:
            await self.add(message)
            self._known.add(known)
        return Receipt()


class KnowsTheLastOne(Core):
    """Compares with the last id of the conversation only."""

    ADD = changed(
        Core.ADD,
        "if redis.call('SET', KEYS[3], 1, 'NX') then",
        "if redis.call('GETSET', KEYS[3], ARGV[5]) ~= ARGV[5] then",
    )

    def seen(self, name: str, message: Message) -> str:
        """One key for the conversation."""
        return f"last:{name}"

    async def add(self, message: Message) -> Any:
        """With the id as it is compared."""
        name = self.name_of(message.conversation)
        keys = ["due", f"pending:{name}", self.seen(name, message), f"state:{name}"]
        args = [name, self.pack(message), self.delay_ms, self.marker_s, f"{message.message_id!a}"]
        return await self.runtime.redis.eval(self.ADD, 4, *keys, *args)


class LooksThenAdds(Core):
    """EXISTS, then the append: two copies that come together both look first."""

    ADD = changed(NoDedupe.ADD, "redis.call('RPUSH'", "redis.call('SET', KEYS[3], 1)\n  redis.call('RPUSH'")

    async def receive(self, message: Message) -> Receipt:
        """Unless the marker is there."""
        if not await self.runtime.redis.exists(self.seen(self.name_of(message.conversation), message)):
            await self.add(message)
        return Receipt()


class RefusesRepeats(Core):
    """A repeat is answered as if it had failed."""

    async def receive(self, message: Message) -> Receipt:
        """Accepted if it is new."""
        return Receipt(success=bool(await self.add(message)))


class RaisesAtRepeats(Core):
    """A repeat raises."""

    async def receive(self, message: Message) -> Receipt:
        """Raises for one that is there."""
        if not await self.add(message):
            raise ValueError("already known")
        return Receipt()


class SaysStoredWhenItIsNot(Core):
    """An error of Redis is swallowed, and the message accepted."""

    async def receive(self, message: Message) -> Receipt:
        """Accepted, come what may."""
        try:
            await self.add(message)
        except Exception as error:
            self.runtime.note("ignored", error=type(error).__name__)
        return Receipt()


class StoresInTheBackground(Core):
    """Accepts first, and stores in a task that dies with the function."""

    async def receive(self, message: Message) -> Receipt:
        """Accepted before it is stored."""
        self.runtime.start(self.add(message))
        return Receipt()


class StoresAndFallsBack(Core):
    """Stores, and lets the engine hand the message over at once besides."""

    async def receive(self, message: Message) -> Receipt:
        """Both."""
        await self.add(message)
        return Receipt(success=False, fallback_to_immediate=True)


class DropsBlanks(Core):
    """Texts without a letter are not worth an answer."""

    async def receive(self, message: Message) -> Receipt:
        """Accepted, and not stored."""
        return await super().receive(message) if message.text.strip() else Receipt()


class RefusesLongTexts(Core):
    """A text beyond 4,096 characters raises."""

    async def receive(self, message: Message) -> Receipt:
        """Raises for a long one."""
        if len(message.text) > 4_096:
            raise ValueError("too long")
        return await super().receive(message)


class ArmsAfterwards(Core):
    """Appends in one command, arms in the next: a crash between leaves a buffer that nobody finds."""

    ADD = changed(Core.ADD, "  redis.call('ZADD', KEYS[1], 'NX', now + ARGV[3], ARGV[1])\n", "")

    async def receive(self, message: Message) -> Receipt:
        """Append, then arm what is new."""
        name = self.name_of(message.conversation)
        if await self.add(message):
            seconds, micros = await self.runtime.redis.time()
            due = seconds * 1000 + micros // 1000 + self.delay_ms
            await self.runtime.redis.zadd("due", {name: due}, nx=True)
        return Receipt()


class MarkersStay(Core):
    """Markers have no end."""

    SETTLE: ClassVar[str] = changed(Core.SETTLE, "for i = 4, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[4]) end\n", "")


class StateStays(Core):
    """The hash of a conversation is kept for ever."""

    SETTLE: ClassVar[str] = changed(Core.SETTLE, "redis.call('EXPIRE', KEYS[3], ARGV[4])\n", "")


class CountsForEver(Core):
    """Statistics by conversation, without an end."""

    async def receive(self, message: Message) -> Receipt:
        """Store, and count."""
        await self.runtime.redis.hincrby("statistics", self.name_of(message.conversation), 1)
        return await super().receive(message)
