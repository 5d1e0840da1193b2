"""A function's process: its own memory, context, wall clock and connections. It can crash, pause and be replaced."""

import asyncio
import contextvars
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.simulation.agenda import Step
from engine.simulation.loop import OWNER, SimHandle, SimTask

#: The instant at which every run starts, on the server's clock.
EPOCH = datetime(2026, 1, 5, 9, 0, 0, tzinfo=UTC)
EPOCH_MS = int(EPOCH.timestamp() * 1000)


#: More timers than a task sets that has something to do and an end.
POLLS = 60
#: A tick or a cleanup may have much to do; one that has set so many timers is a loop that never returns.
POLLS_OF_A_TICK = 300


class Process:
    """One live function. What is inside it (the service, the strategy) is put there by the world."""

    def __init__(self, name: str, *, offset_ms: int = 0, drift_ppm: int = 0) -> None:
        self.name = name
        self.timer_name = f"timer {name}"
        self.offset_ms = offset_ms
        self.drift_ppm = drift_ppm
        self.alive = True
        self.paused = False
        self.touched = False
        self.cold = False  # a connection of it broke: the next one is really made
        self.handles: list[SimHandle] = []
        self.backlog: list[Step] = []
        self.steps: dict[Step, None] = {}
        self.connections = 0  # how many it has opened
        self.open_calls = 0
        self.calls: list[Callable[[], None]] = []
        self.on_stop: list[Callable[[], None]] = []
        self.periodic: frozenset[asyncio.Task[Any]] = frozenset()
        self.pollers: dict[asyncio.Task[Any], None] = {}  # tasks that have set many timers
        self.ticking: dict[asyncio.Task[Any], str] = {}  # ticks and cleanups that are at work
        self.begun: dict[asyncio.Task[Any], int] = {}  # and what the world's `Stillness` said when they began
        self.runs_cleanup = False
        self.app: Any = None
        self.function: Any = None
        self.design: type | None = None  # whose instance it runs, or a copy's
        self.context = contextvars.copy_context()
        self.context.run(OWNER.set, self)

    def clock(self, now_ms: int) -> datetime:
        """This function's wall clock: the world's, off by its offset and its drift."""
        skewed = now_ms + self.offset_ms + now_ms * self.drift_ppm // 1_000_000
        return EPOCH + timedelta(milliseconds=skewed)

    @property
    def fresh(self) -> bool:
        """Whether no call has reached it and it is like any other fresh one."""
        return not (self.touched or self.offset_ms or self.drift_ppm or self.paused or self.ticks)

    @property
    def ticks(self) -> bool:
        """Whether it polls or sweeps."""
        return self.function.strategy.tick_ms is not None

    @property
    def polls(self) -> bool:
        """Whether a background task of it goes round and round."""
        return not all(task.done() for task in self.pollers)

    def is_idle_timer(self) -> bool:
        """Whether the timer that is being set now is a pause between ticks, cleanups or the rounds of a poller.

        A poller is a background task that has set many timers: a loop that sleeps, or that waits for a key again and again.
        A tick may be one too. What serves a call is none: the caller waits for it.
        """
        task = asyncio.current_task()
        if not isinstance(task, SimTask):
            return False
        periodic = task in self.periodic
        if periodic and task not in self.ticking:
            return True
        task.timers += 1
        if task.timers <= (POLLS_OF_A_TICK if periodic else POLLS):
            return False
        self.pollers[task] = None
        return not task.serves
