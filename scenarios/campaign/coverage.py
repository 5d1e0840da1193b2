"""What a campaign counts as covered: orders of events that runs have gone through, faults, branches and races.

An order is three events in a row, each by its kind, what it touched and which of the three functions did it: cheap, the
same for all names and texts, and finite, so that it stops growing when a search sees nothing new.
"""

import zlib
from collections.abc import Iterable
from typing import Any

from scenarios.batch import Tally

#: Kinds of events in which two runs can differ; the rest follow from them or are noise (a hop that is sent).
_COUNTED = frozenset(
    {
        "webhook.arrived",
        "webhook.answered",
        "redis.executed",
        "redis.failed",
        "delivery.arrived",
        "delivery.answered",
        "delivery.failed",
        "handover.arrived",
        "handover.joined",
        "handover.repeated",
        "handover.stale",
        "handover.effect",
        "handover.failed",
        "dead_letter",
        "status",
        "fault",
        "function.stopped",
        "function.resumed",
        "key.expired",
        "key.evicted",
        "healed",
    }
)
_BITS = (1 << 62) - 1


class Orders:
    """Collects the orders that histories went through, as numbers that are the same in every process."""

    def __init__(self) -> None:
        self.points: set[int] = set()
        self._tokens: dict[str, int] = {}

    def observe(self, history: list[dict[str, Any]]) -> None:
        """Add one run."""
        before: tuple[int, str] = (0, "")
        last: tuple[int, str] = (0, "")
        for event in history:
            kind = event["event"]
            if kind not in _COUNTED:
                continue
            now = (self._token(kind, event), str(event.get("function") or ""))
            same = (now[1] == last[1]) + 2 * (now[1] == before[1]) + 4 * (last[1] == before[1])
            self.points.add(((before[0] * 0x9E3779B1 + last[0]) * 0x85EBCA77 + now[0] * 8 + same) & _BITS)
            before, last = last, now

    def _token(self, kind: str, event: dict[str, Any]) -> int:
        if kind == "redis.executed":
            args = event["args"]
            script = str(args[1]) if str(args[0]).startswith("EVAL") and len(args) > 1 else ""
            text = f"{args[0]} {script} {_touched(event)} {'error' if event.get('error') else ''}"
        elif kind in ("webhook.answered", "delivery.answered", "status"):
            text = f"{kind} {event['status']}"
        elif kind == "fault":
            text = f"{kind} {event['kind']}"
        else:
            text = kind
        token = self._tokens.get(text)
        if token is None:
            token = self._tokens[text] = zlib.crc32(text.encode("utf-8", "surrogatepass"))
        return token


def _touched(event: dict[str, Any]) -> str:
    keys = event["writes"] or event["reads"]
    if not keys:
        return ""
    key = str(keys[0])
    # What a key is for, without whose it is: `msg_buffer:bot:49…` and `{shard}:…:in_flight:…` alike.
    parts = key.split(":")
    return ("w " if event["writes"] else "r ") + (parts[2] if key.startswith("{") and len(parts) > 2 else parts[0])


def points_of(tally: Tally, orders: Orders) -> list[int]:
    """All points of a batch: its orders, and each fault, branch, race and violation that it met; sorted."""
    named = [
        *(f"fault {kind}" for kind in tally.faults),
        *(f"branch {note}" for note in tally.branches),
        *(f"race {invariant} {cause}" for invariant, cause in tally.causes),
        *(f"violation {invariant}" for invariant in tally.violations),
    ]
    return sorted(orders.points | set(_numbers(named)))


def _numbers(names: Iterable[str]) -> Iterable[int]:
    return ((zlib.crc32(name.encode()) << 30 | zlib.crc32(name[::-1].encode()) >> 2) & _BITS for name in names)
