"""The harness checks itself: every run twice, in two processes with different hash seeds; the first event that differs.

The second process does a plan's batches from the last to the first: a run must not depend on what its process did before it either.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Self

from engine.buffer.errors import UsageError
from engine.exploration import SEARCHES
from scenarios.batch import Plan
from scenarios.repeated import DONE, REFUSED, SKIPPED
from scenarios.selection import find_scenario
from scenarios.verify import BATCH, plans_of

Progress = Callable[[str, int, int], None]
#: The hash seed of each process, and whether it does a plan's batches from the last to the first.
PROCESSES = (("1", False), ("2", True))
#: Runs between two looks at the time.
CHUNK = 4 * BATCH


def check_determinism(
    strategies: Sequence[str] | None = None,
    scenario_names: Sequence[str] | None = None,
    faults: Sequence[str] | None = None,
    fault_budget: int | None = None,
    workload: Path | None = None,
    explore: str = "portfolio",
    runs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    settings: dict[str, str] | None = None,
    out: Path | None = None,
    redact: bool = False,
    progress: Progress | None = None,
    told: Callable[[str], None] | None = None,
) -> list[str]:
    """Run everything twice. Returns a line for each plan whose histories differ, naming the first event that does.

    The runs are those of `verify`, but that a portfolio's shares stay even. `told` is given a line for each plan without a
    difference, which says how many runs that is: fewer than asked for if `seconds` are over. `out` and `redact` change nothing.
    Raises `UsageError` for anything that is not there or is refused.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    plans = plans_of(strategies, scenario_names, faults, fault_budget, workload, explore, seed, settings or {})
    counts = [runs or find_scenario(plan.scenario).runs for plan in plans]
    pairs_count = min(len(plans), max(1, (jobs or os.cpu_count() or 1) // 2))
    lock, done = Lock(), 0
    pairs: SimpleQueue[_Pair] = SimpleQueue()

    def compared(plan: Plan, count: int) -> _Compared:
        pair = pairs.get()
        try:
            return pair.compare(plan, count, deadline, moved)
        finally:
            pairs.put(pair)

    def moved(plan: Plan, count: int) -> None:
        nonlocal done
        with lock:
            done += count
            if progress is not None:
                progress(f"twice: {plan.strategy} · {plan.scenario}", done, sum(counts))

    problems = []
    with ExitStack() as stack:
        for _ in range(pairs_count):
            pairs.put(stack.enter_context(_Pair()))
        pool = stack.enter_context(ThreadPoolExecutor(pairs_count))
        for plan, found in zip(plans, pool.map(compared, plans, counts), strict=True):
            name = f"{plan.strategy} · {plan.scenario}"
            if found.difference is not None:
                problems.append(f"{name} · {found.difference}")
            elif told is not None and found.runs:
                told(f"determinism: {name}: {found.runs:,} runs gave the same history twice")
    return problems


@dataclass(frozen=True, slots=True)
class _Compared:
    """How many runs of a plan were the same twice, and the first difference."""

    runs: int
    difference: str | None = None


class _Pair:
    """Two processes with different hash seeds, which are given the same jobs."""

    def __enter__(self) -> Self:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", f"from scenarios.repeated import main; main(backwards={backwards})"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
            )
            for hash_seed, backwards in PROCESSES
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            if error is not None:
                process.kill()
            process.communicate()

    def compare(self, plan: Plan, runs: int, deadline: float | None, moved: Callable[[Plan, int], None]) -> _Compared:
        """Run a plan in both until a run differs or the time is up."""
        same = 0
        chunk = runs if plan.policy in SEARCHES else CHUNK
        for start in range(0, runs, chunk):
            if deadline is not None and time.monotonic() > deadline:
                break
            stop = min(start + chunk, runs)
            ours, theirs = self._both(plan, start, stop)
            for number, (one, two) in enumerate(itertools.zip_longest(ours, theirs), start):
                if one != two:
                    moved(plan, runs - start)
                    return _Compared(same, f"run {number}: {self._first_difference(plan, number)}")
                same += one != SKIPPED
            moved(plan, stop - start)
        return _Compared(same)

    def _first_difference(self, plan: Plan, number: int) -> str:
        one, two = self._both(plan, number, number + 1, events=True)
        for index, (ours, theirs) in enumerate(zip(one, two, strict=False)):
            if ours != theirs:
                return f"event {index} differs: {ours[:300]} against {theirs[:300]}"
        if len(one) != len(two):
            return f"one history has {len(one)} events, the other {len(two)}"
        return "it differs only after other runs: something outlives a run in its process"

    def _both(self, plan: Plan, start: int, stop: int, *, events: bool = False) -> list[list[str]]:
        """What each of the processes says of these runs. Raises `UsageError` with what one of them refuses."""
        job = json.dumps({"plan": asdict(plan), "start": start, "stop": stop, "events": events})
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{job}\n")
            process.stdin.flush()
        return [_answer(process) for process in self._processes]


def _answer(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        text = line.rstrip("\n")
        if text == DONE:
            return lines
        if text.startswith(REFUSED):
            raise UsageError(text.removeprefix(REFUSED))
        lines.append(text)
    raise UsageError("a process of the determinism check ended: see its message above")
