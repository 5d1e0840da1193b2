"""What became of the messages of one run, counted from its history."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from engine.simulation.case import Case
from engine.verification.facts import Facts
from scenarios.running import run_case, scheduler_of
from scenarios.selection import find_strategy


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of one run, or their sum over runs. A run that did not complete counts as undecided, and as nothing else."""

    runs: int = 0
    undecided: int = 0
    messages: int = 0
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    refused: int = 0
    effects: int = 0
    lossy_runs: int = 0
    doubling_runs: int = 0
    #: Sums of squares and products over runs, by which an interval knows that messages of one run share their fate.
    lost_squared: int = 0
    lost_times_messages: int = 0
    doubled_squared: int = 0
    doubled_times_messages: int = 0
    messages_squared: int = 0

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def outcome_of(history: list[dict[str, Any]]) -> Outcome:
    """What became of the messages: lost (accepted, no effect, not dead-lettered), doubled (two effects), refused (no 2xx)."""
    facts = Facts(history)
    if not facts.complete:
        return Outcome(undecided=1)
    messages = list(facts.messages.values())
    lost, doubled, n = len(facts.lost), sum(len(m.effects) > 1 for m in messages), len(messages)
    return Outcome(
        runs=1,
        messages=n,
        accepted=sum(m.accepted is not None for m in messages),
        lost=lost,
        doubled=doubled,
        refused=sum(m.accepted is None for m in messages),
        effects=len(facts.effects),
        lossy_runs=int(lost > 0),
        doubling_runs=int(doubled > 0),
        lost_squared=lost * lost,
        lost_times_messages=lost * n,
        doubled_squared=doubled * doubled,
        doubled_times_messages=doubled * n,
        messages_squared=n * n,
    )


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """The sum."""
    sums = {each.name: 0 for each in fields(Outcome)}
    for outcome in outcomes:
        for name in sums:
            sums[name] += getattr(outcome, name)
    return Outcome(**sums)


def timed_history(case: Case, strategy: str, seed: str, run: int) -> list[dict[str, Any]]:
    """The history of run number `run` under the policy `timed`, the only one that gives probabilities."""
    return run_case(case, find_strategy(strategy), scheduler_of("timed", seed, run)).history
