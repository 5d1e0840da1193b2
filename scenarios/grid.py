"""Retry and TTL behaviour as measured results: attempts over time, loss by outage and TTL, duplicates by processor time.

Everything here is a run of the simulator, most of them with every choice at its default (each hop takes 1 ms, or no time in
stepped runs), so that a number can be checked by hand.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.buffer.files import write_whole
from engine.exploration import Replay
from engine.simulation.case import Case, Sending
from engine.simulation.world import settings_of
from engine.verification import Verdict, judge
from scenarios.measure.parallel import Call, Progress, in_order
from scenarios.pool import pool_of
from scenarios.running import History, run_case, scheduler_of
from scenarios.selection import find_strategy
from scenarios.trace import SCHEMA, versions

STRATEGIES = ("baseline", "lock", "lua", "fenced_lock", "lease")
FAILURES = ("endpoint_503", "error_500", "says_failed", "refused", "timed_out", "answer_lost")
OUTAGES_S = (1, 5, 10, 20, 40, 50, 55, 60, 90, 300)
BUFFER_TTLS_S = (15, 60, 120, 300)
PROCESSOR_S = (1, 30)
PROCESSOR_TIMES_S = (30, 60, 90, 110, 119, 121, 150, 240)
#: Runs for each cell of the loss map, under drawn latencies.
RUNS = 6
OUTAGE_FROM_MS = 7_000

#: The strategies whose buffer lives by a TTL while it is unprocessed; the others' never ends before it is answered.
WITH_TTL = ("baseline", "lock", "lua")


def retry_ttl_grid(
    out: Path | None = None, progress: Progress | None = None, runs: int = RUNS, jobs: int | None = None
) -> dict[str, Any]:
    """Measure the grid, `runs` times for each cell of the loss map; with `out`, write `retry_ttl_grid.json` there."""
    cells = [(s, o, t, w, runs) for s in STRATEGIES for o in OUTAGES_S for t in BUFFER_TTLS_S for w in PROCESSOR_S]
    parts: dict[str, list[Call]] = {
        "attempts": [(attempts, (s, f)) for s in STRATEGIES for f in FAILURES],
        "ttl_instant": [(at_the_instant, (s, ms)) for s in STRATEGIES for ms in (-1, 0, 1)],
        "duplicates": [(duplicates, (s, t)) for s in STRATEGIES for t in PROCESSOR_TIMES_S],
        "loss": [(loss, each) for each in cells],
    }
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": "retry_ttl_grid",
        "command": "bufferproof grid",
        "policy": "timed",
        "distributions": "each hop log-uniform over 1–600 ms, the processor as the row says",
        "versions": versions(),
        "runs_per_cell": runs,
        "outage_from_s": OUTAGE_FROM_MS / 1_000,
    }
    with pool_of(jobs) as pool:
        results = in_order(pool, "retry and TTL", [call for calls in parts.values() for call in calls], progress)
    for name, calls in parts.items():
        document[name], results = results[: len(calls)], results[len(calls) :]
    if out is not None:
        write_whole(out / "retry_ttl_grid.json", json.dumps(document, indent=1) + "\n")
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
    settings = settings_of(find_strategy(strategy), {})
    with_ttl = strategy in WITH_TTL
    return {
        "strategy": strategy,
        "failure": failure,
        "deliveries_s": [(e["t"] - start) / 1000 for e in history if e["event"] == "delivery.posted"],
        "hand_overs_s": [(e["t"] - start) / 1000 for e in history if e["event"] == "handover.sent"],
        "buffer_ttl_s": settings.buffer_ttl_seconds if with_ttl else None,
        "timer_ttl_s": settings.timer_ttl_seconds if with_ttl else None,
        "effects": sum(e["event"] == "handover.effect" for e in history),
        "dead_lettered": any(e["event"] == "dead_letter" for e in history),
        "statuses": [e["status"] for e in history if e["event"] == "status"],
        "lost": _violated(history, "no_loss"),
    }


def loss(strategy: str, outage_s: int, ttl_s: int, work_s: int, runs: int = RUNS) -> dict[str, Any]:
    """How often a message is lost if Redis goes away 7 s after it, for so long, with this TTL of the buffer."""
    end_ms = OUTAGE_FROM_MS + outage_s * 1_000
    case = _case(
        outages_ms=((OUTAGE_FROM_MS, end_ms),),
        heal_ms=end_ms,
        processor_ms=(work_s * 1_000, work_s * 1_000),
        settings={"BUFFER_TTL_SECONDS": ttl_s},
    )
    lost = 0
    for run in range(runs):
        scheduler = scheduler_of("timed", f"grid/{outage_s}/{ttl_s}/{work_s}", run)
        lost += _violated(run_case(case, find_strategy(strategy), scheduler).history, "no_loss")
    return {
        "strategy": strategy,
        "outage_s": outage_s,
        "buffer_ttl_s": ttl_s,
        "processor_s": work_s,
        "runs": runs,
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
