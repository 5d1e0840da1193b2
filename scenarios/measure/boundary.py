"""The picture of the whole project: loss and duplicates against the moment at which the second message is sent."""

import random
from typing import Any

from scenarios.catalogue.drawing import burst, case
from scenarios.measure.outcome import outcome_of, timed_history, total
from scenarios.measure.profile import Profile

NAME = "boundary"
SUMMARY = "loss and duplicates against the second message's sending time, 7.0 to 9.0 s"
RUNS = 60
FEW_RUNS = 20
FROM_MS, UNTIL_MS, STEP_MS = 7_000, 9_000, 100
STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")


def items(runs: int, seed: int, profile: Profile) -> list[tuple[Any, ...]]:
    """The cells of the measurement: the arguments of `cell`."""
    return [
        (strategy, at_ms, runs, seed, profile)
        for strategy in STRATEGIES
        for at_ms in range(FROM_MS, UNTIL_MS + 1, STEP_MS)
    ]


def cell(strategy: str, at_ms: int, runs: int, seed: int, profile: Profile) -> dict[str, Any]:
    """Two messages of one person, the second `at_ms` after the first, so many times."""
    windows = profile.windows()
    outcomes = []
    for run in range(runs):
        rng = random.Random(f"{seed}/boundary/{at_ms}/{run}")
        drawn = case(burst(rng, [0, at_ms]), **windows)
        outcomes.append(outcome_of(timed_history(drawn, strategy, f"{seed}/boundary/{strategy}/{at_ms}", run)))
    counted = total(outcomes)
    return {
        "strategy": strategy,
        "second_at_ms": at_ms,
        "runs": counted.runs,
        "undecided": counted.undecided,
        "lossy_runs": counted.lossy_runs,
        "doubling_runs": counted.doubling_runs,
        "lost": counted.lost,
        "doubled": counted.doubled,
    }
