"""One live function: a strategy with its runtime, what follows from its answers, and its periodic work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.buffer.errors import HandOverError
from engine.buffer.model import Conversation, Delivery, Message, Receipt
from engine.buffer.runtime import Recorder, Runtime, describe
from engine.buffer.strategy import Strategy

T = TypeVar("T")


class Function:
    """Runs one instance of a strategy: webhook calls, deliveries, ticks and cleanup."""

    def __init__(self, strategy: Strategy, runtime: Runtime, record: Recorder, *, runs_cleanup: bool = False) -> None:
        self.strategy = strategy
        self.runtime = runtime
        self._record = record
        self._runs_cleanup = runs_cleanup

    def start_periodic(self) -> None:
        """Start the tick (where the strategy has one) and, on the one function that does it, the cleanup."""
        scale = self.runtime.settings.time_scale
        if self.strategy.tick_ms is not None:
            self.runtime.start(self._every(self.strategy.tick_ms * scale / 1000, "tick", self.strategy.tick))
        if self._runs_cleanup:
            interval = self.runtime.settings.cleanup_interval_seconds * scale
            self.runtime.start(self._every(interval, "cleanup", self.strategy.cleanup))

    async def _every(self, seconds: float, what: str, work: Callable[[], Awaitable[int | None]]) -> None:
        # The next one starts this long after the last one returned, so one function's never overlap.
        while True:
            await asyncio.sleep(seconds)
            self._record(f"{what}.began")
            try:
                removed = await work()
            except Exception as error:  # a poller that fails goes on: the contract says so
                self._record(f"{what}.failed", error=describe(error))
            else:
                self._record(f"{what}.ended", **({} if removed is None else {"removed": removed}))

    async def receive(self, message: Message) -> int:
        """A webhook call. Returns the HTTP status: 200 if the message was accepted, 503 if not."""
        try:
            receipt = _checked(await self.strategy.receive(message), Receipt, "receive")
        except Exception as error:  # raising means: not accepted
            self._record("receive.failed", error=describe(error))
            return 503
        return await self.settle(message, receipt)

    async def settle(self, message: Message, receipt: Receipt) -> int:
        """What follows from a receipt. Returns the HTTP status."""
        if receipt.fallback_to_immediate:
            try:
                await self.runtime.hand_over([message])
            except HandOverError:
                return 503
            return 200
        return 200 if receipt.success else 503

    async def deliver(self, conversation: Conversation) -> tuple[int, Delivery]:
        """A delivery call. Returns the HTTP status (500 if the strategy raised) and the strategy's answer."""
        try:
            return 200, _checked(await self.strategy.deliver(conversation), Delivery, "deliver")
        except Exception as error:  # raising means 500
            self._record("deliver.failed", error=describe(error))
            return 500, Delivery(success=False)


def _checked(answer: T, kind: type[T], method: str) -> T:
    """The answer, if it is of its kind. Raises `TypeError`: a forgotten `return` must not look like a crash of the service."""
    if not isinstance(answer, kind):
        raise TypeError(f"{method}() must return a {kind.__name__}, not {type(answer).__name__}")
    return answer
