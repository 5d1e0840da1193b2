"""From a failing run to what is shown of it: shrunk, explained, as a trace with a name."""

import re
from dataclasses import dataclass, field
from typing import Any

from engine.buffer.strategy import Strategy
from engine.verification import digest
from scenarios.batch import Found, Plan
from scenarios.exceptions import exceptions
from scenarios.redaction import Redaction
from scenarios.running import same_violation
from scenarios.selection import find_strategy
from scenarios.shrink import Counterexample as Small
from scenarios.shrink import shrink
from scenarios.told import replayed
from scenarios.trace import Trace, short
from scenarios.whereabouts import explained

#: Where runs are long, trials are few: not more than so many events in all of them, but a handful. Where a violation shows
#: again, in another scenario, a fifth of that: a design that loses may do so in all of them.
TRIAL_EVENTS, AGAIN_EVENTS, TRIALS_LEAST = 500_000, 100_000, 5


@dataclass
class ShownFailure:
    """A counterexample with where it stands."""

    plan: Plan
    found: Found
    trace: Trace
    history: list[dict[str, Any]] = field(repr=False)
    events: tuple[int, ...] = ()


def shrink_found(
    plan: Plan, found: Found, trials: int, redact: bool = False, until: float | None = None, *, again: bool = False
) -> ShownFailure | None:
    """Shrink one failure, in a worker; `again`: one like it is shown elsewhere.

    None: it could not be replayed, which is a defect of the harness.
    """
    strategy = find_strategy(plan.strategy)
    trials = min(trials, max(TRIALS_LEAST, (AGAIN_EVENTS if again else TRIAL_EVENTS) // found.events))
    small = shrink(
        found.case,
        found.schedule,
        strategy,
        found.invariant,
        found.cause,
        stepped=found.stepped,
        trials=trials,
        until=until,
    )
    if small is not None and redact:
        small = redacted(small, strategy, found)
    if small is None:
        return None
    history = small.run.history
    # Once more, to hear how the keys changed: what a listener hears changes no history.
    told = replayed(small.case, strategy, small.schedule, stepped=small.stepped, with_keys=True)
    violation = explained(small.violation, told)
    trace = Trace(
        strategy=plan.strategy,
        case=small.case,
        schedule=small.schedule,
        stepped=small.stepped,
        invariant=found.invariant,
        cause=found.cause,
        explanation=violation.explanation,
        digest=digest(history),
        history=history,
        events=violation.events,
        exceptions=exceptions(small.told),
        keys=told.keys,
    )
    return ShownFailure(plan, found, trace, history, violation.events)


def redacted(small: Small, strategy: type[Strategy], found: Found) -> Small | None:
    """The same failure under pseudonyms; None if it hangs on the very names, and is then not written at all."""
    redaction = Redaction(small.case)
    case = redaction.case(small.case)
    told = replayed(case, strategy, redaction.schedule(small.schedule), stepped=small.stepped)
    violation = same_violation(told.run.history, found.invariant, found.cause)
    return None if violation is None else Small(case, told, violation)


def trace_name(plan: Plan, invariant: str, cause: str | None) -> str:
    """The file of a trace, relative to the output folder."""
    names = "-".join(short(spec)[:80] for spec in (plan.strategy, plan.scenario))
    plain = re.sub(r"[^\w-]", "_", names, flags=re.ASCII)
    return f"traces/{plain}-{f'{cause}-{invariant}' if cause else invariant}.json"


def sentence_kind(explanation: str) -> str:
    """A sentence without what is of one run: messages, functions, times, keys. Two of one kind tell of the same defect."""
    return re.sub(r"\b[mf]\d+\b|\d+\.\d{3} s|\d+|(?<=stood in ).*?(?= from )|'.*?'", "", explanation)
