"""A campaign from its first round to its last: what is decided between rounds, and what is written as results come."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from scenarios.campaign.plan import Campaign, round_of, shares_of
from scenarios.campaign.pools import Pool, do_all
from scenarios.campaign.store import Store
from scenarios.campaign.work import Done, Shrinking, Shrunk
from scenarios.trace import versions

#: So many failures of one violation by one named race are made small; of one that no race explains, more.
SHRUNK_MAX, SHRUNK_MAX_UNNAMED = 3, 8
#: Where neither runs nor seconds are given, a campaign ends when so many rounds together …
QUIET_ROUNDS = 5
#: … added less than this share to what is covered, and found no violation that was not found before.
QUIET_SHARE = Fraction(1, 200)

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = ("engine/buffer", "engine/simulation", "engine/exploration", "engine/verification", "scenarios")


@dataclass
class Line:
    """What is shown of one strategy while a campaign goes on."""

    runs: int = 0
    violations: int = 0
    points: set[int] = field(default_factory=set)
    failures: set[str] = field(default_factory=set)


@dataclass
class Status:
    """What is shown while a campaign goes on. Times are of this sitting."""

    wanted: int | None
    seconds: float | None
    round: int = 0
    runs: int = 0
    session_runs: int = 0
    elapsed_s: float = 0.0
    deaths: int = 0
    shrinking: int = 0
    lines: dict[str, Line] = field(default_factory=dict)


Progress = Callable[[Status], None]


def go(
    store: Store,
    campaign: Campaign,
    pool: Pool,
    *,
    runs: int | None,
    seconds: float | None,
    progress: Progress | None,
) -> None:
    """Run rounds until the campaign is to stop, and make what it found small."""
    _Sitting(store, campaign, pool, runs, seconds, progress).go()


class _Sitting:
    """One sitting of a campaign."""

    def __init__(
        self,
        store: Store,
        campaign: Campaign,
        pool: Pool,
        runs: int | None,
        seconds: float | None,
        progress: Progress | None,
    ) -> None:
        self._store = store
        self._campaign = campaign
        self._pool = pool
        self._runs = runs
        self._seconds = seconds
        self._progress = progress
        self._started = time.monotonic()
        self._status = _status_of(store, campaign, runs, seconds)

    def go(self) -> None:
        """Round after round; the last tasks are the failures that are still to be made small."""
        self._store.begin_session()
        while True:
            number = self._store.open_round()
            if number is None:
                closed = self._store.summaries()
                if self._is_over(closed):
                    break
                number = len(closed)
                first = sum(each["batches"] for each in closed)
                shares = shares_of(self._campaign.policies, [each["policies"] for each in closed])
                left = self._campaign.batch_runs * self._campaign.round_batches
                if self._runs is not None:
                    left = min(left, self._runs - sum(each["runs"] for each in closed))
                self._store.add_round(number, round_of(self._campaign, number, first, left, shares))
            self._status.round = number + 1
            self._do([*self._store.to_shrink(), *self._store.unfinished(number)], number)
            self._close(number)
        self._do(self._store.to_shrink(), len(self._store.summaries()))

    def _is_over(self, closed: list[dict[str, Any]]) -> bool:
        if closed and not closed[-1]["runs"]:
            return True  # no scenario concerns any of the strategies
        if self._seconds is not None and self._elapsed() >= self._seconds:
            return True
        if self._runs is not None:
            return bool(sum(each["runs"] for each in closed) >= self._runs)
        return self._seconds is None and is_quiet(closed)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _do(self, tasks: Iterable[Any], number: int) -> None:
        tasks = list(tasks)
        self._status.shrinking = sum(isinstance(task, Shrinking) for task in tasks)
        self._show()
        for outcome in do_all(self._pool, tasks, self._on_death):
            if isinstance(outcome, Done):
                self._store.add(number, outcome, self._elapsed())
                self._count(outcome)
            else:
                self._store.add_shrunk(outcome, self._elapsed())
                self._status.shrinking -= 1
                self._count_shrunk(outcome)
            self._show()

    def _count(self, done: Done) -> None:
        line = self._status.lines[done.batch.plan.strategy]
        line.runs += done.counts["runs"]
        line.violations += sum(done.counts["violations"].values())
        line.points.update(done.points)
        self._status.runs += done.counts["runs"]
        self._status.session_runs += done.counts["runs"]

    def _count_shrunk(self, shrunk: Shrunk) -> None:
        if shrunk.trace is not None:
            self._status.lines[shrunk.task.batch.plan.strategy].failures.add(shrunk.identity)

    def _on_death(self) -> None:
        self._status.deaths += 1

    def _show(self) -> None:
        if self._progress is not None:
            self._status.elapsed_s = self._elapsed()
            self._progress(self._status)

    def _close(self, number: int) -> None:
        """Write down what the round brought, and choose what of it is made small."""
        store = self._store
        summary: dict[str, Any] = {"batches": 0, "runs": 0, "policies": {}}
        for spec_policy, counts in store.rows(
            "SELECT json_extract(spec, '$.plan.policy'), json_extract(counts, '$.runs') FROM batches WHERE round = ?",
            (number,),
        ):
            summary["batches"] += 1
            summary["runs"] += counts
            share = summary["policies"].setdefault(spec_policy, [0, 0])
            share[0] += counts
        # A point is new to the round if no earlier one had it, and counts for each policy that reached it.
        new = (
            "FROM points AS p WHERE round = ? AND NOT EXISTS (SELECT 1 FROM points AS q WHERE q.strategy = p.strategy"
            " AND q.point = p.point AND q.round < p.round)"
        )
        for policy, points in store.rows(f"SELECT policy, COUNT(*) {new} GROUP BY policy", (number,)):
            summary["policies"][policy][1] = points
        (summary["new_points"],) = store.rows(
            f"SELECT COUNT(*) FROM (SELECT DISTINCT strategy, point {new})", (number,)
        )[0]
        chosen, summary["new_violations"] = _to_make_small(store, number, self._campaign.trials)
        store.close_round(number, summary, chosen)


def is_quiet(closed: list[dict[str, Any]]) -> bool:
    """Whether what is covered no longer grows: the stop rule where neither runs nor seconds are given."""
    if len(closed) <= QUIET_ROUNDS:
        return False
    last = closed[-QUIET_ROUNDS:]
    grown = sum(each["new_points"] for each in last)
    total = sum(each["new_points"] for each in closed)
    return grown < QUIET_SHARE * total and not any(each["new_violations"] for each in last)


def _to_make_small(store: Store, number: int, trials: tuple[int, int]) -> tuple[dict[tuple[int, str, str], int], int]:
    """The smallest example of each violation in a round, with its trials, until enough were chosen; and how many are new."""
    so_far = Counter(
        {
            tuple(key): count
            for *key, count in store.rows(
                "SELECT strategy, invariant, cause, COUNT(*) FROM found WHERE trials > 0 GROUP BY 1, 2, 3"
            )
        }
    )
    chosen: dict[tuple[int, str, str], int] = {}
    seen: set[tuple[str, str, str]] = set()
    for batch, strategy, invariant, cause in store.rows(
        "SELECT found.batch, strategy, invariant, cause FROM found JOIN batches ON number = batch WHERE round = ?"
        " ORDER BY events, found.batch, run",
        (number,),
    ):
        signature = (strategy, invariant, cause)
        if signature not in seen and so_far[signature] < (SHRUNK_MAX if cause else SHRUNK_MAX_UNNAMED):
            chosen[batch, invariant, cause] = trials[1 if so_far[signature] else 0]
        seen.add(signature)
    return chosen, sum(not so_far[signature] for signature in seen)


def _status_of(store: Store, campaign: Campaign, runs: int | None, seconds: float | None) -> Status:
    """What there is already, when a sitting begins."""
    status = Status(wanted=runs, seconds=seconds, lines={name: Line() for name in campaign.strategies})
    for strategy, count in store.rows(
        "SELECT json_extract(spec, '$.plan.strategy'), SUM(json_extract(counts, '$.runs')) FROM batches"
        " WHERE counts IS NOT NULL GROUP BY 1"
    ):
        status.lines[strategy].runs = count
        status.runs += count
    for strategy, point in store.rows("SELECT DISTINCT strategy, point FROM points"):
        status.lines[strategy].points.add(point)
    for strategy, identity in store.rows("SELECT strategy, identity FROM failures"):
        status.lines[strategy].failures.add(identity)
    return status


def program(strategies: tuple[str, ...]) -> dict[str, str]:
    """What the runs of a campaign depend on besides its settings: the versions, and a digest of the code."""
    summed = hashlib.sha256()
    files = [path for folder in _PROGRAM for path in sorted((_ROOT / folder).rglob("*"))]
    files += [Path(spec.rpartition(":")[0] or spec) for spec in strategies if ".py" in spec and spec not in BUILT_IN]
    for path in files:
        if path.suffix in (".py", ".lua", ".json") and path.is_file() and path.parent != Path(__file__).parent:
            summed.update(path.read_bytes())
    return {**versions(), "code": summed.hexdigest()[:16]}
