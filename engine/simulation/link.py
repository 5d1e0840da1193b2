"""The network between a function and Redis: a request hop, the atomic execution, a reply hop.

It stands below redis-py's own connection, as the transport of its stream: the client's pipelines, time-outs, errors and
reconnects are the real ones. Faults strike here and nowhere above.

What a client sent before it gave up may still be executed. What was on its way when the *server* broke the connection
(a restart, an outage) is not: the server that comes back knows nothing of that connection.
"""

from collections.abc import Callable, Sequence
from typing import Any

from engine.simulation.agenda import Agenda, Step
from engine.simulation.connection import Connection
from engine.simulation.faults import Faults
from engine.simulation.loop import OWNER, SimLoop
from engine.simulation.process import Process
from engine.simulation.server import RedisServer


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
        #: What went over the wire: time, bytes from a client (a request: one round trip), bytes to a client.
        self.traffic: list[tuple[int, int, int]] = []
        self.connections: dict[Connection, None] = {}
        self.written: Callable[[list[str]], None] = lambda keys: None  # told of every command that changed keys
        self.blocked = 0  # requests that wait for a key
        #: Requests with a fault that is still to strike the server: the run does not heal before it has.
        self.brewing = 0
        self._next_end: Step | None = None
        loop.connect = self.connect

    async def connect(self, protocol_factory: Callable[[], Any]) -> tuple[Any, Any]:
        """Open a connection. They are warm at the start; after a break a function's next one takes a hop."""
        process = OWNER.get()
        assert process is not None
        self.agenda.touch("server", "", writes=False)
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
            self.agenda.touch("server", "", writes=False)
            if not self.server.reachable:
                self.commands += 1
                self.failed(process, [self.commands], "unreachable")
                raise ConnectionRefusedError("Redis cannot be reached")
            process.cold = False
        protocol = protocol_factory()
        connection = Connection(self, process, protocol)
        protocol.connection_made(connection)
        return connection, protocol

    def restart(self, *, lose_data: bool) -> None:
        """The server restarts: every connection breaks, cached scripts are gone, keys are kept unless they are lost."""
        self.server.flush_scripts()
        if lose_data:
            self.server.lose_data()
        self._break_all("restart_data_lost" if lose_data else "restart")

    def wake_blocked(self) -> None:
        """A key has changed: blocked commands are tried again, in the order in which they came, until none gets on."""
        woken = self.blocked > 0
        while woken:
            woken = any(connection.try_blocked() for connection in list(self.connections))

    def end_keys(self) -> None:
        """The keys whose TTL has ended are gone."""
        for key in self.server.expire(self.agenda.now_ms):
            self.record("key.expired", key=key)

    def await_end(self) -> None:
        """Where somebody hears of it, a key ends by itself when its time has come; elsewhere when the next command looks."""
        if not self.server.tells_of_ends:
            return
        # Which step makes the next end's, or moves it, hangs on the order of these looks.
        self.agenda.touch("ends")
        end_ms = self.server.next_end_ms()
        due_ms = None if end_ms is None else max(end_ms + 1, self.agenda.now_ms)
        if self._next_end is not None:
            if not self._next_end.cancelled and self._next_end.due_ms == due_ms:
                return
            self.agenda.cancel(self._next_end)
            self._next_end = None
        if due_ms is not None:
            self._next_end = self.agenda.at("expiry", "a key ends", None, self._key_ends, due_ms)
            self.agenda.mark_idle(self._next_end)

    def _key_ends(self) -> None:
        self._next_end = None
        self.agenda.touch("redis")
        self.end_keys()
        self.await_end()

    def _break_all(self, why: str) -> None:
        for connection in list(self.connections):
            connection.break_off(why)

    def go_down(self, for_ms: int) -> None:
        """Redis cannot be reached for a while."""
        self.agenda.touch("server")
        self.server.reachable = False
        self._break_all("unreachable")
        self.agenda.at("outage", "Redis can be reached again", None, self.come_back, self.agenda.now_ms + for_ms)

    def come_back(self) -> None:
        """Redis can be reached again."""
        if not self.server.reachable:
            self.agenda.touch("server")
            self.server.reachable = True
            self.record("note", note="Redis can be reached again")

    def failed(self, process: Process, commands: Sequence[int], why: str) -> None:
        """A function sees an error instead of the replies to these commands. One that has stopped sees nothing."""
        if process.alive:
            for command in commands:
                self.record("redis.failed", command=command, function=process.name, error=why)
