"""Retry and TTL behaviour as measured results: attempts over time, loss by outage and TTL, duplicates by processor time.

Everything here is a run of the simulator, most of them with every choice at its default (each hop takes 1 ms, or no time in
stepped runs), so that a number can be checked by hand.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.exploration import Replay
from engine.simulation.case import Case, Sending
from engine.verification import Verdict, judge
from scenarios.running import History, run_case, scheduler_of
from scenarios.selection import find_strategy
from scenarios.trace import SCHEMA, versions

STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")
FAILURES = ("endpoint_503", "error_500", "says_failed", "refused", "timed_out", "answer_lost")
OUTAGES_S = (1, 5, 10, 20, 40, 50, 55, 60, 90)
BUFFER_TTLS_S = (15, 60, 120, 300)
PROCESSOR_S = (1, 30)
PROCESSOR_TIMES_S = (30, 60, 90, 110, 119, 121, 150, 240)
#: Runs for each cell of the loss map, under drawn latencies.
RUNS = 6
OUTAGE_FROM_MS = 7_000

Progress = Callable[[str, int, int], None]


def retry_ttl_grid(out: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Measure the grid; with `out`, write it there as `retry_ttl_grid.json`."""
    parts: list[tuple[str, Callable[[], Any]]] = [
        ("attempts", lambda: [attempts(s, f) for s in STRATEGIES for f in FAILURES]),
        ("ttl_instant", lambda: [at_the_instant(s, ms) for s in STRATEGIES for ms in (-1, 0, 1)]),
        ("duplicates", lambda: [duplicates(s, t) for s in STRATEGIES for t in PROCESSOR_TIMES_S]),
        (
            "loss",
            lambda: [
                loss(s, outage_s, ttl_s, work_s)
                for s in STRATEGIES
                for outage_s in OUTAGES_S
                for ttl_s in BUFFER_TTLS_S
                for work_s in PROCESSOR_S
            ],
        ),
    ]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": "retry_ttl_grid",
        "versions": versions(),
        "runs_per_cell": RUNS,
    }
    for done, (name, measure) in enumerate(parts, 1):
        document[name] = measure()
        if progress is not None:
            progress(f"retry and TTL: {name}", done, len(parts))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "retry_ttl_grid.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def _case(**fields: Any) -> Case:
    sending = Sending(at_ms=0, message_id="id-1", text="hello", label="m1")
    settings = {"SHARDS": 1, **fields.pop("settings", {})}
    return Case(
        sendings=(sending,), processor_ms=fields.pop("processor_ms", (1_000, 1_000)), settings=settings, **fields
    )


def _default_run(case: Case, strategy: str, *, stepped: bool = False) -> History:
    scheduler = Replay({}, stepped=stepped)
    scheduler.new_run(0)
    return run_case(case, find_strategy(strategy), scheduler).history


def attempts(strategy: str, failure: str) -> dict[str, Any]:
    """When a design tries again while one kind of failure goes on (ten times), in seconds after the message."""
    if failure == "endpoint_503":
        case = _case(endpoint_failures=10, heal_ms=10_000)
    else:
        case = _case(processor_failures=(failure,) * 10, heal_ms=10_000)
    history = _default_run(case, strategy)
    start = next(e["t"] for e in history if e["event"] == "webhook.sent")
    settings = find_strategy(strategy).default_settings
    return {
        "strategy": strategy,
        "failure": failure,
        "deliveries_s": [(e["t"] - start) / 1000 for e in history if e["event"] == "delivery.posted"],
        "hand_overs_s": [(e["t"] - start) / 1000 for e in history if e["event"] == "handover.sent"],
        "buffer_ttl_s": settings.get("BUFFER_TTL_SECONDS", 60),
        "effects": sum(e["event"] == "handover.effect" for e in history),
        "dead_lettered": any(e["event"] == "dead_letter" for e in history),
        "statuses": [e["status"] for e in history if e["event"] == "status"],
        "lost": _violated(history, "no_loss"),
    }


def loss(strategy: str, outage_s: int, ttl_s: int, work_s: int) -> dict[str, Any]:
    """How often a message is lost if Redis goes away 7 s after it, for so long, with this TTL of the buffer."""
    end_ms = OUTAGE_FROM_MS + outage_s * 1_000
    case = _case(
        outages_ms=((OUTAGE_FROM_MS, end_ms),),
        heal_ms=end_ms,
        processor_ms=(work_s * 1_000, work_s * 1_000),
        settings={"BUFFER_TTL_SECONDS": ttl_s},
    )
    lost = 0
    for run in range(RUNS):
        scheduler = scheduler_of("timed", f"grid/{outage_s}/{ttl_s}/{work_s}", run)
        lost += _violated(run_case(case, find_strategy(strategy), scheduler).history, "no_loss")
    return {
        "strategy": strategy,
        "outage_s": outage_s,
        "buffer_ttl_s": ttl_s,
        "processor_s": work_s,
        "runs": RUNS,
        "lost": lost,
    }


def duplicates(strategy: str, work_s: int) -> dict[str, Any]:
    """How often the customer is answered if the processor takes so long; the caller waits 120 s."""
    history = _default_run(_case(processor_ms=(work_s * 1_000, work_s * 1_000)), strategy)
    return {
        "strategy": strategy,
        "processor_s": work_s,
        "effects": sum(e["event"] == "handover.effect" for e in history),
        "lost": _violated(history, "no_loss"),
        "dead_lettered": any(e["event"] == "dead_letter" for e in history),
    }


def at_the_instant(strategy: str, offset_ms: int) -> dict[str, Any]:
    """Whether a message is lost if the delay ends exactly when the buffer's TTL does, or a millisecond either side."""
    ttl_s = 15
    case = _case(settings={"BUFFER_TTL_SECONDS": ttl_s, "BUFFER_DELAY_MS": ttl_s * 1_000 + offset_ms})
    history = _default_run(replace(case, instants_ms=()), strategy, stepped=True)
    return {
        "strategy": strategy,
        "buffer_ttl_s": ttl_s,
        "delay_ms": ttl_s * 1_000 + offset_ms,
        "lost": _violated(history, "no_loss"),
    }


def _violated(history: History, invariant: str) -> bool:
    return any(j.verdict is Verdict.VIOLATED for j in judge(history, only=(invariant,)))
