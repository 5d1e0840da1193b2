"""A small program: a few coroutines, each with a Redis client of its own, over one server, and nothing else of the world.

What is said of a run holds for it too: the same inputs give the same history. Benchmarks and cross-checks use it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import redis.asyncio

from engine.exploration.scheduler import Choices, Scheduler
from engine.simulation.agenda import Agenda
from engine.simulation.bounds import Bounds, cpu_bound
from engine.simulation.case import Case
from engine.simulation.faults import Faults
from engine.simulation.guard import Guard
from engine.simulation.link import Link
from engine.simulation.loop import SimLoop
from engine.simulation.process import EPOCH_MS, Process
from engine.simulation.server import RedisServer, ServerPool, text
from engine.simulation.stock import redis_client
from engine.simulation.tracking import Event, Recorder

Body = Callable[["redis.asyncio.Redis"], Coroutine[Any, Any, None]]
"""What one function of the program does, with its client."""

_POOL = ServerPool()
_GUARD = Guard()


class Program:
    """One run of a program under a scheduler that has begun a run. `hop_ms` is the window of each hop, as in a `Case`."""

    def __init__(
        self,
        bodies: Sequence[Body],
        scheduler: Scheduler,
        *,
        hop_ms: tuple[int, int] = (1, 600),
        instants_ms: Sequence[int] = (),
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self.choices = Choices(scheduler)
        self.agenda = Agenda(self.choices, instants_ms, self.bounds)
        self.loop = SimLoop(self.agenda, self.bounds)  # type: ignore[abstract]  # it has what is used of a loop
        self.record = Recorder(lambda: self.agenda.now_ms)
        self.server = RedisServer(_POOL)
        self.agenda.ttl_ends = self.server.ttl_ends_ms
        self.tasks: list[asyncio.Task[None]] = []
        self._bodies = bodies
        self._hop_ms = hop_ms

    def run(self) -> list[Event]:
        """Run until nothing can happen any more; the history. Raises `BoundHit`, and what a body has raised."""
        agenda = self.agenda
        faults = Faults(Case(sendings=()), self.choices, self.record, lambda: agenda.now_ms, agenda.touch)
        self.link = Link(agenda, self.loop, self.server, faults, self.record, hop_ms=self._hop_ms, cluster=False)
        with _GUARD.running(lambda: (EPOCH_MS + agenda.now_ms) / 1000, type(self)), cpu_bound(self.bounds):
            asyncio._set_running_loop(self.loop)
            try:
                for number, body in enumerate(self._bodies, 1):
                    Process(f"f{number}").context.run(self._begin, body)
                self.loop.drain()
                while agenda.advance():
                    pass
                for task in self.tasks:
                    task.result()
            finally:
                self.loop.close()
                asyncio._set_running_loop(None)
        return self.record.history

    def _begin(self, body: Body) -> None:
        self.tasks.append(self.loop.create_task(body(redis_client())))

    def value(self, key: str) -> str | None:
        """The text under a key, when the run is over; None if there is none."""
        item = self.server.database.get(key.encode())
        return None if item is None else text(item.value)
