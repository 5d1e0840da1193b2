"""How cases are drawn: arrivals, texts and data, from one random stream."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from engine.simulation.case import Case, Sending

EDGES_MS = (7_500, 8_000, 8_500)
_DATA: tuple[Any, ...] = (
    None,
    None,
    {"kind": "text"},
    {"tags": [], "n": 1},
    {"id": 2**60 + 1, "list": [], "nothing": None},
)
_WORDS = ("hello", "are you there?", "one more thing", "ok", "and the price?", "thanks", "é ü ñ", "👋🏽")


def case(sendings: Iterable[Sending], **fields: Any) -> Case:
    """A case with few shards, so that a sweep in a simulation costs little."""
    settings = {"SHARDS": 2, **fields.pop("settings", {})}
    return Case(sendings=tuple(sendings), settings=settings, **fields)


def burst(
    rng: random.Random,
    offsets_ms: Sequence[int],
    *,
    start_ms: int = 0,
    first: int = 1,
    instance_name: str = "bot",
    user_phone: str = "4915110000001",
) -> list[Sending]:
    """Messages of one conversation at these offsets, numbered from `first`."""
    return [
        Sending(
            at_ms=start_ms + offset,
            instance_name=instance_name,
            user_phone=user_phone,
            message_id=f"id-{number}",
            text=rng.choice(_WORDS),
            data=rng.choice(_DATA),
            label=f"m{number}",
        )
        for number, offset in enumerate(sorted(offsets_ms), first)
    ]


def near_edge(rng: random.Random) -> int:
    """An offset around the end of the window: half of them within 3 ms of 7.5, 8.0 or 8.5 s."""
    if rng.random() < 0.5:
        return rng.choice(EDGES_MS) + rng.randint(-3, 3)
    return rng.randint(7_400, 8_600)


def on_edge(rng: random.Random) -> int:
    """The same, but a third of them stand exactly on the edge: with what is due then, or with each other."""
    return rng.choice(EDGES_MS) if rng.random() < 1 / 3 else near_edge(rng)


def phone(index: int) -> str:
    """The phone of one of several people."""
    return f"49151100000{index:02d}"
