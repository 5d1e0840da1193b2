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
        rows={"rows": {"strategy": str, "second_at_ms": int, "runs": int, "lossy_runs": int, "doubling_runs": int}},
        at_most=(("lossy_runs", "runs"), ("doubling_runs", "runs")),
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
            if part in fields and row[part] > row[whole]:
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
