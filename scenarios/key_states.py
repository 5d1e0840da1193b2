"""What a key of the simulated Redis holds, in short, which messages, and when its TTL ends: for telling, not for judging."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fakeredis._core import Database

from engine.simulation.process import EPOCH_MS
from engine.simulation.server import text

#: Longer values are cut: a page shows many of them.
SHOWN = 400
MEMBERS = 20


#: Letters, digits, spaces and stops: what JSON, pickle and all their kind leave as it is, and long enough to be no accident.
_PLAIN = re.compile(r"(?=.*[A-Za-z])[\w!?.,;:()-][\w !?.,;:()-]{3,}[\w!?.,;:()-]", re.ASCII)
#: What a message is recognised by in a value: its label, and a pattern.
Signs = Mapping[str, re.Pattern[str]]


def signs_of(messages: Iterable[tuple[str, str]], others: Iterable[str] = ()) -> dict[str, re.Pattern[str]]:
    """For each label and text what its message is recognised by: its text, if no encoding changes it and it is its own.

    One that occurs in another text, or in one of the `others` (ids, names), is no sign. An id is none either: a marker of
    what was received holds it too.
    """
    known = list(messages)
    found = {label: re.compile(rf"{re.escape(text)}(?!\d)") for label, text in known if _PLAIN.fullmatch(text)}
    return {
        label: sign
        for label, sign in found.items()
        if not any(sign.search(text) for other, text in known if other != label)
        and not any(sign.search(text) for text in others)
    }


def state_of(database: Database, key: str, signs: Signs) -> dict[str, Any]:
    """`value` (short text; None: the key is not there), `messages` in it, and `ends_ms` (virtual; None: it has no TTL)."""
    item = next((item for name, item in database._dict.items() if text(name) == key), None)
    if item is None:
        return {"value": None, "ends_ms": None, "messages": []}
    ends = None if item.expireat is None else round(item.expireat * 1000) - EPOCH_MS
    parts = list(_parts(item.value))
    held = [label for label, sign in signs.items() if any(sign.search(part) for part in parts)]
    return {"value": _cut(_shown(item.value)), "ends_ms": ends, "messages": held}


def _parts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, bytes | int | float | str):
        yield _shown(value)
    elif hasattr(value, "_byscore"):
        yield from (_shown(member) for _, member in value._byscore)
    elif hasattr(value, "items"):
        yield from (_shown(part) for pair in value.items() for part in pair)
    elif isinstance(inner := getattr(value, "_values", None), dict):
        yield from (_shown(part) for pair in inner.items() for part in pair)
    elif hasattr(value, "__iter__"):
        yield from (_shown(each) for each in value)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, int | float | str):
        return str(value)
    if hasattr(value, "_byscore"):  # a sorted set: fakeredis' model of one
        return _listed(f"{_shown(member)}: {_score(score)}" for score, member in value._byscore)
    if hasattr(value, "items"):
        return _listed(f"{_shown(name)}: {_shown(each)}" for name, each in value.items())
    if hasattr(value, "_values"):  # a hash or a set, with members that may expire
        inner = value._values
        if isinstance(inner, dict) and any(isinstance(each, bytes) for each in inner.values()):
            return _listed(f"{_shown(name)}: {_shown(each)}" for name, each in inner.items())
        return _listed(_shown(each) for each in inner)
    try:
        return _listed(_shown(each) for each in value)
    except TypeError:
        return f"<{type(value).__name__}>"


def _score(score: Any) -> str:
    return f"{score:g}" if isinstance(score, int | float) else _shown(score)  # that of a place is a text


def _listed(members: Iterable[str]) -> str:
    shown: list[str] = []
    for member in members:
        if len(shown) == MEMBERS:
            shown.append("…")
            break
        shown.append(member)
    return "[" + ", ".join(shown) + "]"


def _cut(value: str) -> str:
    return value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
