"""Small programs of Redis commands over the real agenda and the simulated server, without functions and HTTP."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engine.exploration.independence import conflict
from engine.exploration.scheduler import Abandoned, Choices, Footprint, Scheduler
from engine.exploration.tree import TreeWalk
from engine.simulation.agenda import Agenda, Coarse, Step
from engine.simulation.bounds import Bounds
from engine.simulation.connection import Connection
from engine.simulation.guard import Guard
from engine.simulation.process import EPOCH_MS, Process
from engine.simulation.server import RedisServer, ServerPool

Command = tuple[Any, ...]
"""A command with its arguments; or `("sleep", ms)`, `("kill", program)`, `("maybe", …command)`: run or left out."""

_POOL = ServerPool()
_GUARD = Guard()


class _Client(Connection):
    """A connection that sends nothing: its commands are executed when the program says so."""

    def __init__(self, link: Any, process: Process) -> None:
        super().__init__(link, process, None)

    def run(self, command: Command) -> Any:
        """Execute one command; its result."""
        done = self.execute([str(word).encode() for word in command])
        self.touch()
        return done.result if done.error is None else done.error.split()[0]


class Programs:
    """Programs that run against one server, and what each saw."""

    cluster = False

    def __init__(self, programs: Mapping[str, Sequence[Command]], scheduler: Scheduler, *, holds: int = 0) -> None:
        self.agenda = Agenda(Choices(scheduler), (), Bounds(), coarse=Coarse(holds, 1_000))
        self.server = RedisServer(_POOL)
        self.connections: dict[Connection, None] = {}
        self.seen: dict[str, list[Any]] = {name: [] for name in programs}
        self._next: dict[str, Step] = {}
        self._programs = programs
        self._clients = {name: _Client(self, Process(name)) for name in programs}
        for name in programs:
            self._send(name, 0)

    def _send(self, name: str, place: int) -> None:
        if place == len(self._programs[name]):
            self._next.pop(name, None)
            return
        command = self._programs[name][place]
        happens = partial(self._happens, name, place)
        if command[0] == "sleep":
            self._next[name] = self.agenda.at("timer", f"{name} wakes", None, happens, self.agenda.now_ms + command[1])
        else:
            self._next[name] = self.agenda.hop(f"{name} {place}", name, None, happens, (0, 5))

    def _happens(self, name: str, place: int) -> None:
        self.agenda.touch("program", name)
        command = self._programs[name][place]
        if command[0] == "maybe":
            command = (
                command[1:] if self.agenda.choices.number(name, f"maybe {name}", 0, 1, shape="uniform") else ("PING",)
            )
        if command[0] == "kill":
            if command[1] in self._next:
                self.agenda.cancel(self._next.pop(command[1]))
            self.agenda.touch("program", command[1])
        elif command[0] != "sleep":
            self.server.expire(self.agenda.now_ms)
            self.seen[name].append(self._clients[name].run(command))
        self._send(name, place + 1)

    def run(self) -> str:
        """Run to the end: what each program saw, and what is left on the server."""
        try:
            with _GUARD.running(lambda: (EPOCH_MS + self.agenda.now_ms) / 1000, Programs):
                while self.agenda.advance():
                    pass
        finally:
            if self.agenda.choices.observer is not None:
                self.agenda.choices.observer.end_run()
        left = {
            key: getattr(item.value, "value", item.value) for key, item in sorted(self.server.database._dict.items())
        }
        return repr((self.seen, left))


def outcomes(
    walk: TreeWalk, programs: Mapping[str, Sequence[Command]], each: Callable[[TreeWalk], None] = lambda walk: None
) -> set[str]:
    """All outcomes that a walk reaches. `each` is called after every complete run."""
    reached = set()
    while walk.new_run(walk.runs):
        try:
            reached.add(Programs(programs, walk).run())
        except Abandoned:
            continue
        each(walk)
    return reached


def class_of(walk: TreeWalk) -> tuple[Any, ...]:
    """The class of the run that a walk has just made, by brute force: Foata's normal form, an instant after the other."""
    form: list[Any] = []
    layers: list[list[tuple[int, Any, Footprint]]] = []
    for event in walk.events:
        if event.place < 0:
            form.append(tuple(tuple(sorted((i, a) for i, a, _ in layer)) for layer in layers))
            layers = []
            continue
        level = len(layers)
        while level and not any(conflict(footprint, event.footprint) for _, _, footprint in layers[level - 1]):
            level -= 1
        if level == len(layers):
            layers.append([])
        layers[level].append((event.identity, event.answers, event.footprint))
    form.append(tuple(tuple(sorted((i, a) for i, a, _ in layer)) for layer in layers))
    return tuple(form)
