"""A batch of runs of one strategy in one scenario: what a worker process does, and what it brings back.

Run *n* depends on the seed, *n* and the shares of the portfolio, which closed rounds alone have made: so neither the number of
processes nor the size of a batch changes a result.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from engine.exploration import Sampler, Shares, group_start
from engine.simulation.case import Case
from engine.verification import Verdict, judge
from scenarios.running import Run, run_case
from scenarios.selection import find_scenario, find_strategy
from scenarios.trace import short

#: A run that hits a bound costs a thousand others and decides nothing: after so many a plan is given up.
CUT = 2
HEAL_MS = (20_000, 60_000, 200_000, 700_000)
RATES = (0.01, 0.03, 0.1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be run: everything that the runs depend on besides their numbers."""

    strategy: str
    scenario: str
    policy: str
    seed: int
    settings: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] | None = None
    fault_budget: int | None = None

    @property
    def stream(self) -> str:
        """The name of the stream that this plan's choices are drawn from: no folder is part of it."""
        return f"{self.seed}/{short(self.strategy)}/{short(self.scenario)}"

    def case(self, run: int) -> Case | None:
        """The case of run number `run`; None: the scenario does not concern this strategy."""
        first = group_start(self.policy, run)
        stream = f"{self.seed}/{short(self.scenario)}/{first}"
        rng = random.Random(stream)
        case = find_scenario(self.scenario).sample(rng, find_strategy(self.strategy).name)
        if case is None:
            return None
        # From a stream of its own, so that it disturbs no other draw.
        random_seed = random.Random(f"{stream}/strategy").getrandbits(32)
        settings = {**case.settings, **dict(self.settings)}
        case = replace(case, scenario=self.scenario, settings=settings, random_seed=random_seed)
        return self._with_faults(case, rng)

    def _with_faults(self, case: Case, rng: random.Random) -> Case:
        budget = case.fault_budget if self.fault_budget is None else self.fault_budget
        if self.faults is None:
            return replace(case, fault_budget=budget)
        # Swarm: half of the runs switch a random subset on, which finds what all kinds together hide from each other.
        kinds = self.faults
        if len(kinds) > 1 and rng.random() < 0.5:
            kinds = tuple(kind for kind in kinds if rng.random() < 0.4) or kinds
        last_ms = max((sending.at_ms for sending in case.sendings), default=0)
        return replace(
            case,
            faults=kinds,
            fault_budget=3 if self.fault_budget is None else self.fault_budget,
            fault_rate=rng.choice(RATES),
            heal_ms=max(case.heal_ms, last_ms + rng.choice(HEAL_MS)) if kinds else case.heal_ms,
        )


@dataclass
class Found:
    """The smallest run so far that shows one violation."""

    invariant: str
    cause: str | None
    run: int
    events: int
    case: Case
    schedule: dict[str, int]
    stepped: bool

    @property
    def size(self) -> tuple[int, int]:
        """Smaller is better; the run's number breaks ties."""
        return (self.events, self.run)


@dataclass
class Tally:
    """Counts over runs, for one strategy in one scenario."""

    runs: int = 0
    completed: int = 0
    skipped: int = 0
    commands: int = 0
    messages: int = 0
    applicable: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    first_violation: dict[str, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    branches: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: How many runs of each policy violated something.
    finds: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str | None], Found] = field(default_factory=dict)
    #: Of a search: whether all was tried, how many classes that was, what it was over, and when something happened.
    exhausted: bool | None = None
    classes: int = 0
    proof: str = ""
    instants: set[int] = field(default_factory=set)

    def merge(self, other: "Tally") -> None:
        """Add another batch's counts."""
        for name in ("runs", "completed", "skipped", "commands", "messages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in (
            "applicable",
            "held",
            "violations",
            "undecided",
            "faults",
            "branches",
            "reasons",
            "causes",
            "finds",
        ):
            getattr(self, name).update(getattr(other, name))
        self.instants |= other.instants
        for invariant, run in other.first_violation.items():
            self.first_violation[invariant] = min(run, self.first_violation.get(invariant, run))
        for key, found in other.found.items():
            if key not in self.found or found.size < self.found[key].size:
                self.found[key] = found

    @property
    def cut(self) -> bool:
        """Whether so many runs hit a bound that no more are made."""
        return self.runs - self.completed >= CUT

    def verdict(self, invariant: str) -> Verdict:
        """Violated if one run violates it; unknown if no run decided it; else holds."""
        if self.violations[invariant]:
            return Verdict.VIOLATED
        if self.undecided[invariant] or not self.held[invariant]:
            return Verdict.UNKNOWN
        return Verdict.HOLDS


def run_batch(
    plan: Plan,
    start: int,
    stop: int,
    observe: Callable[[list[dict[str, Any]]], None] | None = None,
    shares: Shares | None = None,
    until: float | None = None,
) -> Tally:
    """Run the runs `start..stop-1` of a plan; begin none after `until`. `observe` is called with every run's history."""
    strategy = find_strategy(plan.strategy)
    tally = Tally()
    sampler = Sampler(plan.policy, plan.stream, shares)
    for number in range(sampler.first_needed(start), stop):
        if is_over(until):
            break
        case = plan.case(number)
        if case is None:
            tally.skipped += 1
            continue
        policy, scheduler = sampler.begin(number)
        run = run_case(case, strategy, scheduler)
        if number < start:
            continue  # it was made for what its group learns from it
        if observe is not None:
            observe(run.history)
        count_run(tally, number, case, run, policy)
        if tally.cut:
            break
    return tally


def is_over(until: float | None) -> bool:
    """Whether this moment of the monotonic clock, which all processes of a machine share, has passed."""
    return until is not None and time.monotonic() > until


def count_run(tally: Tally, number: int, case: Case, run: Run, policy: str) -> None:
    """Count and judge one run."""
    violations = tally.violations.total()
    _count(tally, number, case, run.history, run.commands)
    _judge(tally, number, case, run)
    tally.finds[policy] += tally.violations.total() > violations


def _count(tally: Tally, number: int, case: Case, history: list[dict[str, Any]], commands: int) -> None:
    tally.runs += 1
    tally.commands += commands
    tally.messages += len(case.sendings)
    end = history[-1]
    tally.completed += end["completed"]
    if end.get("bound"):
        tally.reasons[end["bound"]] += 1
    for event in history:
        if event["event"] == "fault":
            tally.faults[event["kind"]] += 1
        elif event["event"] == "note":
            tally.branches[event["note"]] += 1


def _judge(tally: Tally, number: int, case: Case, run: Run) -> None:
    for judgement in judge(run.history):
        invariant = judgement.invariant
        if not judgement.applicable:
            continue
        tally.applicable[invariant] += 1
        if judgement.verdict is Verdict.VIOLATED:
            tally.violations[invariant] += 1
            tally.first_violation.setdefault(invariant, number)
            tally.causes.update({(invariant, v.cause) for v in judgement.violations if v.cause is not None})
            for violation in judgement.violations:
                key = (invariant, violation.cause)
                found = Found(invariant, violation.cause, number, len(run.history), case, run.schedule, run.stepped)
                if key not in tally.found or found.size < tally.found[key].size:
                    tally.found[key] = found
        elif judgement.verdict is Verdict.UNKNOWN:
            tally.undecided[invariant] += 1
            if judgement.error:
                tally.reasons[f"{invariant}: {judgement.error}"] += 1
        else:
            tally.held[invariant] += 1
