"""One function's world, made by hand: fakeredis, a processor and an endpoint that answer as told, a clock."""

import asyncio
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fakeredis import FakeAsyncRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer.model import Conversation, Message
from engine.buffer.runtime import DELIVERY_PATH, Runtime
from engine.buffer.settings import Settings
from engine.buffer.strategy import Strategy

CONVERSATION = Conversation(instance_name="bot", user_phone="4915112345")


def message(number: int, text: str | None = None, data: Any = None) -> Message:
    """Message m1, m2, … of the one conversation."""
    return Message(
        conversation=CONVERSATION, message_id=f"m{number}", text=f"text {number}" if text is None else text, data=data
    )


class FlakyRedis(FakeAsyncRedis):
    """A client whose commands fail as told, and which lets a test act just before one."""

    failing: set[str]
    before: dict[str, Callable[[], Any]]
    commands: list[str]

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        name = str(args[0])
        self.commands.append(name)
        if name in self.failing:
            raise RedisConnectionError(f"{name} fails as told")
        if name in self.before:
            await self.before.pop(name)()
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class InstantRuntime(Runtime):
    """A runtime whose sleeps take no time but move the clock."""

    world: "World"

    async def sleep(self, seconds: float) -> None:
        self.world.slept.append(seconds)
        self.world.clock += timedelta(seconds=seconds)
        if self.world.while_asleep:
            await self.world.while_asleep.pop(0)()
        await asyncio.sleep(0)


class World:
    """What one function sees, and what it did."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.redis = self.connect()
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        self.slept: list[float] = []
        self.while_asleep: list[Callable[[], Any]] = []
        self.batches: list[list[str]] = []
        self.handed_over: list[dict[str, Any]] = []
        self.processor: Callable[[], Any] | None = None
        self.processor_status = 200
        self.delivery_answers: list[int | Exception] = []
        self.deliveries_at: list[datetime] = []
        self.events: list[tuple[str, dict[str, Any]]] = []

    def connect(self) -> FlakyRedis:
        """One more client of the same server."""
        client = FlakyRedis(server=self.server)
        client.failing, client.before, client.commands = set(), {}, []
        return client

    def runtime(self, **given: Any) -> Runtime:
        """A function's runtime, under these settings."""
        runtime = InstantRuntime(
            name="f1",
            settings=Settings.fixed(None, given),
            redis=self.redis,
            http=httpx.AsyncClient(transport=httpx.MockTransport(self._answer)),
            clock=lambda: self.clock,
            random=random.Random(7),
            record=lambda event, **fields: self.events.append((event, fields)),
        )
        runtime.world = self
        return runtime

    def make(self, strategy: type[Strategy], **given: Any) -> Strategy:
        """A function of this design, under its defaults and these settings."""
        return strategy(self.runtime(**{**strategy.default_settings, **given}))

    async def document(self) -> dict[str, Any] | None:
        """The stored buffer of the one conversation."""
        stored = await self.connect().get("msg_buffer:bot:4915112345")
        return None if stored is None else json.loads(stored)

    async def ttl(self, key: str) -> int:
        """What is left of a key's life, in seconds."""
        seconds, rest = divmod(await self.connect().pttl(key), 1_000)
        assert rest == 0, "the server's clock stands still"
        return int(seconds)

    async def settle(self, strategy: Strategy) -> None:
        """Wait until the function's background tasks have ended."""
        while tasks := list(strategy.runtime._tasks):
            await asyncio.gather(*tasks, return_exceptions=True)

    def notes(self) -> list[str]:
        """The strategy's own lines."""
        return [fields["note"] for event, fields in self.events if event == "note"]

    def statuses(self) -> list[str]:
        """The statuses that were reported."""
        return [fields["status"] for event, fields in self.events if event == "status"]

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == DELIVERY_PATH:
            self.deliveries_at.append(self.clock)
            answer = self.delivery_answers.pop(0) if self.delivery_answers else 200
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(answer, json={"success": answer == 200, "processed": 0})
        batch = json.loads(request.content)
        self.handed_over += batch["messages"]
        self.batches.append([entry["messageId"] for entry in batch["messages"]])
        if self.processor is not None:
            await self.processor()
        return httpx.Response(self.processor_status, json={"success": self.processor_status == 200})
