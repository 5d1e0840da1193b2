"""Work in processes, or in this one: a few items ahead of what is finished, and an interrupt that stops all of it at once."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from engine.buffer.errors import UsageError


class Here(Executor):
    """An executor that works in this process, for `--jobs 1`: easy to debug and to profile."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def pool_of(jobs: int | None) -> Iterator[Executor]:
    """An executor with so many processes (None: one for each core). An interrupt stops them at once."""
    count = jobs or os.cpu_count() or 1
    if count == 1:
        yield Here()
        return
    pool = ProcessPoolExecutor(count, get_context("forkserver"), initializer=_leave_interrupts_to_the_parent)
    with pool:
        try:
            yield pool
        except KeyboardInterrupt:
            stop_now(pool)
            raise


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal: a worker would die with a traceback, and the parent has the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def stop_now(pool: Executor) -> None:
    """Give up what is under way in a pool of processes."""
    if isinstance(pool, ProcessPoolExecutor):
        processes = [*(pool._processes or {}).values()]  # `terminate_workers`, from Python 3.14 on
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


def in_parallel(
    pool: Executor, work: Callable[..., Any], waiting: deque[Any], deadline: float | None
) -> Iterator[tuple[Any, Any]]:
    """Do the work on all items, a few ahead of what is finished, and give each result as it comes.

    Items may be added while results are taken.
    """
    pending: dict[Future[Any], Any] = {}
    ahead = 1 if isinstance(pool, Here) else 2 * (os.cpu_count() or 1)
    while waiting or pending:
        late = deadline is not None and time.monotonic() > deadline
        while waiting and len(pending) < ahead and not late:
            item = waiting.popleft()
            pending[pool.submit(work, *item)] = item
        if not pending:
            return
        finished, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            item = pending.pop(future)
            try:
                yield item, future.result()
            except BrokenProcessPool:
                raise UsageError("a worker process died: run with --jobs 1 to see why") from None
