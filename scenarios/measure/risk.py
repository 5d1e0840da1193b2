"""Loss and duplicates in ordinary traffic: so many bursts of a traffic profile, without any fault but what it says."""

import random
from typing import Any

from engine.simulation.case import Sending
from scenarios.catalogue.drawing import burst, case
from scenarios.catalogue.window import real_offsets
from scenarios.measure.outcome import Outcome, outcome_of, timed_history, total
from scenarios.measure.profile import Profile
from scenarios.measure.recorded import recorded_bursts

NAME = "risk"
SUMMARY = "lost and doubled messages in ordinary traffic, for the risk per month"
RUNS = 1_500
FEW_RUNS = 250
CHUNK = 25
STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")
#: Hand-overs of one run that may fail, where the profile says that some do.
HAND_OVERS = 8


def items(runs: int, seed: int, profile: Profile) -> list[tuple[Any, ...]]:
    """Chunks of bursts, the same ones for every strategy."""
    return [
        (strategy, start, min(start + CHUNK, runs), seed, profile)
        for strategy in STRATEGIES
        for start in range(0, runs, CHUNK)
    ]


def cell(strategy: str, start: int, stop: int, seed: int, profile: Profile) -> dict[str, Any]:
    """The bursts `start..stop-1`."""
    outcomes = [_one(strategy, number, seed, profile) for number in range(start, stop)]
    return {"strategy": strategy, **total(outcomes).to_json()}


def document(rows: list[dict[str, Any]], profile: Profile) -> dict[str, Any]:
    """One row a strategy."""
    merged = []
    for strategy in STRATEGIES:
        counts = [
            {name: n for name, n in row.items() if name != "strategy"} for row in rows if row["strategy"] == strategy
        ]
        merged.append({"strategy": strategy, **total(Outcome(**each) for each in counts).to_json()})
    return {"bursts": profile.bursts(), "messages_per_day": profile.messages_per_day, "rows": merged}


def _one(strategy: str, number: int, seed: int, profile: Profile) -> Outcome:
    rng = random.Random(f"{seed}/risk/{number}")
    failures = [
        "error_500" if rng.random() < profile.processor_failure_rate else "ok"
        for _ in range(HAND_OVERS if profile.processor_failure_rate else 0)
    ]
    while failures and failures[-1] == "ok":
        failures.pop()  # a run waits for what is planned
    drawn = case(_sendings(rng, number, profile), processor_failures=tuple(failures), **profile.windows())
    return outcome_of(timed_history(drawn, strategy, f"{seed}/risk/{strategy}", number))


def _sendings(rng: random.Random, number: int, profile: Profile) -> tuple[Sending, ...]:
    if profile.workload is not None:
        bursts = recorded_bursts(profile.workload)
        return bursts[number % len(bursts)]
    if profile.burst_sizes:
        sizes, shares = zip(*profile.burst_sizes, strict=True)
        more = int(rng.choices(sizes, shares)[0]) - 1
        return tuple(burst(rng, [0, *(rng.randrange(8_000) for _ in range(more))]))
    return tuple(burst(rng, real_offsets(rng)))
