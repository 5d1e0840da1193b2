"""The two servers of the conformance machine, each behind redis-py's own client, and engine code run on either.

One side is the simulation's server as the simulator uses it, its clock set by hand; the other is a real server, whose clock
runs. A step is done on the real server first. Every write of its client goes out between two `TIME`s, in one piece, so that it
is known when the server executed it; then the simulation does the step, its clock set to those very times, one by one.
"""

import errno
import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis

from engine.buffer import Conversation, HandOverFailed, Message, Settings
from engine.buffer.runtime import Runtime
from engine.simulation.guard import Guard
from engine.simulation.process import EPOCH_MS
from engine.simulation.server import RedisServer, ServerPool, text
from engine.simulation.wire import first_key, is_script, split_commands

LOOKS_MAX = 40
TIME = b"*1\r\n$4\r\nTIME\r\n"


class GaveUp(Exception):
    """Engine code slept so often in one step that it waits for something that will not come."""


@dataclass
class Trail:
    """What one step did on one side."""

    commands: list[list[str]] = field(default_factory=list)
    handed_over: list[Any] = field(default_factory=list)
    keys: dict[bytes, None] = field(default_factory=dict)


class FakeSocket:
    """In the place of a client's socket: what is sent is executed by the simulation's server."""

    def __init__(self, side: "FakeSide") -> None:
        self._side = side
        self._session = side.server.open_session()
        self._sent = self._replies = b""

    def sendall(self, data: bytes) -> None:
        """Execute what has come in whole."""
        commands, self._sent = split_commands(self._sent + bytes(data))
        now_us = self._side.next_time_us()
        for args in commands:
            with self._side.guard.running(lambda: now_us / 1_000_000, Runtime):
                self._side.server.expire(now_us // 1_000 - EPOCH_MS)
                done = self._side.server.execute(self._session, args)
            self._side.executed()
            self._side.trail.keys.update((key.encode(), None) for key in (*done.reads, *done.writes) if key != "*")
            self._replies += done.reply

    def recv(self, size: int) -> bytes:
        """What the server answered."""
        if not self._replies:
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing was answered")
        data, self._replies = self._replies[:size], self._replies[size:]
        return data

    def settimeout(self, seconds: float | None) -> None:
        """Nothing here takes time."""

    def shutdown(self, how: int) -> None:
        """Nothing to say."""

    def close(self) -> None:
        """The session ends."""
        self._side.server.close_session(self._session)


class NotingConnection(redis.Connection):
    """redis-py's connection, with what it sends taken down."""

    def __init__(self, side: "Side", **options: Any) -> None:
        self._side = side
        super().__init__(**options)  # type: ignore[no-untyped-call]  # redis-py's

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Take down the commands, and send them."""
        data = command if isinstance(command, bytes) else b"".join(command)
        commands = split_commands(data)[0]
        for args in commands:
            self._side.noted(args)
        self._send_noted(data, len(commands))

    def _send_noted(self, data: bytes, commands: int) -> None:
        super().send_packed_command([data], False)  # type: ignore[no-untyped-call]  # redis-py's


class RealConnection(NotingConnection):
    """The same to a real server, each write between two `TIME`s."""

    _left = 0
    _opened = False

    def _send_noted(self, data: bytes, commands: int) -> None:
        self._left, self._opened = commands, False
        super()._send_noted(TIME + data + TIME, commands)

    def read_response(self, *args: Any, **options: Any) -> Any:
        """A reply, with the times before the first and after the last of a write taken out."""
        if self._left == 0:
            return super().read_response(*args, **options)
        if not self._opened:
            self._opened = True
            self._side.times.append([microseconds(super().read_response()), 0])
        try:
            return super().read_response(*args, **options)
        finally:
            self._left -= 1
            if self._left == 0:
                self._side.times[-1][1] = microseconds(super().read_response())


def microseconds(reply: Any) -> int:
    """A `TIME` reply in µs."""
    return int(reply[0]) * 1_000_000 + int(reply[1])


class FakeConnection(NotingConnection):
    """The same over a socket of the simulation."""

    def _connect(self) -> Any:
        assert isinstance(self._side, FakeSide)
        return FakeSocket(self._side)


class Client:
    """redis-py's blocking client with the asynchronous one's face: engine code runs on it without a loop."""

    def __init__(self, side: "Side", client: "redis.Redis") -> None:
        self._side = side
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._client, name)

        async def call(*args: Any, **options: Any) -> Any:
            return method(*args, **options)

        return call

    async def scan_iter(self, **options: Any) -> AsyncIterator[bytes]:
        """As the asynchronous client has it."""
        for key in self._client.scan_iter(**options):
            yield key

    def pipeline(self, transaction: bool = True) -> "Pipeline":
        """As the asynchronous client has it."""
        return Pipeline(self._client.pipeline(transaction=transaction))


class Pipeline:
    """A pipeline of the blocking client with the asynchronous one's face."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    async def __aenter__(self) -> "Pipeline":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pipeline.reset()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pipeline, name)
        if name != "execute" and (
            name == "multi" or not self._pipeline.watching or self._pipeline.explicit_transaction
        ):
            return method  # queued

        async def call(*args: Any, **options: Any) -> Any:
            return method(*args, **options)

        return call


class Side(ABC):
    """One server, and the functions that use it."""

    name = ""

    def __init__(self) -> None:
        self.trail = Trail()
        self.now_us = 0
        #: When the server executed each write of this step: the time before and the time after (µs).
        self.times: list[list[int]] = []
        self.processor_fails = False
        self._scripts: dict[bytes, str] = {}
        self.client = self._client()
        self.random = random.Random(0)

    @abstractmethod
    def _client(self) -> "redis.Redis": ...

    def noted(self, args: list[bytes]) -> None:
        """A command that is sent: its name, its script's first line if it brings one, its first key."""
        name = args[0].decode()
        if name in ("CLIENT", "HELLO", "TIME"):
            return
        script = self._script(name, args[1]) if is_script(args) else ""
        self.trail.commands.append([name, script, first_key(args)])

    def _script(self, command: str, source_or_sha: bytes) -> str:
        if command == "EVALSHA":
            return self._scripts.get(source_or_sha, "?")
        name = text(source_or_sha).split("\n", 1)[0].removeprefix("-- ").partition(":")[0]
        self._scripts[hashlib.sha1(source_or_sha, usedforsecurity=False).hexdigest().encode()] = name
        return name

    def runtime(self, settings: Settings, number: int) -> "StepRuntime":
        """A function's runtime: equal numbers have equal random streams on both sides."""
        return StepRuntime(self, settings, random.Random(number))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run engine code to its end: nothing in it waits. An exception is a result."""
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        except Exception as error:
            return error
        raise AssertionError("engine code waited for something")


class FakeSide(Side):
    """fakeredis with Lua, as the simulator uses it."""

    name = "simulation"

    def __init__(self) -> None:
        self.guard = Guard()
        self.server = RedisServer(ServerPool())
        #: Called after each command.
        self.executed: Callable[[], None] = lambda: None
        super().__init__()

    def next_time_us(self) -> int:
        """When the real server executed what comes now; what it did not get comes with the last."""
        if len(self.times) > 1:
            return self.times.pop(0)[0]
        return self.times[0][0] if self.times else self.now_us

    def _client(self) -> "redis.Redis":
        pool = redis.ConnectionPool(connection_class=FakeConnection, side=self, protocol=2)
        return redis.Redis(connection_pool=pool)


class RealSide(Side):
    """A real server."""

    name = "server"

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__()

    def _client(self) -> "redis.Redis":
        pool = redis.ConnectionPool.from_url(self._url, connection_class=RealConnection, side=self, protocol=2)
        return redis.Redis(connection_pool=pool)


class StepRuntime(Runtime):
    """A runtime whose timers are not waited for and whose HTTP calls are answered at once."""

    def __init__(self, side: Side, settings: Settings, stream: random.Random) -> None:
        self._side = side
        self.name = "f"
        self.settings = settings
        self.redis = Client(side, side.client)  # type: ignore[assignment]  # it has what engine code uses
        self.random = stream
        self.background: list[Coroutine[Any, Any, Any]] = []
        self.slept = 0

    def now(self) -> datetime:
        """The step's time, the same on both sides."""
        return datetime.fromtimestamp(self._side.now_us / 1_000_000, UTC)

    async def sleep(self, seconds: float) -> None:
        """Not waited for, and not without end."""
        self.slept += 1
        if self.slept > LOOKS_MAX:
            raise GaveUp

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Kept until the machine runs it."""
        self.background.append(coroutine)

    async def post_delivery(self, conversation: Conversation) -> tuple[int, Any]:
        """Deliveries are the machine's own rule."""
        return 200, {"success": True, "processed": 0}

    async def hand_over(self, messages: Sequence[Message], *, key: str | None = None, fence: int | None = None) -> None:
        """Taken down; it succeeds or fails as the machine says."""
        self._side.trail.handed_over.append(
            [[(m.message_id, m.text, m.data) for m in messages], key, fence, self._side.processor_fails]
        )
        if self._side.processor_fails:
            raise HandOverFailed("the processor answered 500")

    async def dead_letter(self, messages: Sequence[Message], reason: str) -> None:
        """Taken down."""
        self._side.trail.handed_over.append([[m.message_id for m in messages], reason])

    async def report_status(self, conversation: Conversation, status: str) -> None:
        """Taken down."""
        self._side.trail.handed_over.append(status)

    def note(self, event: str, /, **fields: Any) -> None:
        """Nobody reads it."""
