"""Work over all cores, its results in the order of the work: neither cores nor their haste change a result."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from engine.buffer.errors import UsageError

#: How many calls are handed out before the first result is looked at.
AHEAD = 64

Progress = Callable[[str, int, int], None]
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def in_order(pool: Executor, label: str, calls: Sequence[Call], progress: Progress | None) -> list[Any]:
    """The results of these calls, whose functions stand at the top of a module so that a worker finds them."""
    results: list[Any] = []
    try:
        ahead = (pool.submit(function, *arguments) for function, arguments in calls)
        futures = deque(islice(ahead, AHEAD))
        while futures:
            results.append(futures.popleft().result())
            futures.extend(islice(ahead, 1))
            if progress is not None:
                progress(label, len(results), len(calls))
    except BrokenProcessPool:
        raise UsageError("a worker process died: run with --jobs 1 to see why") from None
    return results
