"""What a key of the simulated Redis holds, in short, and when its TTL ends: for pictures, not for judging."""

from collections.abc import Iterable
from typing import Any

from engine.simulation.process import EPOCH_MS
from engine.simulation.server import SimDatabase, text

#: Longer values are cut: a page shows many of them.
SHOWN = 400
MEMBERS = 20


def state_of(database: SimDatabase, key: str) -> dict[str, Any]:
    """`value` (short text; None: the key is not there) and `ends_ms` (virtual; None: it has no TTL)."""
    item = next((item for name, item in database._dict.items() if text(name) == key), None)
    if item is None:
        return {"value": None, "ends_ms": None}
    ends = None if item.expireat is None else round(item.expireat * 1000) - EPOCH_MS
    return {"value": _cut(_shown(item.value)), "ends_ms": ends}


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, int | float | str):
        return str(value)
    if hasattr(value, "_byscore"):  # a sorted set: fakeredis' model of one
        return _listed(f"{_shown(member)}: {score:g}" for score, member in value._byscore)
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
