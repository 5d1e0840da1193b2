"""What a shape is: which fields a document of a kind must have, of which type; and what is wrong with one that lacks them."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Each:
    """An object, or a list, whose values are all of one kind; of at least so many values."""

    of: "Kind"
    least: int = 0


@dataclass(frozen=True)
class Maybe:
    """What may be null, or not there."""

    of: "Kind"


@dataclass(frozen=True)
class OneOf:
    """One of these texts."""

    names: tuple[str, ...]


#: `str`, `int` (a count: whole and not negative), `float` (a finite number), `bool`, `list`, `dict`, or an object's fields.
Kind = type | Each | Maybe | OneOf | Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """Fields that must be there; lists of rows, with the fields of each row; which count of a row may not exceed which.

    A list of rows has at least one, but for those that `may_be_empty`.
    """

    fields: Mapping[str, Kind] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)
    at_most: tuple[tuple[str, str], ...] = ()
    may_be_empty: frozenset[str] = frozenset({"failures", "checks"})


def problem_with(document: Mapping[str, Any], shape: Shape) -> str | None:
    """What is wrong with a document, in a few words: the first thing; None if nothing is."""
    return next(_problems(document, shape), None)


def _problems(document: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    yield from _missing(document, shape.fields, "")
    for name, row_fields in shape.rows.items():
        rows = document.get(name)
        if not isinstance(rows, list):
            yield f"{name} is missing or no list"
            continue
        if not rows and name not in shape.may_be_empty:
            yield f"{name} is an empty list: nothing was measured"
        for index, row in enumerate(rows):
            where = f"{name}[{index}]"
            if not isinstance(row, Mapping):
                yield f"{where} is no object"
                continue
            yield from _missing(row, row_fields, f"{where}.")
            for part, whole in shape.at_most:
                if part in row_fields and whole in row_fields and row[part] > row[whole]:
                    yield f"{where}.{part} ({row[part]}) is more than {whole} ({row[whole]})"


def _missing(plain: Mapping[str, Any], fields: Mapping[str, Kind], where: str) -> Iterator[str]:
    for name, kind in fields.items():
        if isinstance(kind, Maybe):
            if plain.get(name) is not None:
                yield from _wrong(plain[name], kind.of, f"{where}{name}")
        elif name not in plain:
            yield f"{where}{name} is missing"
        else:
            yield from _wrong(plain[name], kind, f"{where}{name}")


_NAMES = {str: "text", int: "count", float: "number", bool: "true or false", list: "list", dict: "object"}


def _wrong(value: Any, kind: Kind, where: str) -> Iterator[str]:
    if isinstance(kind, Maybe):
        if value is not None:
            yield from _wrong(value, kind.of, where)
    elif isinstance(kind, OneOf):
        if value not in kind.names:
            yield f"{where} is {json.dumps(value)}: there are {', '.join(kind.names)}"
    elif isinstance(kind, Each):
        if not isinstance(value, list | Mapping):
            yield f"{where} is neither list nor object"
            return
        if len(value) < kind.least:
            yield f"{where} has only {len(value)} of at least {kind.least} values"
        for name, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _wrong(each, kind.of, f"{where}[{name}]")
    elif isinstance(kind, Mapping):
        if not isinstance(value, Mapping):
            yield f"{where} is no object"
            return
        yield from _missing(value, kind, f"{where}.")
    elif not _is(value, kind):
        yield f"{where} is no {_NAMES[kind]}"


def _is(value: Any, kind: type) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind)
