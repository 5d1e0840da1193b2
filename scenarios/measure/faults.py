"""Which fault breaks which strategy: a conversation that every strategy can do, with exactly one fault of a kind in it."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from engine.simulation.case import FAULTS
from engine.verification import Verdict, judge
from scenarios.catalogue.drawing import burst, case
from scenarios.measure.outcome import outcome_of, timed_history
from scenarios.measure.profile import Profile

NAME = "faults"
SUMMARY = "what one fault of each kind does to a burst that all strategies can do"
RUNS = 60
FEW_RUNS = 12
STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")
#: Two messages, far from each other and from the end of the window: without a fault nothing goes wrong.
OFFSETS_MS = (0, 4_000)
HEAL_MS = 25_000
#: The rate at a point; which point it is that the fault strikes first depends on it, so it is drawn.
RATES = (0.02, 0.05, 0.2)
#: Kinds with few points in a run.
RARE = frozenset({"clock_skew", "processor_failure", "webhook_repeated", "delivery_repeated"})
RARE_RATES = (0.3, 0.6)
#: A fault that did not strike says nothing: so many runs are tried for each that is wanted.
TRIES = 4


def items(runs: int, seed: int, profile: Profile) -> list[tuple[Any, ...]]:
    """Each strategy without a fault, and with one of each kind."""
    return [(strategy, kind, runs, seed, profile) for strategy in STRATEGIES for kind in ("none", *FAULTS)]


def cell(strategy: str, kind: str, runs: int, seed: int, profile: Profile) -> dict[str, Any]:
    """Count violations over the runs in which the fault struck."""
    violated: Counter[str] = Counter()
    struck = lossy = doubling = undecided = 0
    for run in range(runs * (1 if kind == "none" else TRIES)):
        if struck == runs:
            break
        history = timed_history(_case(kind, run, seed, profile), strategy, f"{seed}/faults/{kind}/{strategy}", run)
        if kind != "none" and not any(event["event"] == "fault" for event in history):
            continue
        outcome = outcome_of(history)
        if outcome.undecided:
            undecided += 1
            continue
        struck += 1
        lossy += outcome.lossy_runs
        doubling += outcome.doubling_runs
        violated.update(each.invariant for each in judge(history) if each.verdict is Verdict.VIOLATED)
    return {
        "strategy": strategy,
        "fault": kind,
        "runs": struck,
        "undecided": undecided,
        "lossy_runs": lossy,
        "doubling_runs": doubling,
        "violated_runs": dict(sorted(violated.items())),
    }


def _case(kind: str, run: int, seed: int, profile: Profile) -> Any:
    rng = random.Random(f"{seed}/faults/{kind}/{run}")
    # No data: what a script makes of it is another matter, and shows without any fault.
    sendings = [replace(sending, data=None) for sending in burst(rng, OFFSETS_MS)]
    if kind == "none":
        return case(sendings, **profile.windows())
    return case(
        sendings,
        faults=(kind,),
        fault_budget=1,
        fault_rate=rng.choice(RARE_RATES if kind in RARE else RATES),
        heal_ms=HEAL_MS,
        provider_retries=1,
        **profile.windows(),
    )
