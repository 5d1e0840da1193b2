"""The shape of each kind of result file: what must be in it for its figures to be true."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Fields that must be there, with their types; and lists of rows, with the fields that each row must have.

    A type is `str`, `int` (a count: whole and not negative), `float` (a finite number), `bool`, `list` or `dict`.
    `at_most` says which count of a row may not exceed which.
    """

    fields: Mapping[str, type] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, type]] = field(default_factory=dict)
    at_most: tuple[tuple[str, str], ...] = ()


_SHARES: Mapping[str, type] = {"runs": int, "lossy_runs": int, "doubling_runs": int}
_PARTS = (("lossy_runs", "runs"), ("doubling_runs", "runs"))

KINDS: Mapping[str, Shape] = {
    "verify": Shape(
        fields={"seed": int},
        rows={
            "rows": {
                "strategy": str,
                "scenario": str,
                "invariant": str,
                "verdict": str,
                "runs": int,
                "violations": int,
                "applicable_runs": int,
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
                "add_ms": dict,
                "answer_ms": dict,
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
                "hand_overs_s": list,
                "deliveries_s": list,
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
}


def problem_of(kind: str, document: Mapping[str, Any]) -> str | None:
    """What is wrong with a document of this kind, in a few words; None if nothing is."""
    shape = KINDS[kind]
    problem = _missing(document, shape.fields, "")
    for name, row_fields in shape.rows.items():
        rows = document.get(name)
        if problem is None and not isinstance(rows, list):
            problem = f"{name} is missing or no list"
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            problem = problem or _row_problem(row, row_fields, shape.at_most, f"{name}[{index}]")
    return problem


def _row_problem(row: Any, fields: Mapping[str, type], at_most: tuple[tuple[str, str], ...], where: str) -> str | None:
    if not isinstance(row, Mapping):
        return f"{where} is no object"
    problem = _missing(row, fields, f"{where}.")
    if problem is None:
        for part, whole in at_most:
            if part in fields and whole in fields and row[part] > row[whole]:
                return f"{where}.{part} ({row[part]}) is more than {whole} ({row[whole]})"
    return problem


def _missing(plain: Mapping[str, Any], fields: Mapping[str, type], where: str) -> str | None:
    for name, kind in fields.items():
        if name not in plain:
            return f"{where}{name} is missing"
        if not _is(plain[name], kind):
            return f"{where}{name} is no {_NAMES[kind]}"
    return None


_NAMES = {str: "text", int: "count", float: "number", bool: "true or false", list: "list", dict: "object"}


def _is(value: Any, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind)
