"""Result files made by hand, small enough to check every number of a report against them."""

import json
from pathlib import Path
from typing import Any


def boundary(lossy: int = 3, runs: int = 10) -> dict[str, Any]:
    """`baseline` loses at 8.0 s, `lease` never."""
    rows: list[dict[str, Any]] = []
    for strategy in ("baseline", "lease"):
        for at_ms in (7_000, 8_000, 9_000):
            hit = lossy if (strategy, at_ms) == ("baseline", 8_000) else 0
            rows.append(
                {"strategy": strategy, "second_at_ms": at_ms, "runs": runs, "lossy_runs": hit, "doubling_runs": 0}
            )
    return {
        "schema": 1,
        "kind": "boundary",
        "policy": "timed",
        "distributions": "each hop log-uniform over 1–600 ms",
        "runs_per_cell": runs,
        "command": "bufferproof measure boundary",
        "seed": 0,
        "rows": rows,
    }


def verify(violations: int = 7) -> dict[str, Any]:
    """`baseline` violates no_loss in `boundary`, `lease` nothing; order applied to no run."""
    rows: list[dict[str, Any]] = []
    for strategy in ("baseline", "lease"):
        for invariant in ("no_loss", "no_duplicate", "order"):
            bad = violations if (strategy, invariant) == ("baseline", "no_loss") else 0
            rows.append(
                {
                    "strategy": strategy,
                    "scenario": "boundary",
                    "invariant": invariant,
                    "verdict": "violated" if bad else "unknown" if invariant == "order" else "holds",
                    "runs": 20,
                    "violations": bad,
                    "first_violation_run": 3 if bad else None,
                    "applicable_runs": 0 if invariant == "order" else 20,
                    "trace": "traces/baseline-boundary-no_loss.json" if bad else None,
                    "causes": {},
                }
            )
    return {"schema": 1, "kind": "results", "seed": 0, "rows": rows, "versions": {"python": "3.11"}}


def write(folder: Path, **documents: Any) -> Path:
    """Write each as `NAME.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def trace() -> dict[str, Any]:
    """The trace of one message that is accepted and waits for ever."""
    talk = ["bot", "1"]
    history = [
        {"t": 0, "event": "start", "strategy": "baseline", "scenario": "boundary", "functions": 1},
        {"t": 0, "event": "webhook.sent", "call": "w1", "conversation": talk, "id": "a", "text": "hello", "data": None,
         "attempt": 1, "label": "m1"},
        {"t": 1, "event": "webhook.arrived", "call": "w1", "function": "f1"},
        {"t": 2, "event": "webhook.answered", "call": "w1", "function": "f1", "status": 200},
        {"t": 9, "event": "waiting", "conversation": talk, "id": "a"},
        {"t": 9, "event": "end", "reason": "quiet", "completed": True, "keys": {}},
    ]  # fmt: skip
    violation = {"invariant": "no_loss", "cause": None, "explanation": "m1 waits for ever", "events": [3, 4]}
    return {
        "schema": 1,
        "kind": "trace",
        "strategy": "baseline",
        "scenario": "boundary",
        "violation": violation,
        "history": history,
        "exceptions": [],
        "keys": [],
        "versions": {"python": "3.11"},
    }
