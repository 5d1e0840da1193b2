"""What stops a run that would not end: limits on steps, on callbacks at one instant, on tasks and on CPU time."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

STRIKE_AGAIN_SECONDS = 0.5


class BoundHit(BaseException):
    """A run hit a bound. Not an `Exception`, so that no strategy's `except Exception` swallows it."""


@dataclass(slots=True)
class Bounds:
    """The limits of one run."""

    steps: int = 200_000
    callbacks_at_once: int = 20_000
    tasks: int = 5_000
    cpu_seconds: float = 30.0
    what: str = "the run"
    steps_taken: int = 0
    #: The bound that was hit. asyncio puts an exception raised inside a task by, so the loop looks here after each callback.
    hit: BoundHit | None = field(default=None, repr=False)

    def count_step(self) -> None:
        """One more step was taken."""
        self.steps_taken += 1
        if self.steps_taken > self.steps:
            self.stop(f"more than {self.steps:,} steps")

    def stop(self, why: str) -> NoReturn:
        """A bound is hit: the run ends here, whatever the code above does with the exception. Raises `BoundHit`."""
        self.hit = self.hit or BoundHit(why)
        raise self.hit


@contextmanager
def cpu_bound(bounds: Bounds) -> Iterator[None]:
    """Stop code that computes without ever awaiting. Works in a process's main thread; elsewhere it does nothing.

    It is the one bound in real time: a run that hits it has no verdict, so no verdict depends on the machine.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def strike(_signal: int, frame: FrameType | None) -> None:
        where = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}" if frame else "unknown place"
        bounds.stop(f"{bounds.what} computed for more than {bounds.cpu_seconds:g} s, at last at {where}")

    previous = signal.signal(signal.SIGVTALRM, strike)
    # Again and again: what the first strike raises may be caught by the very loop that it is to stop.
    signal.setitimer(signal.ITIMER_VIRTUAL, bounds.cpu_seconds, STRIKE_AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
