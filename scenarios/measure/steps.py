"""What each step of the plan changes, alone and together: the same situations, with its parts switched on one by one."""

import random
from typing import Any

from engine.simulation.case import Case
from scenarios.catalogue.drawing import burst, case
from scenarios.catalogue.window import real_offsets
from scenarios.measure.outcome import outcome_of, timed_history, total
from scenarios.measure.profile import Profile

NAME = "steps"
SUMMARY = "what each step of the plan changes, alone and together"
RUNS = 60
FEW_RUNS = 12

_OLD = {"BUFFER_TTL_SECONDS": 15, "TIMER_TTL_SECONDS": 10, "PROCESSED_BUFFER_TTL": 30}
_OFF = {"LOCK_ENABLED": False, "GRACE_WAIT_MS": 0, "MAX_RETRY_ATTEMPTS": 0, **_OLD}

#: What is switched on → strategy and settings. The first column of the plan's table is `baseline`.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "before the plan": ("baseline", {}),
    "lock alone": ("lock", {**_OFF, "LOCK_ENABLED": True}),
    "grace wait alone": ("lock", {**_OFF, "GRACE_WAIT_MS": 500}),
    "lock and grace wait": ("lock", {**_OFF, "LOCK_ENABLED": True, "GRACE_WAIT_MS": 500}),
    "longer TTLs alone": ("lock", {"LOCK_ENABLED": False, "GRACE_WAIT_MS": 0, "MAX_RETRY_ATTEMPTS": 0}),
    "retry alone": ("lock", {**_OFF, "MAX_RETRY_ATTEMPTS": 3}),
    "retry and longer TTLs": ("lock", {"LOCK_ENABLED": False, "GRACE_WAIT_MS": 0}),
    "problems 1 to 4 together": ("lock", {}),
    "Lua alone": ("lua", {**_OLD, "MAX_RETRY_ATTEMPTS": 0}),
    "problems 3 to 5 (Lua, TTLs, retry)": ("lua", {}),
    "lease instead": ("lease", {}),
}


def _real(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, real_offsets(rng)), **fields)


def _edge(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0, rng.randint(7_400, 8_600)]), **fields)


def _together(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0, 0]), **fields)


def _during(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0, rng.randint(9_000, 14_000)]), **fields | {"processor_ms": (5_000, 10_000)})


def _outage(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0]), outages_ms=((7_000, 27_000),), heal_ms=27_000, **fields)


def _failure(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0]), processor_failures=("error_500",), heal_ms=10_000, **fields)


def _endpoint(rng: random.Random, fields: dict[str, Any]) -> Case:
    return case(burst(rng, [0]), endpoint_failures=1, heal_ms=10_000, **fields)


#: What happens → how it is drawn.
SITUATIONS = {
    "real bursts, no fault": _real,
    "second message at 7.4–8.6 s": _edge,
    "two messages at once": _together,
    "a message while the answer is made": _during,
    "Redis away from 7 to 27 s": _outage,
    "the processor fails once": _failure,
    "the endpoint fails once": _endpoint,
}


def items(runs: int, seed: int, profile: Profile) -> list[tuple[Any, ...]]:
    """Each variant in each situation."""
    return [(variant, situation, runs, seed, profile) for variant in VARIANTS for situation in SITUATIONS]


def cell(variant: str, situation: str, runs: int, seed: int, profile: Profile) -> dict[str, Any]:
    """Count the runs that lose or double a message."""
    strategy, settings = VARIANTS[variant]
    outcomes = []
    for run in range(runs):
        rng = random.Random(f"{seed}/steps/{situation}/{run}")
        drawn = SITUATIONS[situation](rng, {**profile.windows(), "settings": settings})
        outcomes.append(outcome_of(timed_history(drawn, strategy, f"{seed}/steps/{situation}/{strategy}", run)))
    counted = total(outcomes)
    return {
        "variant": variant,
        "strategy": strategy,
        "settings": settings,
        "situation": situation,
        "runs": counted.runs,
        "undecided": counted.undecided,
        "lossy_runs": counted.lossy_runs,
        "doubling_runs": counted.doubling_runs,
    }
