"""What a process of a campaign does: run a batch, or make one failure small. Both are functions of their arguments alone."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from engine.simulation.case import Case
from engine.verification.history import canonical
from scenarios.batch import Found, run_batch
from scenarios.campaign.coverage import Orders, points_of
from scenarios.campaign.plan import Batch
from scenarios.failures import shrink_found
from scenarios.trace import in_order_of_names


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a batch brought back. `counts` is plain JSON; `found` is the smallest failing run of each violation."""

    batch: Batch
    counts: dict[str, Any]
    points: list[int]
    found: list[Found]


@dataclass(frozen=True, kw_only=True)
class Shrinking:
    """A failure that is to be made small: found in a batch, as its smallest of this invariant and cause."""

    batch: Batch
    found: Found
    trials: int

    @property
    def key(self) -> tuple[int, str, str]:
        """What it is found by in the store."""
        return (self.batch.number, self.found.invariant, self.found.cause or "")


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """A failure made small. `trace` is the trace document; None: it could not be replayed, a defect of the harness."""

    task: Shrinking
    identity: str
    trace: dict[str, Any] | None


Task = Batch | Shrinking
Outcome = Done | Shrunk


def work(task: Task) -> Outcome:
    """Do one task."""
    return _run(task) if isinstance(task, Batch) else _shrink(task)


def _run(batch: Batch) -> Done:
    orders = Orders()
    tally = run_batch(batch.plan, 0, batch.runs, orders.observe)
    counts = {
        **{name: getattr(tally, name) for name in ("runs", "completed", "skipped", "commands", "messages")},
        **{
            name: dict(sorted(getattr(tally, name).items()))
            for name in ("violations", "undecided", "faults", "branches", "reasons")
        },
        "races": {f"{invariant}: {cause}": count for (invariant, cause), count in sorted(tally.causes.items())},
    }
    found = sorted(tally.found.values(), key=lambda each: (each.invariant, each.cause or ""))
    return Done(batch=batch, counts=counts, points=points_of(tally, orders), found=found)


def _shrink(task: Shrinking) -> Shrunk:
    shown = shrink_found(task.batch.plan, task.found, task.trials)
    if shown is None:
        return Shrunk(task=task, identity="", trace=None)
    trace = shown.trace
    violation = [trace.strategy, trace.invariant, trace.cause, trace.stepped, trace.schedule]
    identity = hashlib.sha256(canonical(violation).encode()).hexdigest()[:16]
    return Shrunk(task=task, identity=identity, trace=trace.to_json())


def found_to_text(found: Found) -> str:
    """A failing run as it is written to the store."""
    plain = {**vars(found), "case": found.case.to_json()}
    return json.dumps(in_order_of_names(plain))


def found_from_text(text: str) -> Found:
    """A failing run as it was read from the store."""
    plain = json.loads(text)
    return Found(**{**plain, "case": Case.from_json(plain["case"])})
