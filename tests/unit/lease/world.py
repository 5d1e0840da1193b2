"""Functions of a claiming design on one fakeredis, with a processor written by hand."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from fakeredis import FakeAsyncRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer import Conversation, HandOverError, Message, Runtime, Settings, Strategy

ANNA = Conversation(instance_name="bot", user_phone="4915110000001")
BERT = Conversation(instance_name="bot", user_phone="4915110000002")


def message(name: str, *, text: str | None = None, conversation: Conversation = ANNA, data: Any = None) -> Message:
    """A message whose text tells it apart."""
    return Message(
        conversation=conversation, message_id=name, text=f"text of {name}" if text is None else text, data=data
    )


class ReplyLosingRedis(FakeAsyncRedis):
    """A client that loses the replies of its next calls of a script: they are executed, and it sees an error."""

    lost_replies: int = 0
    unreachable: bool = False
    commands: int = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.commands += 1
        if self.unreachable:
            raise RedisConnectionError("unreachable as told")
        reply = await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        if self.lost_replies and args[0] in ("EVAL", "EVALSHA"):
            self.lost_replies -= 1
            raise RedisConnectionError("the reply is lost as told")
        return reply


class Processor:
    """Takes what is handed over; `answers` are raised in order, None is a success, and so is all that comes after."""

    def __init__(self) -> None:
        self.answers: list[HandOverError | None] = []
        self.taken: list[tuple[str | None, int, tuple[Message, ...]]] = []
        self.meanwhile: list[Message] = []
        """What a second function receives while the next hand-over is at work."""

    @property
    def ids(self) -> list[list[str]]:
        """The ids of each hand-over."""
        return [[message.message_id for message in messages] for _, _, messages in self.taken]

    @property
    def keys(self) -> list[str | None]:
        """The idempotency key of each hand-over."""
        return [key for key, _, _ in self.taken]

    @property
    def fences(self) -> list[int]:
        """The fencing token of each hand-over."""
        return [fence for _, fence, _ in self.taken]


class HandRuntime(Runtime):
    """The real runtime; only the calls to the processor go to one written by hand."""

    world: "World"

    async def hand_over(self, messages: Sequence[Message], *, key: str | None = None, fence: int | None = None) -> None:
        """Record the batch, and answer as the processor was told to."""
        processor = self.world.processor
        assert fence is not None
        processor.taken.append((key, fence, tuple(messages)))
        while processor.meanwhile:
            await self.world.make().receive(processor.meanwhile.pop(0))
        answer = processor.answers.pop(0) if processor.answers else None
        if answer is not None:
            raise answer


class World:
    """One server, one processor, any number of functions of one design; `events` is what they recorded."""

    def __init__(self, design: type[Strategy], **settings: Any) -> None:
        self.design = design
        self.server = FakeServer()
        self.redis = ReplyLosingRedis(server=self.server)
        self.processor = Processor()
        self.events: list[tuple[str, dict[str, Any]]] = []
        given = {"shards": 2, "buffer_delay_ms": 1, "retry_backoff_ms": 1, "retry_backoff_ms_max": 1, **settings}
        self.settings = Settings.fixed(given)
        self._runtimes: list[Runtime] = []
        self._clients: list[httpx.AsyncClient] = []

    def make(self) -> Any:
        """One more function. The deliveries that it posts are refused, so that the test says what is delivered."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(200, json={})))
        runtime = HandRuntime(
            name=f"f{len(self._runtimes) + 1}",
            settings=self.settings,
            redis=self.redis,
            http=http,
            clock=lambda: datetime(2026, 1, 5, 9, tzinfo=UTC),
            random=random.Random(len(self._runtimes)),
            record=lambda event, **fields: self.events.append((event, fields)),
        )
        runtime.world = self
        self._runtimes.append(runtime)
        self._clients.append(http)
        return self.design(runtime)

    def said(self, event: str) -> list[dict[str, Any]]:
        """The fields of every event of a kind."""
        return [fields for kind, fields in self.events if kind == event]

    async def keys(self, pattern: str = "*") -> list[str]:
        """The keys there are."""
        return sorted(key.decode() for key in await self.plain().keys(pattern))

    def plain(self) -> Any:
        """A client that loses nothing, to look at the server. Untyped: its replies are what the server says."""
        return FakeAsyncRedis(server=self.server)

    async def let_leases_end(self) -> None:
        """As if every lease and back-off had ended: a holder that crashed, seen later."""
        redis = self.plain()
        for key in await self.keys("*:state:*"):
            if await redis.hexists(key, "not_before"):
                await redis.hset(key, "not_before", "1")
        for key in await self.keys("*:due"):
            for member in await redis.zrange(key, 0, -1):
                await redis.zadd(key, {member: 1})

    async def stop(self) -> None:
        """End every function."""
        for runtime in self._runtimes:
            await runtime.stop_tasks()
        for client in self._clients:
            await client.aclose()
        await self.redis.aclose()


@asynccontextmanager
async def world_of(design: type[Strategy], **settings: Any) -> AsyncIterator[World]:
    """A world that is stopped at the end."""
    world = World(design, **settings)
    try:
        yield world
    finally:
        await world.stop()
