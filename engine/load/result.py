"""The result document of a load (`docs/load.md`): rows of figures, ratios between strategies, and what made them."""

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

from engine.load.provider import latencies
from engine.load.run import Outcome

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}
#: A violated invariant beats one that is unknown, which beats one that holds.
_WORSE = ("holds", "unknown", "violated")


def row_of(rounds: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one strategy over its rounds."""
    accepted = sum(each.accepted for each in rounds)
    seconds = sum(each.seconds for each in rounds)
    batches = sum(each.batches for each in rounds)
    errors: Counter[str] = Counter()
    violations: Counter[str] = Counter()
    verdicts: dict[str, str] = {}
    examples: dict[str, str] = {}
    faults: Counter[str] = Counter()
    for each in rounds:
        errors.update(each.errors)
        violations.update(each.violations)
        faults.update(each.faults)
        for name, verdict in each.verdicts.items():
            verdicts[name] = max(verdicts.get(name, "holds"), verdict, key=_WORSE.index)
        examples = {**each.examples, **examples}
    return {
        "strategy": rounds[0].strategy,
        "rounds": len(rounds),
        "seconds": seconds,
        "sent": sum(each.sent for each in rounds),
        "accepted": accepted,
        "accepted_per_s": round(accepted / seconds, 1),
        "repeated_calls": sum(each.repeats for each in rounds),
        "with_effect": sum(each.effects for each in rounds),
        "batches": batches,
        "messages_per_batch": round(accepted / batches, 2) if batches else None,
        "add_ms": _milliseconds(_sum([each.add for each in rounds])),
        "answer_beyond_window_ms": _milliseconds(_sum([each.beyond for each in rounds])),
        "errors": dict(sorted(errors.items())),
        "errors_total": sum(errors.values()),
        "violations": dict(violations),
        "violations_total": sum(violations.values()),
        "verdicts": verdicts,
        "examples": examples,
        "lost": sum(each.lost for each in rounds),
        "doubled": sum(each.doubled for each in rounds),
        "faults": dict(faults),
        "service_cpu_us_per_message": round(
            sum(each.service_cpu_seconds for each in rounds) * 1_000_000 / max(1, accepted)
        ),
        "redis": _server(rounds),
    }


def _sum(histograms: Sequence[HdrHistogram]) -> HdrHistogram:
    total = latencies()
    for each in histograms:
        total.add(each)
    return total


def _milliseconds(histogram: HdrHistogram) -> dict[str, float]:
    """Percentiles of a histogram of microseconds, in milliseconds."""
    if not histogram.get_total_count():
        return {"count": 0}
    found = {name: histogram.get_value_at_percentile(each) / 1_000 for name, each in PERCENTILES.items()}
    found |= {"mean": histogram.get_mean_value() / 1_000, "max": histogram.get_max_value() / 1_000}
    return {name: round(value, 3) for name, value in found.items()} | {"count": histogram.get_total_count()}


def _server(rounds: Sequence[Outcome]) -> dict[str, Any] | None:
    """The server's figures: means over the rounds, weighted by their messages, and the sums of its statistics."""
    if any(each.server is None for each in rounds):
        return None
    messages = sum(each.accepted for each in rounds)
    found: dict[str, Any] = {}
    commands: dict[str, dict[str, float]] = {}
    for each in rounds:
        assert each.server is not None
        for name, value in each.server.items():
            if name != "commandstats":
                found[name] = found.get(name, 0.0) + value * each.accepted / max(1, messages)
        for name, stats in each.server["commandstats"].items():
            sums = commands.setdefault(name, {"calls": 0, "usec": 0.0})
            sums["calls"] += stats["calls"]
            sums["usec"] += stats["usec"]
    for stats in commands.values():
        stats["usec_per_call"] = round(stats["usec"] / stats["calls"], 2)
    return {name: round(value, 2) for name, value in found.items()} | {"commandstats": dict(sorted(commands.items()))}


def ratios(rows: Sequence[dict[str, Any]], of: str = "lease") -> dict[str, dict[str, float | None]]:
    """`of` against each other strategy: below 1 is better for it. None where the other has nothing to divide by."""
    by_name = {row["strategy"]: row for row in rows}
    if of not in by_name:
        return {}
    mine = by_name[of]
    found = {}
    for name, other in by_name.items():
        if name == of:
            continue
        bad, others_bad = (row["errors_total"] + row["violations_total"] for row in (mine, other))
        found[name] = {
            **{f"add_{each}": _over(mine["add_ms"].get(each), other["add_ms"].get(each)) for each in PERCENTILES},
            "errors_and_violations": _over(bad, others_bad),
            "service_cpu_per_message": _over(mine["service_cpu_us_per_message"], other["service_cpu_us_per_message"]),
        }
        if mine["redis"] and other["redis"]:
            for each in ("commands_per_message", "requests_per_message", "cpu_us_per_message"):
                found[name][each] = _over(mine["redis"][each], other["redis"][each])
    return found


def _over(mine: float | None, other: float | None) -> float | None:
    return round(mine / other, 3) if mine is not None and other else None


def document(
    rows: Sequence[dict[str, Any]], *, command: str, seed: int, settings: dict[str, Any], server_version: str
) -> dict[str, Any]:
    """The whole document, but for what only a comparison has."""
    return {
        "schema": 1,
        "kind": "load",
        "versions": {
            "bufferproof": importlib.metadata.version("bufferproof"),
            "python": platform.python_version(),
            "redis-py": importlib.metadata.version("redis"),
        },
        "command": command,
        "seed": seed,
        "settings": settings,
        "machine": {"cores": os.cpu_count(), "server": server_version},
        "rows": list(rows),
    }
