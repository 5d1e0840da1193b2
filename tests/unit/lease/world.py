"""A function of `lease` (or of another design) on fakeredis, with a processor written by hand, for unit tests."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import fakeredis
import httpx

from engine.buffer import Conversation, HandOverError, Message, Runtime, Settings

ANNA = Conversation(instance_name="bot", user_phone="4915110000001")


def message(name: str, *, text: str | None = None, conversation: Conversation = ANNA, data: Any = None) -> Message:
    """A message whose text tells it apart."""
    return Message(
        conversation=conversation, message_id=name, text=f"text of {name}" if text is None else text, data=data
    )


class Processor:
    """Takes what is handed over; `answers` are raised in order, None is a success, and so is all that comes after."""

    def __init__(self, *answers: HandOverError | None) -> None:
        self.answers = list(answers)
        self.taken: list[tuple[str | None, int | None, list[str]]] = []

    @property
    def ids(self) -> list[list[str]]:
        """The ids of each hand-over."""
        return [ids for _, _, ids in self.taken]

    @property
    def keys(self) -> list[str | None]:
        """The idempotency key of each hand-over."""
        return [key for key, _, _ in self.taken]

    @property
    def fences(self) -> list[int]:
        """The fencing token of each hand-over."""
        return [fence for _, fence, _ in self.taken if fence is not None]


class HandRuntime(Runtime):
    """The real runtime; only the calls to the processor go to one written by hand."""

    def __init__(self, processor: Processor, **parts: Any) -> None:
        super().__init__(**parts)
        self.processor = processor

    async def hand_over(self, messages: Sequence[Message], *, key: str | None = None, fence: int | None = None) -> None:
        """Record the batch, and answer as the processor was told to."""
        self.processor.taken.append((key, fence, [message.message_id for message in messages]))
        answer = self.processor.answers.pop(0) if self.processor.answers else None
        if answer is not None:
            raise answer


class World:
    """One server, one processor, any number of functions; `events` is what they recorded."""

    def __init__(self, redis: Any = None, *answers: HandOverError | None, **settings: Any) -> None:
        self.redis = redis or fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
        self.processor = Processor(*answers)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.settings = Settings.fixed({"buffer_delay_ms": 20, "shards": 2}, settings)
        self._functions = 0

    def runtime(self) -> Runtime:
        """The runtime of one more function. Deliveries that it posts are refused."""
        self._functions += 1
        return HandRuntime(
            self.processor,
            name=f"f{self._functions}",
            settings=self.settings,
            redis=self.redis,
            http=httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(503))),
            clock=lambda: datetime(2026, 1, 5, 9, tzinfo=UTC),
            random=random.Random(self._functions),
            record=lambda event, **fields: self.events.append((event, fields)),
        )

    def said(self, event: str) -> list[dict[str, Any]]:
        """The fields of every event of a kind."""
        return [fields for kind, fields in self.events if kind == event]
