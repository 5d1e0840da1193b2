"""What `verify` found: the result document of the contract, the counterexamples, and the exit status."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.buffer.files import write_whole
from engine.verification import INVARIANTS, Verdict
from scenarios.batch import Plan, Tally
from scenarios.expectations import Difference
from scenarios.trace import versions

HELD, VIOLATED, UNDECIDED = 0, 1, 3


@dataclass(frozen=True)
class Counterexample:
    """The smallest run that shows a violation. `trace` is relative to the output folder."""

    strategy: str
    scenario: str
    invariant: str
    cause: str | None
    explanation: str
    trace: str
    history: list[dict[str, Any]] = field(repr=False)
    events: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    keys: Sequence[dict[str, Any]] = field(default=(), repr=False)


@dataclass(frozen=True)
class Result:
    """A result document, with what belongs to it. `differences` is None where no verdicts are written down for it."""

    document: dict[str, Any]
    counterexamples: list[Counterexample]
    differences: list[Difference] | None = None

    def to_json(self) -> dict[str, Any]:
        """The result document."""
        return self.document

    @property
    def exit_status(self) -> int:
        """0 all as it must be, 1 a violation (that is not written down), 3 undecided or a known one was not found."""
        if self.differences is not None:
            if any(difference.is_new for difference in self.differences):
                return VIOLATED
            return UNDECIDED if self.differences else HELD
        rows = self.document["rows"]
        if any(row["verdict"] == Verdict.VIOLATED for row in rows):
            return VIOLATED
        if not any(row["runs"] for row in rows) or self.document.get("not_run"):
            return UNDECIDED
        return UNDECIDED if any(row["verdict"] == Verdict.UNKNOWN and row["applicable_runs"] for row in rows) else HELD

    def write(self, out: Path) -> None:
        """Write `results.json`; traces of the results that stood there before and are no longer named are removed."""
        before = traces_of(out / "results.json")
        write_whole(out / "results.json", json.dumps(self.document, indent=1) + "\n")
        for name in before - traces_of(out / "results.json"):
            (out / name).unlink(missing_ok=True)


def traces_of(results: Path) -> set[str]:
    """The traces that a `results.json` names, as `traces/….json`; none if there is no such file, or it is no such one."""
    try:
        rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
        names = {str(name) for row in rows for name in (row["trace"], *row["causes"].values()) if name is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
    return {name for name in names if re.fullmatch(r"traces/[\w-]+\.json", name, re.ASCII)}


def result_document(
    tallies: dict[Plan, Tally],
    traces: dict[tuple[Plan, str], dict[str, str]],
    *,
    seed: int,
    elapsed_s: float,
    settings: dict[str, Any],
    command: str = "",
) -> dict[str, Any]:
    """The document of the contract."""
    runs = sum(tally.runs for tally in tallies.values())
    commands = sum(tally.commands for tally in tallies.values())
    elapsed = max(elapsed_s, 0.001)
    return {
        "schema": 1,
        "kind": "verify",
        **({"command": command} if command else {}),
        "rows": [
            _row(plan, tally, invariant, traces.get((plan, invariant), {}))
            for plan, tally in tallies.items()
            if tally.runs
            for invariant in INVARIANTS
        ],
        "coverage": [
            {
                "strategy": plan.strategy,
                "scenario": plan.scenario,
                "runs": tally.runs,
                "completed": tally.completed,
                "messages": tally.messages,
                "commands": tally.commands,
                "faults": dict(sorted(tally.faults.items())),
                "branches": dict(sorted(tally.branches.items())),
                "undecided_because": dict(sorted(tally.reasons.items())),
            }
            for plan, tally in tallies.items()
            if tally.runs
        ],
        "seed": seed,
        "versions": versions(),
        "settings": settings,
        "elapsed_s": round(elapsed_s, 3),
        "runs_per_s": round(runs / elapsed, 1),
        "commands_per_s": round(commands / elapsed, 1),
    }


def _row(plan: Plan, tally: Tally, invariant: str, files: dict[str, str]) -> dict[str, Any]:
    named = {cause: name for cause, name in files.items() if cause}
    return {
        "strategy": plan.strategy,
        "scenario": plan.scenario,
        "invariant": invariant,
        "verdict": str(tally.verdict(invariant)),
        "runs": tally.runs,
        "violations": tally.violations[invariant],
        "first_violation_run": tally.first_violation.get(invariant),
        "applicable_runs": tally.applicable[invariant],
        "trace": files.get("") or next(iter(named.values()), None),
        "causes": named,
        **(
            {}
            if tally.exhausted is None
            else {"exhausted": tally.exhausted, "classes": tally.classes, "proof": _proof(tally, invariant)}
        ),
        "cause_runs": {cause: count for (of, cause), count in sorted(tally.causes.items()) if of == invariant},
    }


def _proof(tally: Tally, invariant: str) -> str:
    """What was tried, and how this invariant fared."""
    count = tally.violations[invariant]
    if not tally.applicable[invariant]:
        found = "not applicable"
    elif count:
        found = f"violated in {count:,}"
    else:
        found = "no violation" if tally.verdict(invariant) is Verdict.HOLDS else "nothing decided"
    return f"{tally.proof}, {found}"
