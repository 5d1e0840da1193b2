"""The kinds of result files and the shape of each: what must be in it for its figures to be true."""

from collections.abc import Mapping
from typing import Any

from reports.shapes import Each, Kind, Maybe, OneOf, Shape, problem_with

_QUANTILES: Mapping[str, Kind] = {name: Maybe(float) for name in ("p50", "p95", "p99")}
_PERCENTILES: Mapping[str, Kind] = {name: Maybe(float) for name in ("p50", "p90", "p99", "p99_9")}
_PAIR: Mapping[str, Kind] = {"predicted": float, "measured": float, "ratio": float, "within": bool}
_SHARES: Mapping[str, Kind] = {"runs": int, "lossy_runs": int, "doubling_runs": int}
_PARTS = (("lossy_runs", "runs"), ("doubling_runs", "runs"))

KINDS: Mapping[str, Shape] = {
    "verify": Shape(
        fields={"seed": int},
        rows={
            "rows": {
                "strategy": str,
                "scenario": str,
                "invariant": str,
                "verdict": OneOf(("holds", "unknown", "violated")),
                "runs": int,
                "violations": int,
                "applicable_runs": int,
                "causes": Maybe(Each(str)),
                "trace": Maybe(str),
                "exhausted": Maybe(bool),
                "classes": Maybe(int),
                "proof": Maybe(str),
            }
        },
        at_most=(("violations", "applicable_runs"), ("applicable_runs", "runs")),
    ),
    "boundary": Shape(
        fields={"distributions": str, "runs_per_cell": int},
        rows={"rows": {"strategy": str, "second_at_ms": int, **_SHARES}},
        at_most=_PARTS,
    ),
    "steps": Shape(
        fields={"distributions": str},
        rows={"rows": {"strategy": str, "variant": str, "situation": str, **_SHARES}},
        at_most=_PARTS,
    ),
    "faults": Shape(
        fields={"distributions": str}, rows={"rows": {"strategy": str, "fault": str, **_SHARES}}, at_most=_PARTS
    ),
    "cost": Shape(
        fields={"distributions": str},
        rows={
            "rows": {
                "strategy": str,
                "bursts": int,
                "messages": int,
                "round_trips": int,
                "bytes_sent": int,
                "bytes_received": int,
                "batches": int,
                "errors": int,
                "add_ms": _QUANTILES,
                "answer_ms": _QUANTILES,
                "idle_round_trips": int,
                "idle_function_minutes": int,
            },
            "growth": {"strategy": str, "messages_before": int, "bytes": int},
        },
        at_most=(("errors", "messages"), ("bursts", "messages")),
    ),
    "risk": Shape(
        fields={"distributions": str, "bursts": str, "messages_per_day": int},
        rows={
            "rows": {
                "strategy": str,
                "runs": int,
                "messages": int,
                "lost": int,
                "doubled": int,
                "lost_squared": int,
                "lost_times_messages": int,
                "doubled_squared": int,
                "doubled_times_messages": int,
                "messages_squared": int,
            }
        },
        at_most=(("lost", "messages"), ("doubled", "messages"), ("runs", "messages")),
    ),
    "retry_ttl_grid": Shape(
        rows={
            "attempts": {
                "strategy": str,
                "failure": str,
                "hand_overs_s": Each(float),
                "deliveries_s": Each(float),
                "effects": int,
                "lost": bool,
                "dead_lettered": bool,
            },
            "loss": {
                "strategy": str,
                "outage_s": int,
                "buffer_ttl_s": int,
                "processor_s": int,
                "runs": int,
                "lost": int,
            },
        },
        at_most=(("lost", "runs"),),
    ),
    "load": Shape(
        fields={
            "machine": {"cores": Maybe(int), "server": str},
            "settings": {
                "workload": str,
                "rate_per_s": float,
                "seconds": float,
                "processes": int,
                "scale": float,
                "chaos": bool,
            },
            "ratios": Maybe(Each(Each(Each(Maybe(float))))),
            "micro": Maybe({"usec_per_add_by_length": Each(Each(float, least=1))}),
        },
        rows={
            "rows": {
                "strategy": str,
                "rounds": int,
                "sent": int,
                "accepted": int,
                "repeated_calls": int,
                "batches": int,
                "messages_per_batch": Maybe(float),
                "add_ms": _PERCENTILES,
                "answer_beyond_window_ms": _PERCENTILES,
                "errors_total": int,
                "violations": Each(int),
                "violations_total": int,
                "lost": int,
                "doubled": int,
                "faults": Each(int),
                "service_cpu_us_per_message": float,
                "redis": Maybe(
                    {
                        "requests_per_message": float,
                        "commands_per_message": float,
                        "bytes_in_per_message": float,
                        "bytes_out_per_message": float,
                        "cpu_us_per_message": float,
                    }
                ),
            }
        },
        at_most=(("lost", "accepted"), ("doubled", "accepted"), ("accepted", "sent")),
    ),
    "find": Shape(
        fields={"cap": int},
        rows={"rows": {"bug": str, "policy": str, "median_runs": float, "found": int, "of": int}},
        at_most=(("found", "of"),),
    ),
    "campaign": Shape(
        fields={
            "seed": int,
            "runs": int,
            "completed": int,
            "messages": int,
            "rounds": int,
            "sittings": int,
            "coverage": int,
            "growth": Each(Each(int, least=2)),
            "faults": Each(int),
            "policies": Each({"policy": str, "runs": int}),
        },
        rows={
            "strategies": {
                "strategy": str,
                "runs": int,
                "completed": int,
                "messages": int,
                "coverage": int,
                "violations": Each(int),
                "failures": int,
                "new": int,
            },
            "failures": {
                "strategy": str,
                "scenario": str,
                "invariant": str,
                "cause": Maybe(str),
                "explanation": str,
                "events": Maybe(int),
                "folded": int,
                "new": bool,
                "trace": Maybe(str),
            },
        },
        at_most=(("completed", "runs"), ("new", "failures")),
    ),
    "capacity": Shape(
        fields={
            "load": {"command": str, "machine": {"server": str}},
            "platform": {"instances": int, "hop_seconds": Maybe(float), "cold_start_seconds": float},
            "prices": dict,
        },
        rows={
            "rows": {
                "strategy": str,
                "messages_a_day": int,
                "redis_requests_per_message": float,
                "function_seconds_per_message": float,
                "cost_a_day": {
                    "total": float,
                    "invocations": float,
                    "function_seconds": float,
                    "redis_requests": float,
                },
                "busiest_hour": {"server_busy_share": float, "instances_most": int, "add_ms": dict, "answer_ms": dict},
                "saturation": {"first": str, "messages_a_day": float, "by_server": float, "by_functions": float},
            },
            "checks": {
                "strategy": str,
                "rate_per_s": float,
                "command": str,
                "redis_requests_per_message": _PAIR,
                "server_busy_share": _PAIR,
                "messages_per_batch": _PAIR,
                "add_ms_p50": _PAIR,
            },
        },
    ),
    "bench": Shape(fields={"figures": dict}),
    "conformance": Shape(
        fields={
            "steps": int,
            "discarded": int,
            "commands": Each(int),
            "known_differences_met": Each(int),
            "unknown_difference": Maybe(str),
            "versions": {"server": str},
        }
    ),
}


def problem_of(kind: str, document: Mapping[str, Any]) -> str | None:
    """What is wrong with a document of this kind, in a few words; None if nothing is."""
    return problem_with(document, KINDS[kind])
