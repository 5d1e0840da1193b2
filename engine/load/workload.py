"""What is sent, and when: a list of arrivals, made beforehand from one seed, so that nothing later can shift it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: The arrivals of one burst: milliseconds after its first message, beginning with 0.
Offsets = Callable[[random.Random], list[int]]

_WORDS = ("hello", "are you there?", "one more thing", "ok", "and the price?", "thanks", "é ü ñ", "👋🏽")
#: The shapes that a script's `cjson` changes are among them: an empty list, an integer beyond 2^53.
_DATA: tuple[Any, ...] = (None, {"kind": "text"}, {"tags": [], "n": 1}, {"id": 2**60 + 1, "nothing": None})


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message, and the instant (seconds after the start) at which it is sent whatever became of the others."""

    at_seconds: float
    instance_name: str
    user_phone: str
    message_id: str
    text: str
    data: Any


def bursts(offsets: Offsets, *, rate: float, seconds: float, scale: float, seed: str) -> list[Arrival]:
    """Bursts of ever new people, begun by a Poisson process, so that `rate` messages a second come on the average.

    Within a burst, times are as `offsets` draws them, times `scale`: the same factor as on the design's own times. What a
    burst would send after the end is left out, so the first and the last seconds have fewer.
    """
    rng = random.Random(seed)
    size = sum(len(offsets(rng)) for _ in range(2_000)) / 2_000
    arrivals: list[Arrival] = []
    for person, begins in enumerate(_poisson(rng, rate / size, seconds)):
        times = [begins + offset_ms * scale / 1_000 for offset_ms in offsets(rng)]
        arrivals += [_message(rng, at, person, number) for number, at in enumerate(times) if at < seconds]
    return sorted(arrivals, key=lambda arrival: (arrival.at_seconds, arrival.message_id))


def poisson(*, rate: float, seconds: float, people: int, seed: str) -> list[Arrival]:
    """Independent messages, `rate` a second on the average, each from one of so many people."""
    rng = random.Random(seed)
    return [_message(rng, at, rng.randrange(people), number) for number, at in enumerate(_poisson(rng, rate, seconds))]


def _poisson(rng: random.Random, rate: float, seconds: float) -> Iterator[float]:
    at = rng.expovariate(rate)
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


def _message(rng: random.Random, at: float, person: int, number: int) -> Arrival:
    return Arrival(at, "load", f"49{person:09d}", f"p{person}-{number}", rng.choice(_WORDS), rng.choice(_DATA))
