"""What stops a run that would not end: limits on steps, on callbacks at one instant, on tasks and on CPU time."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class BoundHit(BaseException):
    """A run hit a bound. Not an `Exception`, so that no strategy's `except Exception` swallows it."""


@dataclass(slots=True)
class Bounds:
    """The limits of one run."""

    steps: int = 200_000
    callbacks_at_once: int = 20_000
    tasks: int = 5_000
    cpu_seconds: float = 30.0
    steps_taken: int = 0

    def count_step(self) -> None:
        """One more step was taken."""
        self.steps_taken += 1
        if self.steps_taken > self.steps:
            raise BoundHit(f"more than {self.steps:,} steps")


@contextmanager
def cpu_bound(seconds: float) -> Iterator[None]:
    """Stop code that computes without ever awaiting. Works in a process's main thread; elsewhere it does nothing.

    It is the one bound in real time: a run that hits it has no verdict, so no verdict depends on the machine.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def strike(_signal: int, frame: FrameType | None) -> None:
        where = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}" if frame else "unknown place"
        raise BoundHit(f"computed for more than {seconds:g} s without awaiting, at {where}")

    previous = signal.signal(signal.SIGVTALRM, strike)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
