"""The corpus: failing traces worth keeping, each a small file, replayed before all other tests.

A trace is exact: the smallest change of the engine, the simulator or a library may make its run another one. It then says
nothing any more, neither that the failure is there nor that it is gone. So a trace that diverged is searched for again around
its schedule, and either way somebody has to look: a failure that is still there is recorded anew, one that is gone is deleted.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.buffer.errors import UsageError
from engine.exploration import Sampler
from engine.verification import digest
from scenarios.batch import Found, Plan
from scenarios.failures import shrink_found
from scenarios.replay import strategy_of
from scenarios.running import History, Run, replay_case, run_case, same_violation
from scenarios.trace import Trace, first_difference, read_trace, versions

#: What becomes of a trace that is replayed.
REPRODUCED, MOVED, GONE, JUDGED_OTHERWISE = "reproduced", "moved", "gone", "judged otherwise"
#: Runs of one search around a schedule, and of making one failure small.
TRIALS = 200


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of a trace.

    `where` says what its run does differently, `nearby` is the failing run that was found around its schedule, and `others`
    are the versions that it was recorded with and that are others now.
    """

    path: Path
    trace: Trace
    outcome: str
    where: str = ""
    nearby: Found | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether the failure is there as recorded, or still there where libraries have changed the way to it."""
        return self.outcome == REPRODUCED or (self.outcome == MOVED and bool(self.others))

    def __str__(self) -> str:
        """What is said of it, and what to do."""
        trace, name = self.trace, self.path.name
        cause = f" ({trace.cause})" if trace.cause else ""
        what = f"{name}: {trace.strategy} violates {trace.invariant}{cause} in {trace.case.scenario}: "
        if self.outcome == REPRODUCED:
            return what + "reproduced"
        recorded = f"  recorded: {trace.explanation}"
        if self.outcome == JUDGED_OTHERWISE:
            return (
                f"{what}judged otherwise\n{recorded}\n  The run is the recorded one, and this is not seen in it any more: a"
                " judge or the name of a race has changed."
            )
        changed = f"  The program has changed since, and this run with it: {self.where}."
        if self.others:
            with_others = ", ".join(f"{package} {version}" for package, version in self.others.items())
            changed += f" It was recorded with {with_others}."
        if self.outcome == MOVED:
            return (
                f"{what}moved\n{recorded}\n{changed}\n  The same violation is still there nearby. Look whether the change was"
                f" meant, then record it anew: python -m scenarios.corpus update {self.path}"
            )
        return (
            f"{what}gone\n{recorded}\n{changed}\n  The violation was not found any more around its schedule. If it was"
            f" repaired, delete {name}; if not, the harness has lost it."
        )


def files_of(folder: Path) -> list[Path]:
    """The traces of a corpus, the fastest first: a short history is a short file."""
    return sorted(folder.glob("*.json"), key=lambda path: (path.stat().st_size, path.name))


def kept_in(folder: Path) -> list[Trace]:
    """The traces of a corpus, read. Raises `UsageError` if a file is none."""
    return [read_trace(path) for path in files_of(folder)]


def is_kept(trace: Trace, kept: list[Trace]) -> bool:
    """Whether a corpus has a trace of this failure: by the same race, or, if none explains it, by the same schedule."""
    failure = (trace.strategy, trace.invariant, trace.cause)
    return any(
        failure == (other.strategy, other.invariant, other.cause)
        and (trace.cause is not None or (trace.stepped, trace.schedule) == (other.stepped, other.schedule))
        for other in kept
    )


def keep(trace: Trace, path: Path) -> None:
    """Write a trace to a corpus, without the values of keys: they are for reports, and it is to stay small."""
    replace(trace, keys=()).write(path)


def check(path: Path, trials: int = TRIALS) -> Kept:
    """Replay a trace; if it diverged, search for its violation around its schedule. Raises `UsageError` if it is none."""
    trace = read_trace(path)
    if trace.invariant is None:
        raise UsageError(f"trace {path}: it shows no violation: a corpus holds failures, take it out")
    run = replay_case(trace.case, strategy_of(trace, path), trace.schedule, stepped=trace.stepped)
    difference = first_difference(trace.history, run.history)
    if difference is None and digest(run.history) == trace.digest:
        seen = same_violation(run.history, trace.invariant, trace.cause) is not None
        return Kept(path=path, trace=trace, outcome=REPRODUCED if seen else JUDGED_OTHERWISE)
    nearby = next(_failing(trace, path, trials), None)
    return Kept(
        path=path,
        trace=trace,
        outcome=GONE if nearby is None else MOVED,
        where=_where(trace.history, run.history, difference),
        nearby=nearby,
        others=_others(trace.recorded_with),
    )


def update(path: Path) -> Kept:
    """Check a trace, and record it anew if its violation is still there nearby. The file is left as it is otherwise."""
    kept = check(path)
    if kept.nearby is not None:
        record(path, kept.trace.strategy, kept.nearby)
    return kept


def record(path: Path, strategy: str, found: Found) -> bool:
    """Make a failure small, and write its trace. False: it could not be replayed, which is a defect of the harness."""
    plan = Plan(strategy=strategy, scenario=found.case.scenario, policy="portfolio", seed=0)
    shown = shrink_found(plan, found, TRIALS)
    if shown is not None:
        keep(shown.trace, path)
    return shown is not None


def _failing(trace: Trace, path: Path, trials: int) -> Iterator[Found]:
    """Runs around a schedule that show the trace's violation: nearest first."""
    assert trace.invariant is not None
    for number, run in enumerate(itertools.islice(_around(trace, path), trials)):
        if same_violation(run.history, trace.invariant, trace.cause) is not None:
            yield Found(
                trace.invariant, trace.cause, number, len(run.history), trace.case, run.schedule, stepped=run.stepped
            )


def _around(trace: Trace, path: Path) -> Iterator[Run]:
    """Runs under the schedule itself, under its neighbours, then any of the same case."""
    strategy = strategy_of(trace, path)
    for schedule in neighbours(trace.schedule):
        yield replay_case(trace.case, strategy, schedule, stepped=trace.stepped)
    sampler = Sampler("portfolio", f"corpus/{path.name}")
    for number in itertools.count():
        yield run_case(trace.case, strategy, sampler.begin(number)[1])


def neighbours(schedule: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The schedule; each with one deviation left out; each with one number or one place in the order off by one."""
    yield dict(schedule)
    for left_out in schedule:
        yield {key: value for key, value in schedule.items() if key != left_out}
    for key, value in schedule.items():
        yield {**schedule, key: value + 1}
        if value > 0:
            yield {**schedule, key: value - 1}
    for key, value in schedule.items():
        # A step that comes earlier or later now asks its question under another number.
        name, hash_sign, number = key.rpartition("#")
        if hash_sign and number.isdigit():
            rest = {other: each for other, each in schedule.items() if other != key}
            for moved in (int(number) - 1, int(number) + 1):
                yield {**rest, f"{name}#{moved}": value}


def _where(recorded: History, history: History, index: int | None) -> str:
    if index is None:
        return "its events are written otherwise"
    if index >= min(len(recorded), len(history)):
        return f"it has {len(history)} events, not {len(recorded)}"
    one, other = recorded[index], history[index]
    if one["event"] != other["event"]:
        return f"event {index} was {one['event']} at {_at(one)} and is {other['event']} at {_at(other)}"
    name = next((name for name in sorted({*one, *other}) if one.get(name) != other.get(name)), "")
    if name in ("", "t"):
        return f"event {index} ({one['event']}) was at {_at(one)} and is at {_at(other)}"
    was, now = (_short(json.dumps(each.get(name))) for each in (one, other))
    return f"of event {index} ({one['event']} at {_at(one)}) {name} was {was} and is {now}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _at(event: Mapping[str, Any]) -> str:
    return f"{event['t'] / 1000:.3f} s"


def _others(recorded_with: Mapping[str, str]) -> dict[str, str]:
    """The versions that are others now: the minor one of Python, and those of libraries whose calls are in a history."""
    now = versions()
    return {
        name: version
        for name, version in recorded_with.items()
        if name != "bufferproof"
        and (_minor(version) != _minor(now.get(name, "")) if name == "python" else version != now.get(name))
    }


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
