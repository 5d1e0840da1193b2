"""One run to look at: these messages, this strategy, latencies drawn from one seed. What notebooks and the curious call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.simulation.case import Sending
from engine.verification import Judgement, Violation, judge
from scenarios.catalogue.drawing import case
from scenarios.measure.outcome import timed_history
from scenarios.running import violations_of

__all__ = ["Trial", "trial"]


@dataclass(frozen=True)
class Trial:
    """What a run left, and what the judges say of it."""

    history: list[dict[str, Any]] = field(repr=False)
    judgements: list[Judgement] = field(repr=False)

    @property
    def violations(self) -> list[Violation]:
        """What was violated, in the order of the invariants."""
        return violations_of(self.judgements)

    @property
    def verdicts(self) -> dict[str, str]:
        """Each invariant that applied, and its verdict."""
        return {each.invariant: str(each.verdict) for each in self.judgements if each.applicable}


def trial(strategy: str, at_ms: Sequence[int], *, seed: int = 0, **fields: Any) -> Trial:
    """Run messages of one person, sent at these times (ms), through a strategy.

    `fields` are those of a case: `hop_ms`, `processor_ms`, `outages_ms`, `processor_failures`, `settings`, … The same
    arguments give the same history. Raises `UsageError` for an unknown strategy or setting.
    """
    sendings = [
        Sending(at_ms=at, message_id=f"id-{number}", text=f"message {number}", label=f"m{number}")
        for number, at in enumerate(sorted(at_ms), 1)
    ]
    drawn = case(sendings, **fields)
    history = timed_history(drawn, strategy, f"{seed}/trial", 0)
    return Trial(history, judge(history))
