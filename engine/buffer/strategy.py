"""The contract of a buffer design: a class that is simulated and run in production unchanged."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from engine.buffer.model import Backlog, Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Runtime


class Strategy(ABC):
    """A buffer design. One instance is one live function: its attributes are that function's memory.

    Whatever it touches of the world it has from `self.runtime`; it imports from `engine.buffer` alone.
    """

    name: ClassVar[str] = ""
    #: A live function ticks this long (milliseconds) after its last tick; None: never.
    tick_ms: ClassVar[int | None] = None
    #: Keys that may stay when every conversation is finished.
    shared_keys: ClassVar[frozenset[str]] = frozenset()
    #: Defaults of this design for names of `Settings` (upper case); a given setting overrides them.
    default_settings: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @abstractmethod
    async def receive(self, message: Message) -> Receipt:
        """Take one message from a webhook call. Raising means: not accepted (503)."""

    async def deliver(self, conversation: Conversation) -> Delivery:
        """Serve one call of the process-buffered-messages endpoint. Raising means 500."""
        return Delivery()

    async def tick(self) -> None:
        """Poll or sweep; called every `tick_ms` on every live function."""

    async def cleanup(self) -> int:
        """Remove what is left over; called every CLEANUP_INTERVAL_SECONDS on one live function.

        Returns how many keys were removed.
        """
        return 0

    async def backlog(self) -> Backlog | None:
        """What waits, for the metrics; asked for at each scrape, so it must be cheap. None: it cannot be told cheaply."""
        return None

    async def drain(self) -> int | None:
        """Hand over everything now, due or not, while no function takes messages: before a rollback.

        Returns how many conversations are left with something unfinished. None: the design has no such way.
        """
        return None
