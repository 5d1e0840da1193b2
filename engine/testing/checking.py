"""A strategy in a scenario as a test: so many runs, and a failure that can be read and replayed."""

import inspect
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError, choices
from engine.exploration import SAMPLED
from engine.simulation.setting import settings_of
from engine.verification import INVARIANTS
from engine.verification.verdict import LOST
from reports.timeline import timeline
from scenarios.batch import Plan, Tally, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.failures import ShownFailure, shrink_found, trace_name
from scenarios.selection import chosen_faults, find_scenario, find_strategy
from scenarios.trace import portable

RUNS_DEFAULT = 50
BATCH = 25
TRIALS = 150
#: So many different failures are shown; the others are named in a line.
SHOWN = 2
_OPTIONS = ("scenarios", "faults", "fault_budget", "invariants", "runs", "settings", "strategy")

#: How many runs this process made, by strategy: pytest's summary says it.
RUNS: Counter[str] = Counter()


def default_scenarios() -> list[str]:
    """The scenarios of a marker that names none: all that a design can survive."""
    return [name for name, each in SCENARIOS.items() if not each.dagger]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One strategy in one scenario."""

    plan: Plan
    runs: int
    seconds: float | None
    invariants: tuple[str, ...]
    out: Path

    @classmethod
    def of_marker(
        cls,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        scenario: str,
        beside: Path,
        rootdir: Path,
        seed: int,
        runs: int | None,
        policy: str,
        seconds: float | None,
        out: Path,
    ) -> "Check":
        """What a marker asks for. Fails the test with one line if it asks for something that is not there."""
        try:
            return cls._of(args, kwargs, scenario, (beside, rootdir), seed, runs, policy, seconds, out)
        except UsageError as error:
            pytest.fail(f"bufferproof: {error}", pytrace=False)

    @classmethod
    def _of(
        cls,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        scenario: str,
        folders: tuple[Path, ...],
        seed: int,
        runs: int | None,
        policy: str,
        seconds: float | None,
        out: Path,
    ) -> "Check":
        given = {**({"strategy": args[0]} if args else {}), **kwargs}
        if "strategy" not in given or len(args) > 1 or (unknown := sorted(given.keys() - set(_OPTIONS))):
            what = (
                f"it does not take {unknown[0]}" if "strategy" in given and len(args) < 2 else "it takes one strategy"
            )
            raise UsageError(f"the marker is refused: {what}; it takes {', '.join(_OPTIONS)}")
        for name, least in (("runs", 1), ("fault_budget", 0)):
            value = given.get(name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise UsageError(f"the marker's {name} {value!r} is refused: give a whole number of {least} or more")
        if runs is not None and runs < 1:
            raise UsageError(f"--bufferproof-runs {runs} is refused: give 1 or more")
        if policy not in (policies := (*SAMPLED, "portfolio")):
            raise UsageError(f"--bufferproof-explore {policy}: {choices(policy, policies)}")
        invariants = tuple(given.get("invariants") or INVARIANTS)
        if unknown := [name for name in invariants if name not in INVARIANTS]:
            raise UsageError(f"the marker's invariants: {unknown[0]} is none: {choices(unknown[0], INVARIANTS)}")
        spec = _spec_of(given["strategy"], folders)
        settings = {name.upper(): str(value) for name, value in (given.get("settings") or {}).items()}
        settings_of(find_strategy(spec), settings)
        name = _found_from(scenario, folders)
        find_scenario(name)
        faults = given.get("faults")
        return cls(
            plan=Plan(
                strategy=portable(spec),
                scenario=name,
                policy=policy,
                seed=seed,
                settings=tuple(sorted(settings.items())),
                faults=chosen_faults([faults] if isinstance(faults, str) else faults and list(faults)),
                fault_budget=given.get("fault_budget"),
            ),
            runs=runs or given.get("runs") or RUNS_DEFAULT,
            seconds=seconds,
            invariants=invariants,
            out=out,
        )

    def check(self) -> None:
        """Run it. Fails the test if an invariant is violated, skips it if the scenario does not concern the strategy."""
        __tracebackhide__ = True
        deadline = None if self.seconds is None else time.monotonic() + self.seconds
        tally = Tally()
        for start in range(0, self.runs, BATCH):
            try:
                tally.merge(run_batch(self.plan, start, min(start + BATCH, self.runs)))
            except UsageError as error:
                pytest.fail(f"bufferproof: {error}", pytrace=False)
            if self._violated(tally) or (deadline is not None and time.monotonic() > deadline):
                break
        RUNS[self.plan.strategy] += tally.runs
        if self._violated(tally):
            pytest.fail(self._failure(tally), pytrace=False)
        if not tally.runs:
            pytest.skip(f"the scenario {self.plan.scenario} does not concern {self.plan.strategy}")
        if not tally.completed:
            pytest.fail(f"bufferproof: no run completed: {next(iter(tally.reasons), 'no reason known')}", pytrace=False)

    def _violated(self, tally: Tally) -> list[str]:
        return [name for name in self.invariants if tally.violations[name]]

    def _failure(self, tally: Tally) -> str:
        """What is said of a failure: what was violated how often, then the smallest runs that show it."""
        counts = ", ".join(
            f"{name} in {tally.violations[name]} of {tally.applicable[name]} runs" for name in self._violated(tally)
        )
        found = sorted((f for f in tally.found.values() if f.invariant in self.invariants), key=lambda f: f.size)
        if "no_loss" in self.invariants:  # shows what is late because it is lost
            found = [each for each in found if each.cause != LOST]
        parts = [f"{self.plan.strategy} violates {counts} (scenario {self.plan.scenario}, seed {self.plan.seed})"]
        shown: list[ShownFailure] = []
        for each in found:
            if len(shown) == SHOWN:
                break
            if each.invariant in {failure.found.invariant for failure in shown}:
                continue
            failure = shrink_found(self.plan, replace(each), TRIALS)
            if failure is not None:
                shown.append(failure)
                parts.append(self._shown(failure))
        if not shown:
            parts.append("no failing run could be replayed: a defect of bufferproof, please report it")
        return "\n\n".join(parts)

    def _shown(self, failure: ShownFailure) -> str:
        found = failure.found
        path = self.out / "pytest" / Path(trace_name(self.plan, found.invariant, found.cause)).name
        failure.trace.write(path)
        cause = f" ({found.cause})" if found.cause else ""
        text = timeline(
            failure.history,
            events=failure.events,
            explanation=failure.trace.explanation,
            exceptions=failure.trace.exceptions,
            trace=os.path.relpath(path),
        )
        return f"{found.invariant}{cause}\n{text}"


def _spec_of(strategy: Any, folders: tuple[Path, ...]) -> str:
    """A strategy as the command knows it, from a class or a text."""
    if isinstance(strategy, type):
        file = inspect.getsourcefile(strategy)
        if file is None or "." in strategy.__qualname__:
            raise UsageError(
                f"the strategy {strategy.__qualname__} must stand at the top of a file: give file.py:Class"
            )
        return f"{file}:{strategy.__name__}"
    if not isinstance(strategy, str):
        raise UsageError(f"the strategy {strategy!r} is no class and no text: give file.py:Class")
    return _found_from(strategy, folders)


def _found_from(spec: str, folders: tuple[Path, ...]) -> str:
    """A `file.py:Name` with its file looked for beside the test, then in the root folder; a name as it is."""
    file, colon, name = spec.rpartition(":")
    if not colon or not file.endswith(".py"):
        return spec
    return next((f"{folder / file}:{name}" for folder in folders if (folder / file).is_file()), spec)
