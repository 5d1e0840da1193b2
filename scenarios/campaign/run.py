"""A sitting of a campaign: what is begun next, when nothing more is, and what is written as results come."""

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from scenarios.campaign.choice import Choice
from scenarios.campaign.plan import Batch, Campaign, round_of, shares_of
from scenarios.campaign.pools import Pool, do_all
from scenarios.campaign.store import Store
from scenarios.campaign.work import Done, Shrinking, Shrunk, Task
from scenarios.trace import versions

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
#: Seconds since whenever.
Clock = Callable[[], float]


def go(
    store: Store,
    campaign: Campaign,
    pool: Pool,
    *,
    runs: int | None,
    seconds: float | None,
    progress: Progress | None,
    clock: Clock = time.monotonic,
) -> None:
    """Run batches until the campaign is to stop, and make what they found small."""
    _Sitting(store, campaign, pool, runs, seconds, progress, clock).go()


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
        clock: Clock,
    ) -> None:
        self._store = store
        self._campaign = campaign
        self._pool = pool
        self._runs = runs
        self._seconds = seconds
        self._progress = progress
        self._clock = clock
        self._started = clock()
        self._status = _status_of(store, campaign, runs, seconds)
        self._choice = Choice(store, campaign.trials)
        #: What waits to be made small, and the batches of the open round that are not handed out.
        self._to_shrink: list[Shrinking] = []
        self._batches: deque[Batch] = deque()
        self._handed_out: set[int] = set()
        self._drew_batch = False
        ((self._done_until,),) = store.rows("SELECT COALESCE(MAX(number), 0) FROM batches WHERE counts IS NOT NULL")

    def go(self) -> None:
        """Until nothing more is to be begun, and all that was begun is kept."""
        self._store.begin_session()
        self._choose()
        if (number := self._store.open_round()) is not None:
            self._status.round = number + 1
            self._batches.extend(self._store.unfinished(number))
        self._show()
        for outcome in do_all(self._pool, self._draw, self._on_death):
            if isinstance(outcome, Done):
                self._store.add(self._status.round - 1, outcome, self._elapsed())
                self._handed_out.remove(outcome.batch.number)
                self._count(outcome)
                self._choose()
            else:
                self._store.add_shrunk(outcome, self._elapsed())
                self._status.shrinking -= 1
                self._count_shrunk(outcome)
            self._show()

    def _draw(self) -> Task | None:
        """What is begun next: by turns a batch and a failure to make small, so that neither waits for all of the other."""
        if not self._batches and not self._handed_out:
            self._close()
        if self._seconds is not None and self._elapsed() >= self._seconds:
            return None
        batch = None if self._drew_batch and self._to_shrink else self._next_batch()
        self._drew_batch = batch is not None
        return batch or (self._to_shrink.pop(0) if self._to_shrink else None)

    def _next_batch(self) -> Batch | None:
        # A batch may come back with fewer runs than it has, never with more: so who is quicker does not decide what is run.
        most = self._status.runs + self._campaign.batch_runs * len(self._handed_out)
        if self._runs is not None and most >= self._runs and not self._is_behind():
            return None
        if not self._batches:
            if self._handed_out or self._is_over(closed := self._store.summaries()):
                return None
            number = len(closed)
            first = sum(each["batches"] for each in closed)
            shares = shares_of(self._campaign.policies, [each["policies"] for each in closed])
            self._batches.extend(round_of(self._campaign, number, first, shares))
            self._store.add_round(number, list(self._batches))
            self._status.round = number + 1
        batch = self._batches.popleft()
        self._handed_out.add(batch.number)
        return batch

    def _is_behind(self) -> bool:
        """Whether the next batch was begun before a kill: of what was found after it nothing is chosen without it."""
        return bool(self._batches) and self._batches[0].number < self._done_until

    def _is_over(self, closed: list[dict[str, Any]]) -> bool:
        if closed and not closed[-1]["runs"]:
            return True  # no scenario concerns any of the strategies
        return self._runs is None and self._seconds is None and is_quiet(closed)

    def _choose(self) -> None:
        """Choose from what was found what is made small: first one of each kind."""
        if chosen := self._choice.go_on():
            more = [each for each in self._store.to_shrink() if each.key in chosen]
            self._to_shrink = sorted([*self._to_shrink, *more], key=lambda each: -each.trials)
            self._status.shrinking += len(more)

    def _elapsed(self) -> float:
        return self._clock() - self._started

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

    def _close(self) -> None:
        """Write down what the open round brought, if there is one."""
        store = self._store
        if (number := store.open_round()) is None:
            return
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
        (summary["new_violations"],) = store.rows(
            "SELECT COUNT(*) FROM (SELECT 1 FROM found GROUP BY strategy, invariant, cause"
            " HAVING MIN(batch) >= (SELECT MIN(number) FROM batches WHERE round = ?))",
            (number,),
        )[0]
        store.close_round(number, summary)


def is_quiet(closed: list[dict[str, Any]]) -> bool:
    """Whether what is covered no longer grows: the stop rule where neither runs nor seconds are given."""
    if len(closed) <= QUIET_ROUNDS:
        return False
    last = closed[-QUIET_ROUNDS:]
    grown = sum(each["new_points"] for each in last)
    total = sum(each["new_points"] for each in closed)
    return grown < QUIET_SHARE * total and not any(each["new_violations"] for each in last)


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
