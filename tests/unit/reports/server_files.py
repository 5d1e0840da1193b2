"""Result files of real servers, searches, campaigns and models, made by hand, as their writers write them."""

from collections.abc import Callable, Mapping
from typing import Any


def load(strategies: dict[str, int] | None = None, *, chaos: bool = False) -> dict[str, Any]:
    """A load in which each strategy lost so many of a hundred messages."""
    lost = {"lock": 25, "lease": 0} if strategies is None else strategies
    times = {"p50": 5.0, "p90": 9.0, "p99": 20.0, "p99_9": 40.0, "mean": 6.0, "max": 44.0, "count": 100}
    document: dict[str, Any] = {
        "schema": 1,
        "kind": "load",
        "command": "bufferproof load --chaos" if chaos else "bufferproof load --compare",
        "seed": 0,
        "versions": {"python": "3.11"},
        "machine": {"cores": 2, "server": "Valkey 9.1.2"},
        "settings": {
            "workload": "real_chat",
            "rate_per_s": 40.0,
            "seconds": 10.0,
            "processes": 2,
            "scale": 0.1,
            "window_ms": 800.0,
            "processor_ms": [100, 500],
            "chaos": chaos,
            "given": {},
        },
        "rows": [_load_row(name, count, times, chaos) for name, count in lost.items()],
    }
    if not chaos:
        document["ratios"] = {"lease": {"lock": {"add_p99": 0.4, "errors_and_violations": 0.0, "add_p50": None}}}
        document["micro"] = {
            "usec_per_add_by_length": {"lease": {"10": 10.0, "1000": 11.0}, "lua": {"10": 70.0, "1000": 3500.0}}
        }
    return document


def _load_row(strategy: str, lost: int, times: dict[str, Any], chaos: bool) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "rounds": 1,
        "seconds": 10.0,
        "sent": 100,
        "accepted": 100,
        "accepted_per_s": 10.0,
        "repeated_calls": 3,
        "with_effect": 100 - lost,
        "batches": 70,
        "messages_per_batch": 1.4,
        "add_ms": {**times, "p99": 20.0 if strategy == "lease" else 50.0},
        "answer_beyond_window_ms": times,
        "errors": {},
        "errors_total": 0,
        "violations": {"no_loss": lost, "timely": lost} if lost else {},
        "violations_total": 2 * lost,
        "verdicts": {},
        "examples": {},
        "lost": lost,
        "doubled": 0,
        "faults": {"kills": 4, "restarts": 2} if chaos else {},
        "service_cpu_us_per_message": 9_000,
        "redis": None
        if chaos
        else {
            "requests_per_message": 4.4 if strategy == "lease" else 11.8,
            "commands_per_message": 28.0,
            "bytes_in_per_message": 900.0,
            "bytes_out_per_message": 200.0,
            "cpu_us_per_message": 700.0,
            "commandstats": {},
        },
    }


def search(exhausted: bool = True, violations: int = 0) -> dict[str, Any]:
    """A search of `lease` in `small_boundary`."""
    found = f"violated in {violations}" if violations else "no violation"
    proof = f"2 messages, 2 functions: 1,554 classes of interleavings, {'' if exhausted else 'stopped, not '}exhausted"
    row: dict[str, Any] = {
        "strategy": "lease",
        "scenario": "small_boundary",
        "invariant": "no_loss",
        "verdict": "violated" if violations else "holds",
        "runs": 1554,
        "violations": violations,
        "applicable_runs": 1554,
        "trace": None,
        "causes": {},
        "exhausted": exhausted,
        "classes": 1554,
        "proof": f"{proof}, {found}",
    }
    return {"schema": 1, "kind": "results", "seed": 0, "rows": [row]}


def find() -> dict[str, Any]:
    """Two bugs, of which `random` finds one in 200 runs and the other in no seed."""
    rows = [
        {"bug": bug, "policy": policy, "median_runs": runs, "found": found, "of": 5, "cap": 1_500, "by_seed": {}}
        for bug, policy, runs, found in (
            ("planted_easy", "random", 200, 5),
            ("planted_easy", "portfolio", 50, 5),
            ("planted_hard", "random", 1_500, 0),
            ("planted_hard", "portfolio", 300, 4),
        )
    ]
    return {"schema": 1, "kind": "find", "command": "python benchmarks/find.py", "cap": 1_500, "rows": rows}


def campaign() -> dict[str, Any]:
    """Six rounds, in which `lock` lost messages and `lease` did not."""
    failure = {
        "identity": "abc",
        "strategy": "lock",
        "scenario": "boundary",
        "invariant": "no_loss",
        "cause": "read_twice",
        "explanation": "m1 waits for ever",
        "events": 9,
        "folded": 2,
        "batches": 3,
        "new": False,
        "new_race": False,
        "trace": "campaign/lock.json",
    }
    common = {
        "runs": 300,
        "completed": 300,
        "messages": 900,
        "commands": 9_000,
        "coverage": 40,
        "races": {},
        "faults": {},
    }
    return {
        "schema": 1,
        "kind": "campaign",
        "command": "bufferproof campaign",
        "seed": 0,
        "runs": 600,
        "completed": 600,
        "messages": 1_800,
        "rounds": 6,
        "sittings": 1,
        "coverage": 100,
        "growth": [[100, 50], [200, 70], [300, 80], [400, 90], [500, 95], [600, 100]],
        "faults": {"crash": 12},
        "policies": [{"policy": "random", "runs": 600}],
        "strategies": [
            {"strategy": "lock", **common, "violations": {"no_loss": 30}, "failures": 1, "new": 0},
            {"strategy": "lease", **common, "violations": {}, "failures": 0, "new": 0},
        ],
        "failures": [failure],
    }


def capacity() -> dict[str, Any]:
    """`lease` at two volumes, and a check that is right in three of four."""
    times = {"p50": 10.0, "p99": 250.0, "mean": 12.0}
    rows = [
        {
            "strategy": "lease",
            "messages_a_day": volume,
            "redis_requests_per_message": 4.0,
            "function_seconds_per_message": 10.0,
            "cost_a_day": {"total": 30.0, "invocations": 1.0, "function_seconds": 20.0, "redis_requests": 9.0},
            "busiest_hour": {"server_busy_share": 0.01, "instances_most": 200, "add_ms": times, "answer_ms": times},
            "saturation": {"first": "functions", "messages_a_day": 4.6e6, "by_server": 85e6, "by_functions": 4.6e6},
        }
        for volume in (10_000, 1_000_000)
    ]
    right = {"predicted": 4.0, "measured": 4.2, "ratio": 0.952, "within": True}
    wrong = {"predicted": 3.0, "measured": 6.0, "ratio": 0.5, "within": False}
    check = {"strategy": "lease", "rate_per_s": 20.0, "command": "bufferproof load --compare --rate 20"}
    return {
        "schema": 1,
        "kind": "capacity",
        "command": "bufferproof capacity",
        "seed": 0,
        "load": {"command": "bufferproof load --compare", "machine": {"cores": 2, "server": "Valkey 9.1.2"}},
        "platform": {"instances": 1_000, "hop_seconds": 0.001, "cold_start_seconds": 0.25},
        "prices": {"per_million_requests": 2.0},
        "rows": rows,
        "checks": [
            {
                **check,
                "redis_requests_per_message": right,
                "server_busy_share": right,
                "messages_per_batch": right,
                "add_ms_p50": wrong,
            }
        ],
    }


def bench() -> dict[str, Any]:
    """A ratio with its rounds, and a number."""
    figures = {"lease": {"whole": {"median": 1.43, "min": 1.4, "max": 1.5}, "commands": 120}}
    return {"schema": 1, "kind": "bench", "name": "overhead", "command": "make bench", "figures": figures}


def conformance() -> dict[str, Any]:
    """A run of the machine that met one known difference."""
    return {
        "schema": 1,
        "kind": "conformance",
        "command": "python -m benchmarks.conformance",
        "seed": 0,
        "versions": {"server": "Valkey 9.1.2"},
        "steps": 20_031,
        "discarded": 7,
        "waits": 3,
        "commands": {"get": 4_000, "evalsha add": 900},
        "known_differences_met": {"empty list": 5},
        "unknown_difference": None,
    }


#: File name → document.
ALL: Mapping[str, Callable[[], dict[str, Any]]] = {
    "load-compare": load,
    "search": search,
    "find": find,
    "campaign": campaign,
    "capacity": capacity,
    "bench": bench,
    "conformance": conformance,
}
