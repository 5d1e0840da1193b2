"""A request on its way to the simulated server and back: where the faults of the network and of the server strike."""

from typing import TYPE_CHECKING, Any

from engine.simulation.agenda import Step
from engine.simulation.process import Process
from engine.simulation.server import Executed, text
from engine.simulation.wire import NULL_ARRAY, Command, first_key, short, shown_args, transactions

if TYPE_CHECKING:
    from engine.simulation.connection import Connection
    from engine.simulation.link import Link

#: Faults that are felt by everybody, when the request arrives at the server.
AT_THE_SERVER = ("restart", "unreachable", "script_flush", "restart_data_lost", "eviction")
AT_A_REQUEST = ("request_lost", "reply_lost", "stall", *AT_THE_SERVER)
LONGEST_OUTAGE_MS = 120_000


class Request:
    """What one write brought: a command, a transaction or a pipeline, on its way to the server and back."""

    def __init__(self, link: "Link", connection: "Connection", process: Process, commands: list[Command]) -> None:
        self._link = link
        self._connection = connection
        self._process = process
        self._units = list(transactions(commands))
        first = commands[0]
        self._name = f"{process.name} {text(first[0])} {first_key(first)}".strip()
        self._numbers: list[int] = []
        self._replies: list[bytes] = []
        self._fault: str | None = None
        self._stall_ms = 0
        self._blocked = False
        self._patience: Step | None = None
        self.answered = False  # its reply is on its way

    def send(self) -> None:
        """Put the request on its way; a fault may strike it."""
        link, who = self._link, self._process.name
        for unit in self._units:
            for args in unit:
                link.commands += 1
                self._numbers.append(link.commands)
                link.record("redis.sent", command=link.commands, function=who, args=[text(a) for a in args[:2]])
        self._fault = link.faults.strike(self._name, who, AT_A_REQUEST, command=self._numbers[0])
        if self._fault == "stall":
            self._stall_ms = link.faults.stall_ms(self._name, who, link.hop_ms)
            self._fault = ("request_stalls", "reply_stalls")[link.faults.which(f"which hop {self._name}", who, 2)]
        elif self._fault in AT_THE_SERVER:
            link.brewing += 1
        extra = self._stall_ms if self._fault == "request_stalls" else 0
        link.agenda.hop(f"{self._name} request", who, None, self._arrive, link.hop_ms, extra)

    def _arrive(self) -> None:
        link = self._link
        self._connection.touch()
        link.agenda.touch("server", "", writes=self._fault in AT_THE_SERVER)
        if self._fault in AT_THE_SERVER:
            link.brewing -= 1
            self._strike_server(self._fault)
        if self._fault == "request_lost":
            self._fail("request_lost")
        elif self._connection.cut:
            return  # a restart or an outage was quicker
        elif not link.server.reachable:
            self._fail("unreachable")
        else:
            self._execute_unit()

    def _strike_server(self, fault: str) -> None:
        link, who = self._link, self._process.name
        if fault in ("restart", "restart_data_lost"):
            link.restart(lose_data=fault == "restart_data_lost")
        elif fault == "unreachable":
            link.go_down(link.faults.number(f"outage {self._name}", who, 1_000, LONGEST_OUTAGE_MS))
        elif fault == "script_flush":
            link.server.flush_scripts()
        elif keys := list(link.server.keys()):
            evicted = keys[link.faults.which(f"evicted {self._name}", who, len(keys))]
            link.server.evict(evicted.encode())
            link.record("key.evicted", key=evicted)

    def _execute_unit(self) -> None:
        link = self._link
        self._connection.touch()
        link.agenda.touch("server", "", writes=False)
        if self._connection.cut:
            return
        link.end_keys()
        wrote = False
        for args in self._units[0]:
            done = self._connection.execute(args)
            if done.blocked_for is not None:
                self._block(done, done.blocked_for)
                return
            wrote = wrote or bool(done.writes)
            self._executed(args, done)
        if wrote:
            link.wake_blocked()
        link.await_end()
        self._next_unit()

    def _next_unit(self) -> None:
        link = self._link
        self._units.pop(0)
        if self._units:
            # A pipeline outside a transaction is no atomic thing: other clients' commands may come between.
            link.agenda.at("pipeline", f"{self._name} next", None, self._execute_unit, link.agenda.now_ms)
            return
        self._connection.served()
        if self._fault == "reply_lost":
            self._fail("reply_lost")
        else:
            self.answered = True
            extra = self._stall_ms if self._fault == "reply_stalls" else 0
            link.agenda.hop(f"{self._name} reply", self._process.name, self._process, self._reply, link.hop_ms, extra)

    def _executed(self, args: Command, done: Executed) -> None:
        fields: dict[str, Any] = {"error": done.error} if done.error else {}
        if done.writes:
            self._link.written(done.writes)
        self._link.record(
            "redis.executed",
            command=self._numbers[len(self._replies)],
            function=self._process.name,
            args=shown_args(args, self._link.server.script_name),
            reply=short(done.result),
            reads=done.reads,
            writes=done.writes,
            **fields,
        )
        self._replies.append(done.reply)

    # -- commands that wait for a key (BLPOP and its kind) -------------------------------------------------------------

    def _block(self, done: Executed, seconds: float) -> None:
        if self._connection.is_closing():
            return  # nobody waits for it
        agenda = self._link.agenda
        if done.again is not None:
            self._units[0] = [done.again]
        self._blocked = True
        self._link.blocked += 1
        if seconds:
            due_ms = agenda.now_ms + round(seconds * 1000)
            self._patience = agenda.at("blocked", f"{self._name} waited in vain", None, self._give_nothing, due_ms)
            agenda.mark_idle(self._patience)

    def try_blocked(self) -> bool:
        """A key has changed: try again. True if the command found something."""
        if not self._blocked:
            return False
        args = self._units[0][0]
        done = self._connection.execute(args)
        if done.blocked_for is not None:
            return False
        self._unblock()
        self._executed(args, done)
        self._next_unit()
        return True

    def _give_nothing(self) -> None:
        self._connection.touch()
        self._unblock()
        self._executed(self._units[0][0], Executed(None, NULL_ARRAY, [], [], None))
        self._next_unit()

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self._link.blocked -= 1
        if self._patience is not None:
            self._link.agenda.cancel(self._patience)

    # -- the client's side ---------------------------------------------------------------------------------------------

    def abandon(self, why: str) -> None:
        """The connection has gone while the client waited: it sees an error."""
        self._unblock()
        self._link.failed(self._process, self._numbers, why)

    def _reply(self) -> None:
        if self._connection.is_closing():
            return
        for number in self._numbers:
            self._link.record("redis.replied", command=number, function=self._process.name)
        self._connection.feed(b"".join(self._replies))

    def _fail(self, why: str) -> None:
        """The client sees a broken connection, one hop later."""
        name = self._process.name
        self._link.agenda.hop(
            f"{self._name} breaks", name, self._process, lambda: self._connection.break_off(why), self._link.hop_ms
        )
