"""Defects of the waiting window, of the order, and of what is in a batch."""

import hashlib
import json
from typing import Any, ClassVar

from core import Core, changed

from engine.buffer import Conversation, Delivery, Message, Receipt, Strategy


class AtOnce(Core):
    """Does not wait at all."""

    @property
    def delay_ms(self) -> int:
        """Nothing."""
        return 0


class TooEarly(Core):
    """Waits a tenth of a second less."""

    @property
    def delay_ms(self) -> int:
        """7.9 s."""
        return super().delay_ms - 100


class OneMillisecondEarly(Core):
    """Waits a millisecond less, and polls every half second."""

    tick_ms = 500
    FIND: ClassVar[str] = Core.FIND.replace("'-inf', now)", "'-inf', now + 1)")
    CLAIM: ClassVar[str] = changed(Core.CLAIM, "tonumber(due) > now", "tonumber(due) > now + 1")


class ForgetsTheUnit(Core):
    """Takes the delay for seconds and divides it by a thousand again."""

    @property
    def delay_ms(self) -> int:
        """8 ms."""
        return super().delay_ms // 1000


class TwiceAsLong(Core):
    """Waits for twice the delay."""

    @property
    def delay_ms(self) -> int:
        """16 s."""
        return super().delay_ms * 2


class HalfAMinute(Core):
    """Waits half a minute."""

    @property
    def delay_ms(self) -> int:
        """30 s, whatever the setting."""
        return 30_000


class TicksOnceInFiveMinutes(Core):
    """Says that it polls every second, and looks at every two hundredth tick."""

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._ticks = 0

    async def tick(self) -> None:
        """Seldom."""
        self._ticks += 1
        if self._ticks % 200 == 0:
            await super().tick()


class SlidesForEver(Core):
    """Each message starts the delay anew: who goes on writing is never answered."""

    ADD = changed(Core.ADD, "'NX', now + ARGV[3]", "now + ARGV[3]")


class WindowsOfTheClock(Core):
    """Windows begin at whole multiples of the delay, not with the first message."""

    ADD = changed(Core.ADD, "now + ARGV[3], ARGV[1]", "math.ceil(now / ARGV[3]) * ARGV[3], ARGV[1]")


class DueByOwnClock(Core):
    """The due time is the adding function's own clock's."""

    async def add(self, message: Message) -> Any:
        """Due by this clock."""
        name = self.name_of(message.conversation)
        keys = ["due", f"pending:{name}", self.seen(name, message), f"state:{name}"]
        due = round(self.runtime.now().timestamp() * 1_000) + self.delay_ms
        script = changed(self.ADD, "now + ARGV[3]", "ARGV[3]")
        return await self.runtime.redis.eval(script, 4, *keys, name, self.pack(message), due, self.marker_s)


class OneByOne(Core):
    """Hands the messages of a batch over one by one."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Each under a key of its own."""
        for message in messages:
            await self.runtime.hand_over([message], key=f"{key}/{message.message_id}", fence=fence)


class TwoAtATime(Core):
    """A batch has two messages at most, and the rest waits for the next."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM,
        "redis.call('RENAME', KEYS[3], KEYS[4])\n  redis.call('ZREM', KEYS[1], ARGV[1])",
        "for _ = 1, 2 do redis.call('LMOVE', KEYS[3], KEYS[4], 'LEFT', 'RIGHT') end\n"
        "  if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('ZREM', KEYS[1], ARGV[1]) end",
    )


class KeepsTheNewestTen(Core):
    """A buffer keeps its newest ten messages."""

    ADD = changed(
        Core.ADD,
        "ARGV[2])\n  redis.call('ZADD'",
        "ARGV[2])\n  redis.call('LTRIM', KEYS[2], -10, -1)\n  redis.call('ZADD'",
    )


class KeepsTheFirstFifty(Core):
    """A buffer is full with fifty messages."""

    ADD = changed(
        Core.ADD,
        "ARGV[2])\n  redis.call('ZADD'",
        "ARGV[2])\n  redis.call('LTRIM', KEYS[2], 0, 49)\n  redis.call('ZADD'",
    )


class ReadsTheFirstHundred(Core):
    """A batch is read up to its hundredth message."""

    CLAIM: ClassVar[str] = changed(
        Core.CLAIM, "redis.call('LRANGE', KEYS[4], 0, -1)", "redis.call('LRANGE', KEYS[4], 0, 99)"
    )


class NewestFirst(Core):
    """A buffer is filled from the wrong end."""

    ADD = changed(Core.ADD, "RPUSH", "LPUSH")


class SortedByText(Core):
    """A batch is sorted by its texts."""

    def unpacked(self, messages: list[Message]) -> list[Message]:
        """Sorted."""
        return sorted(messages, key=lambda message: message.text)

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """In another order."""
        await super().process(name, key, fence, tries, self.unpacked(messages))


class SortedById(SortedByText):
    """A batch is sorted by its ids."""

    def unpacked(self, messages: list[Message]) -> list[Message]:
        """Sorted."""
        return sorted(messages, key=lambda message: message.message_id)


class SortedByLength(SortedByText):
    """A batch is sorted by the length of its texts."""

    def unpacked(self, messages: list[Message]) -> list[Message]:
        """Sorted."""
        return sorted(messages, key=lambda message: len(message.text))


class AsASet(SortedByText):
    """A batch goes through a set."""

    def unpacked(self, messages: list[Message]) -> list[Message]:
        """In no order that means anything: by a digest."""
        return sorted(
            messages, key=lambda message: hashlib.sha1(message.message_id.encode("utf-8", "surrogatepass")).digest()
        )


class SortedByOwnClock(Core):
    """Messages stand in the order of the clocks of the functions that took them."""

    def pack(self, message: Message) -> str:
        """With the time of this function's clock."""
        return json.dumps([message.message_id, message.text, message.data, self.runtime.now().isoformat()])

    async def claim(self, name: bytes) -> Any:
        """Sorted by time."""
        claim = await super().claim(name)
        if claim:
            claim[3] = sorted(claim[3], key=lambda payload: json.loads(payload)[3])
        return claim

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """Without the time."""
        message_id, text, data, _ = json.loads(payload)
        return Message(conversation=conversation, message_id=message_id, text=text, data=data)


class InMemory(Strategy):
    """Messages lie in the function's memory."""

    name = "in_memory"

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._buffers: dict[Conversation, list[Message]] = {}

    async def receive(self, message: Message) -> Receipt:
        """Append, and start a timer with the first."""
        buffer = self._buffers.setdefault(message.conversation, [])
        buffer.append(message)
        if len(buffer) == 1:
            self.runtime.start(self._later(message.conversation))
        return Receipt()

    async def _later(self, conversation: Conversation) -> None:
        await self.runtime.sleep(self.runtime.settings.buffer_delay_ms / 1000)
        messages = self._buffers.pop(conversation)
        await self.runtime.hand_over(messages, key=messages[0].message_id)


BUFFERS: dict[Conversation, list[Message]] = {}


class InGlobalMemory(InMemory):
    """Messages lie in a module's global."""

    name = "in_global_memory"

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._buffers = BUFFERS


class InClassMemory(InMemory):
    """Messages lie in an attribute of the class."""

    name = "in_class_memory"
    shared: ClassVar[dict[Conversation, list[Message]]] = {}

    def __init__(self, runtime: Any) -> None:
        super().__init__(runtime)
        self._buffers = self.shared


class TimersAlone(Core):
    """Nobody polls: a timer of the function that took the message delivers, once."""

    tick_ms: ClassVar[int | None] = None

    async def receive(self, message: Message) -> Receipt:
        """Store, and start a timer."""
        if await self.add(message):
            self.runtime.start(self._later(message.conversation))
        return Receipt()

    async def _later(self, conversation: Conversation) -> None:
        await self.runtime.sleep(self.delay_ms / 1000 + 0.5)
        await self.runtime.post_delivery(conversation)

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Deliver what is due."""
        await self.work(self.name_of(conversation).encode())
        return Delivery()


class ForgetsAfterLook(Core):
    """Who finds nothing of a conversation takes it from the index: a message that came in between is never looked for."""

    ADD: ClassVar[str] = Core.ADD.replace("return 1", "redis.call('SADD', 'names', ARGV[1])\n  return 1")
    FIND: ClassVar[str] = "return redis.call('SMEMBERS', 'names')"

    async def work(self, name: bytes) -> None:
        """Deliver what is due; look, then forget."""
        await super().work(name)
        if not await self.runtime.redis.exists(f"pending:{name.decode()}", f"flight:{name.decode()}"):
            await self.runtime.redis.srem("names", name)


class ForgetsWhatIsBusy(Core):
    """Who finds that a due conversation's batch is at work takes its entry away, for whoever settles puts it back: or has just done so."""

    ADD: ClassVar[str] = changed(
        Core.ADD,
        "redis.call('RPUSH', KEYS[2], ARGV[2])",
        "if redis.call('RPUSH', KEYS[2], ARGV[2]) == 1 then redis.call('HSET', KEYS[4], 'next', now + ARGV[3]) end",
    )
    SETTLE: ClassVar[str] = changed(
        Core.SETTLE,
        "redis.call('EXPIRE', KEYS[3], ARGV[4])",
        "redis.call('EXPIRE', KEYS[3], ARGV[4])\n"
        "if redis.call('EXISTS', 'pending:' .. ARGV[1]) == 1 then\n"
        "  redis.call('ZADD', 'due', redis.call('HGET', KEYS[3], 'next'), ARGV[1])\n"
        "end",
    )

    async def work(self, name: bytes) -> None:
        """Look; forget, or deliver."""
        if await self.runtime.redis.exists(f"flight:{name.decode()}"):
            await self.runtime.redis.zrem("due", name)
        await super().work(name)
