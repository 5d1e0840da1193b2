"""The network between a function and Redis: a request hop, the atomic execution, a reply hop.

It stands below redis-py's own connection, as the transport of its stream: the client's pipelines, time-outs, errors and
reconnects are the real ones. Faults strike here and nowhere above.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from redis.crc import key_slot

from engine.simulation.agenda import Agenda
from engine.simulation.faults import Faults
from engine.simulation.loop import OWNER, SimLoop
from engine.simulation.process import Process
from engine.simulation.server import Executed, RedisServer, text

FAULTS_AT_REQUEST = ("request_lost", "reply_lost", "stall", "restart", "unreachable", "script_flush")
DAGGER_AT_REQUEST = ("restart_data_lost", "eviction")
LONGEST_OUTAGE_MS = 120_000


class Link:
    """All connections to the one server."""

    def __init__(
        self,
        agenda: Agenda,
        loop: SimLoop,
        server: RedisServer,
        faults: Faults,
        record: Callable[..., None],
        *,
        hop_ms: tuple[int, int],
        cluster: bool,
    ) -> None:
        self.agenda = agenda
        self.loop = loop
        self.server = server
        self.faults = faults
        self.record = record
        self.hop_ms = hop_ms
        self.cluster = cluster
        self.commands = 0
        self.connections: dict[Connection, None] = {}
        loop.connect = self.connect

    async def connect(self, protocol_factory: Callable[[], Any]) -> tuple[Any, Any]:
        """Open a connection. They are warm at the start; after a break a function's next one takes a hop."""
        process = OWNER.get()
        assert process is not None
        if process.cold or not self.server.reachable:
            arrived = self.loop.create_future()
            self.agenda.hop(
                f"{process.name} connects",
                process.name,
                process,
                lambda: None if arrived.done() else arrived.set_result(None),
                self.hop_ms,
            )
            await arrived
            if not self.server.reachable:
                raise ConnectionRefusedError("Redis cannot be reached")
            process.cold = False
        protocol = protocol_factory()
        connection = Connection(self, process, protocol)
        protocol.connection_made(connection)
        return connection, protocol

    def break_all(self) -> None:
        """The server restarts: every connection breaks."""
        for connection in list(self.connections):
            connection.break_off("restart")

    def go_down(self, for_ms: int) -> None:
        """Redis cannot be reached for a while."""
        self.server.reachable = False
        self.break_all()
        self.agenda.at("outage", "Redis can be reached again", None, self.come_back, self.agenda.now_ms + for_ms)

    def come_back(self) -> None:
        """Redis can be reached again."""
        if not self.server.reachable:
            self.server.reachable = True
            self.record("note", note="Redis can be reached again")


class Connection(asyncio.Transport):
    """A client's connection, as a transport of the simulated loop."""

    def __init__(self, link: Link, process: Process, protocol: Any) -> None:
        super().__init__()
        self._link = link
        self._process = process
        self._protocol = protocol
        self._session = link.server.open_session()
        self._buffer = b""
        self._closing = False
        link.connections[self] = None
        process.on_stop.append(self.close)

    def write(self, data: Any) -> None:
        """Take bytes from the client; each write that completes commands is one request."""
        if self._closing:
            return
        self._buffer += bytes(data)
        commands, self._buffer = split_commands(self._buffer)
        if commands:
            Request(self._link, self, self._process, commands).send()

    def writelines(self, list_of_data: Any) -> None:
        """All of it as one write: a pipeline is one request."""
        self.write(b"".join(list_of_data))

    def execute(self, raw: bytes) -> Executed:
        """Execute a command in this connection's session."""
        return self._link.server.execute(self._session, raw)

    def feed(self, data: bytes) -> None:
        """Bytes from the server arrive at the client."""
        if not self._closing:
            self._process.context.run(self._protocol.data_received, data)

    def break_off(self, why: str) -> None:
        """The connection breaks: the client sees an error, now."""
        if self._closing:
            return
        self.close()
        self._process.cold = True
        if self._process.alive:
            self._process.context.run(
                self._link.loop.call_soon,
                self._protocol.connection_lost,
                ConnectionResetError(f"connection lost: {why}"),
            )

    def close(self) -> None:
        """Close: what was sent may still arrive; replies no longer do. The server drops the session's watches."""
        if not self._closing:
            self._closing = True
            self._link.connections.pop(self, None)
            self._session._clear_watches()

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def is_closing(self) -> bool:
        """Whether it is closed or broken."""
        return self._closing

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


class Request:
    """What one write brought: a command, a transaction or a pipeline, on its way to the server and back."""

    def __init__(
        self, link: Link, connection: Connection, process: Process, commands: list[tuple[bytes, list[bytes]]]
    ) -> None:
        self._link = link
        self._connection = connection
        self._process = process
        self._units = list(transactions(commands))
        first = commands[0][1]
        self._name = f"{process.name} {text(first[0])} {_first_key(first)}".strip()
        self._numbers: list[int] = []
        self._replies: list[bytes] = []
        self._fault: str | None = None
        self._stall_ms = 0

    def send(self) -> None:
        """Put the request on its way; a fault may strike it."""
        link, who = self._link, self._process.name
        for unit in self._units:
            for _, args in unit:
                link.commands += 1
                self._numbers.append(link.commands)
                link.record("redis.sent", command=link.commands, function=who, args=[text(a) for a in args[:2]])
        self._fault = link.faults.strike(
            self._name, who, FAULTS_AT_REQUEST + DAGGER_AT_REQUEST, command=self._numbers[0]
        )
        if self._fault == "stall":
            self._stall_ms = link.faults.stall_ms(self._name, who)
            self._fault = ("request_stalls", "reply_stalls")[link.faults.number(f"which hop {self._name}", who, 0, 1)]
        extra = self._stall_ms if self._fault == "request_stalls" else 0
        link.agenda.hop(f"{self._name} request", who, None, self._arrive, link.hop_ms, extra)

    def _arrive(self) -> None:
        link = self._link
        if self._fault == "request_lost":
            self._fail("request_lost")
        elif self._fault in ("restart", "restart_data_lost"):
            if self._fault == "restart_data_lost":
                link.server.lose_data()
            link.break_all()
            self._fail(self._fault)
        elif self._fault == "unreachable":
            link.go_down(link.faults.number(f"outage {self._name}", self._process.name, 1_000, LONGEST_OUTAGE_MS))
            self._fail("unreachable")
        elif not link.server.reachable:
            self._fail("unreachable")
        else:
            self._before_execution()
            self._execute_unit()

    def _before_execution(self) -> None:
        link = self._link
        if self._fault == "script_flush":
            link.server.flush_scripts()
        elif self._fault == "eviction":
            keys = list(link.server.keys())
            if keys:
                index = link.faults.number(f"evicted {self._name}", self._process.name, 0, len(keys) - 1)
                link.server.evict(keys[index].encode())
                link.record("key.evicted", key=keys[index])

    def _execute_unit(self) -> None:
        link = self._link
        for key in link.server.expire(link.agenda.now_ms):
            link.record("key.expired", key=key)
        for raw, args in self._units.pop(0):
            self._execute(raw, args)
        if self._units:
            # A pipeline outside a transaction is no atomic thing: other clients' commands may come between.
            link.agenda.at("pipeline", f"{self._name} next", None, self._execute_unit, link.agenda.now_ms)
        elif self._fault == "reply_lost":
            self._fail("reply_lost")
        else:
            extra = self._stall_ms if self._fault == "reply_stalls" else 0
            link.agenda.hop(f"{self._name} reply", self._process.name, self._process, self._reply, link.hop_ms, extra)

    def _execute(self, raw: bytes, args: list[bytes]) -> None:
        link, number = self._link, self._numbers[len(self._replies)]
        if link.cluster and len({key_slot(key) for key in declared_keys(args)}) > 1:
            done = Executed(None, b"-CROSSSLOT Keys in request don't hash to the same slot\r\n", [], [])
            done.error = "CROSSSLOT"
        else:
            done = self._connection.execute(raw)
        self._replies.append(done.reply)
        fields: dict[str, Any] = {"error": done.error} if done.error else {}
        link.record(
            "redis.executed",
            command=number,
            function=self._process.name,
            args=[_shown(args, index, link.server) for index in range(len(args))],
            reply=short(done.result),
            reads=done.reads,
            writes=done.writes,
            **fields,
        )

    def _reply(self) -> None:
        link = self._link
        if self._connection.is_closing():
            return
        link.record("redis.replied", command=self._numbers[-1], function=self._process.name)
        self._connection.feed(b"".join(self._replies))

    def _fail(self, why: str) -> None:
        """The client sees a broken connection, one hop later."""
        link = self._link

        def lost() -> None:
            link.record("redis.failed", command=self._numbers[0], function=self._process.name, error=why)
            self._connection.break_off(why)

        link.agenda.hop(f"{self._name} breaks", self._process.name, self._process, lost, link.hop_ms)


def split_commands(data: bytes) -> tuple[list[tuple[bytes, list[bytes]]], bytes]:
    """The complete commands in a RESP request: each as its bytes and its arguments; and what is left."""
    commands = []
    position = 0
    while position < len(data):
        start, args = position, []
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            break
        count = int(data[position + 1 : line_end])
        position = line_end + 2
        for _ in range(count):
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                return commands, data[start:]
            size = int(data[position + 1 : line_end])
            position = line_end + 2
            if position + size + 2 > len(data):
                return commands, data[start:]
            args.append(data[position : position + size])
            position += size + 2
        commands.append((data[start:position], args))
    return commands, data[position:]


def transactions(commands: list[tuple[bytes, list[bytes]]]) -> Iterator[list[tuple[bytes, list[bytes]]]]:
    """Units that the server executes without another client's command in between: MULTI to EXEC, else one command."""
    unit: list[tuple[bytes, list[bytes]]] = []
    for command in commands:
        unit.append(command)
        name = command[1][0].upper()
        if unit[0][1][0].upper() != b"MULTI" or name in (b"EXEC", b"DISCARD"):
            yield unit
            unit = []
    if unit:
        yield unit


def declared_keys(args: list[bytes]) -> list[bytes]:
    """The keys that a command names, as a cluster's client would find them."""
    name = args[0].upper()
    if name in (b"EVAL", b"EVALSHA", b"FCALL") and len(args) > 2:
        return args[3 : 3 + int(args[2])]
    if name in (b"DEL", b"UNLINK", b"EXISTS", b"MGET", b"WATCH", b"TOUCH", b"SUNION", b"SINTER", b"SDIFF"):
        return args[1:]
    if name in (b"RENAME", b"RENAMENX", b"RPOPLPUSH", b"LMOVE", b"SMOVE", b"COPY"):
        return args[1:3]
    return args[1:2] if len(args) > 1 else []


def short(value: Any, limit: int = 600) -> str:
    """A reply as short text."""
    if value is None:
        return "nil"
    if isinstance(value, bytes):
        shown = text(value)
    elif isinstance(value, list):
        shown = "[" + ", ".join(short(each, 80) for each in value[:8]) + (", …]" if len(value) > 8 else "]")
    else:
        shown = str(value)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _first_key(args: list[bytes]) -> str:
    keys = declared_keys(args)
    return text(keys[0]) if keys else ""


def _shown(args: list[bytes], index: int, server: RedisServer) -> str:
    if index == 1 and args[0].upper() in (b"EVALSHA", b"EVAL"):
        return server.script_name(args[1])
    return short(args[index])
