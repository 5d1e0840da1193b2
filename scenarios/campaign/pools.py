"""Where the tasks of a campaign are done: in this process, in processes of this machine, or on a Dask cluster.

All three are executors of `concurrent.futures`. A worker that dies is replaced and what it had begun is done again; results
come in any order, which changes nothing, since a round is closed only when all of it is there.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol

from engine.buffer.errors import UsageError
from scenarios.campaign.work import Outcome, Task, work

#: So often in a row a pool may break without having done one task.
DEATHS_MAX = 5


class Pool(Protocol):
    """Does tasks."""

    #: How many tasks to have handed out at a time.
    ahead: int

    def submit(self, task: Task) -> "Future[Outcome]":
        """Hand out a task. Raises one of `lost` if the pool is broken."""

    def restart(self) -> None:
        """Replace what has died."""

    def close(self) -> None:
        """Stop all that was started here."""


class Here:
    """In this process, one task after the other: easy to debug and to profile."""

    ahead = 1

    def submit(self, task: Task) -> "Future[Outcome]":
        """Do it now."""
        future: Future[Outcome] = Future()
        try:
            future.set_result(work(task))
        except Exception as error:
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Nothing to replace."""

    def close(self) -> None:
        """Nothing to stop."""


class Processes:
    """So many processes of this machine."""

    def __init__(self, count: int) -> None:
        # One for whoever is done first; more would have to be waited for when the time is up.
        self.ahead = count + 1
        self._count = count
        self._executor = self._new()

    def _new(self) -> Executor:
        return ProcessPoolExecutor(
            self._count, mp_context=multiprocessing.get_context("forkserver"), initializer=_begin_worker
        )

    def submit(self, task: Task) -> "Future[Outcome]":
        """Hand it to a process."""
        return self._executor.submit(work, task)

    def restart(self) -> None:
        """A broken pool cannot be mended: a new one."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._new()

    def close(self) -> None:
        """Stop the processes; what they are at is thrown away."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """A worker leaves Ctrl-C to the campaign's process, and does not outlive it, however that one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def pool_for(jobs: int | None, dask: str | None) -> Pool:
    """A pool with so many processes (None: one for each core), or on the Dask cluster whose scheduler has this address."""
    if dask is not None:
        from scenarios.campaign.cluster import Cluster

        return Cluster(dask)
    count = jobs or os.cpu_count() or 1
    return Here() if count == 1 else Processes(count)


def do_all(pool: Pool, draw: Callable[[], Task | None], on_death: Callable[[], None]) -> Iterator[Outcome]:
    """Do the tasks that are drawn, and give each outcome as it comes, until all are done and no other is drawn.

    None drawn means none yet: it is asked again after the next outcome. Raises `UsageError` if workers die again and again.
    """
    waiting: deque[Task] = deque()
    pending: dict[Future[Outcome], Task] = {}
    deaths = 0
    while True:
        broken = _hand_out(pool, draw, waiting, pending)
        if not pending and broken is None:
            return
        done = wait(pending, return_when=FIRST_COMPLETED).done if pending else set()
        for future in done:
            task = pending.pop(future)
            try:
                outcome = future.result()
            except Exception as error:
                if not _is_death(error):
                    raise
                waiting.appendleft(task)
                broken = str(error)
            else:
                deaths = 0
                yield outcome
        if broken is not None:
            deaths += 1
            if deaths > DEATHS_MAX:
                raise UsageError(f"workers die again and again ({broken}): run with --jobs 1 to see why")
            waiting.extendleft(reversed(pending.values()))
            pending.clear()
            on_death()
            pool.restart()


def _hand_out(
    pool: Pool, draw: Callable[[], Task | None], waiting: deque[Task], pending: "dict[Future[Outcome], Task]"
) -> str | None:
    """Hand out what waits, then what is drawn. How the pool is found to be broken, if it is."""
    try:
        while len(pending) < pool.ahead:
            if not waiting:
                task = draw()
                if task is None:
                    break
                waiting.append(task)
            future = pool.submit(waiting[0])
            pending[future] = waiting.popleft()
    except BrokenExecutor as error:
        return str(error)
    return None


def _is_death(error: Any) -> bool:
    """Whether a task failed because its worker died, here or on a cluster."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ in ("KilledWorker", "ChildDied")
