"""A client's connection to the simulated server, as a transport of the simulated loop."""

import asyncio
import hashlib
from collections import deque
from typing import TYPE_CHECKING, Any

from engine.simulation.process import Process
from engine.simulation.request import Request
from engine.simulation.server import ANY_KEY, Executed, text
from engine.simulation.wire import (
    CROSSSLOT,
    DISCARD,
    NON_LOCAL_KEY,
    Command,
    declared_keys,
    in_two_slots,
    is_script,
    split_commands,
)

if TYPE_CHECKING:
    from engine.simulation.link import Link

#: Commands that change what every other one finds: the script cache, the server's stream of randomness.
UNSHARED = frozenset(
    (
        b"SCRIPT",
        b"FUNCTION",
        b"SPOP",
        b"SRANDMEMBER",
        b"RANDOMKEY",
        b"HRANDFIELD",
        b"ZRANDMEMBER",
        b"FLUSHALL",
        b"FLUSHDB",
    )
)
#: Commands that touch nothing of the server but what is said of them elsewhere.
HARMLESS = frozenset(
    (b"PING", b"TIME", b"ECHO", b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH", b"HELLO", b"CLIENT", b"SELECT")
)


class Connection(asyncio.Transport):
    """A client's connection. It has one request at a time on its way: redis-py waits for the reply."""

    def __init__(self, link: "Link", process: Process, protocol: Any) -> None:
        super().__init__()
        self._link = link
        self._process = process
        self._protocol = protocol
        self._session = link.server.open_session()
        self._buffer = b""
        self._closing = False
        self._queued: list[bytes] | None = None  # the keys named since MULTI
        self.cut = False  # the server knows nothing of it any more
        process.connections += 1
        self._name = f"{process.name}/{process.connections}"
        self._watched: list[bytes] = []
        self.request: Request | None = None
        self._pushed: deque[tuple[bytes, Request | None]] = deque()
        self._arrived = 0  # how many of these could be read by now
        self._session.push = self._push
        link.connections[self] = None
        process.on_stop.append(self.close)

    def write(self, data: Any) -> None:
        """Take bytes from the client; each write that completes commands is one request."""
        if self._closing or not self._process.alive:
            return
        self.touch()
        received = self._buffer + bytes(data)
        commands, self._buffer = split_commands(received)
        if commands:
            size = len(received) - len(self._buffer)
            self._link.traffic.append((self._link.agenda.now_ms, size, 0))
            self.request = Request(self._link, self, self._process, commands)
            self.request.send()

    def writelines(self, list_of_data: Any) -> None:
        """All of it as one write: a pipeline is one request."""
        self.write(b"".join(list_of_data))

    def touch(self) -> None:
        """The step that is happening changes something about this connection."""
        self._link.agenda.touch("connection", self._name)

    def execute(self, args: Command) -> Executed:
        """Execute a command in this connection's session; in a cluster, only if its keys share a slot."""
        done = self._execute(args)
        if self._link.agenda.watched:
            self._touch_keys(args, done)
        return done

    def _touch_keys(self, args: list[bytes], done: Executed) -> None:
        """Say what the command really touched, through `redis.call` too; what is not known to be harmless touches all."""
        touch, name = self._link.agenda.touch, args[0].upper()
        if name == b"WATCH":
            self._watched += args[1:]
        elif name in (b"EXEC", b"DISCARD", b"UNWATCH"):
            for key in self._watched:
                touch("redis", text(key), writes=False)
            self._watched = []
        if name == b"EVAL":
            # It puts the script into the server's cache, where an EVALSHA finds it; who was first to do so is all the same.
            touch(f"script {hashlib.sha1(args[1], usedforsecurity=False).hexdigest()}", self._name)
        elif name == b"EVALSHA":
            touch(f"script {text(args[1].lower())}", "", writes=False)
            if done.error is not None and done.error.startswith("NOSCRIPT"):
                return
        elif name in UNSHARED:
            touch("server")
        keys = [*done.reads, *(text(key) for key in declared_keys(args))]
        if name not in HARMLESS and not keys and not done.writes:
            touch("redis")
        for name_of_key in keys:
            touch("redis", "" if name_of_key == text(ANY_KEY) else name_of_key, writes=False)
        for name_of_key in done.writes:
            touch("redis", name_of_key)

    def _execute(self, args: Command) -> Executed:
        if not self._link.cluster:
            return self._link.server.execute(self._session, args)
        name = args[0].upper()
        keys = declared_keys(args)
        if name == b"MULTI":
            self._queued = []
        if self._queued is not None and name not in (b"EXEC", b"DISCARD"):
            self._queued += keys  # judged at EXEC
            keys = []
        elif name in (b"EXEC", b"DISCARD"):
            keys, self._queued = self._queued or [], None
        if in_two_slots(keys):
            if name == b"EXEC":
                self._link.server.execute(self._session, DISCARD)
            return refused(CROSSSLOT)
        done = self._link.server.execute(self._session, args)
        touched = [key.encode() for key in (*done.reads, *done.writes) if key != text(ANY_KEY)]
        if is_script(args) and in_two_slots(touched):
            done.reply, done.error = NON_LOCAL_KEY, text(NON_LOCAL_KEY[1:-2])
        return done

    def feed(self, data: bytes) -> None:
        """Bytes from the server arrive at the client."""
        self.touch()
        if not self._closing:
            self.request = None
            self._link.traffic.append((self._link.agenda.now_ms, 0, len(data)))
            self._process.context.run(self._protocol.data_received, data)
            self._read_pushed()

    def _push(self, data: bytes) -> None:
        """What was published is on its way. One stream of bytes: the first to arrive is the first that was sent."""
        self.touch()
        behind = self.request if self.request is not None and self.request.answered else None
        self._pushed.append((data, behind))
        name = self._process.name
        self._link.agenda.hop(f"{name} is told", name, self._process, self._told, self._link.hop_ms)

    def _told(self) -> None:
        self.touch()
        self._arrived += 1
        self._read_pushed()

    def _read_pushed(self) -> None:
        # What was sent after a reply is not read before it.
        while self._arrived and (self._pushed[0][1] is None or self._pushed[0][1] is not self.request):
            data, _ = self._pushed.popleft()
            self._arrived -= 1
            if not self._closing:
                self._process.context.run(self._protocol.data_received, data)

    def try_blocked(self) -> bool:
        """Try a command again that waits for a key. True if it got on."""
        return self.request is not None and self.request.try_blocked()

    def break_off(self, why: str) -> None:
        """The connection breaks: the client sees an error, now."""
        self.cut = True
        if self._closing:
            return
        # An idle client reads the end of the stream, and its pool makes a new connection; one that waits sees an error.
        error = ConnectionResetError(f"connection lost: {why}") if self.request is not None else None
        self._close(why)
        self._process.cold = True
        if self._process.alive:
            self._process.context.run(
                self._link.loop.call_soon,
                self._protocol.connection_lost,
                error,
            )

    def close(self) -> None:
        """The client closes, perhaps because it waited too long: what was sent may still arrive, replies no longer do."""
        self._close("given_up")

    def _close(self, why: str) -> None:
        if self._closing:
            return
        self.touch()
        if getattr(self._session, "_pubsub", 0):
            self._link.agenda.touch("redis")  # whoever publishes from here on reaches one less
        self._closing = True
        self._link.connections.pop(self, None)
        if self.close in self._process.on_stop:
            self._process.on_stop.remove(self.close)
        if self.request is not None:
            self.request.abandon(why)
        if self.cut or self.request is None:
            self._link.server.close_session(self._session)

    def served(self) -> None:
        """The server has executed the request; if the client has gone meanwhile, its session ends here."""
        if self._closing:
            self._link.server.close_session(self._session)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def is_closing(self) -> bool:
        """Whether it is closed or broken, or the run is over."""
        return self._closing or self._link.loop.is_closed()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known of a simulated socket."""
        return default

    def can_write_eof(self) -> bool:
        """Redis clients never half-close."""
        return False

    def pause_reading(self) -> None:
        """Replies are small: never needed."""

    def resume_reading(self) -> None:
        """As above."""


def refused(reply: bytes) -> Executed:
    """A command that the server answers with an error without executing it."""
    done = Executed(None, reply, [], [], None)
    done.error = text(reply[1:].strip())
    return done
