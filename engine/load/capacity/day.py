"""Traffic: bursts of messages over a day, whose hours have the shares of a stated profile."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from engine.load.workload import Offsets

#: The share of a day's messages in each hour, from midnight: quiet nights, a peak at noon and a higher one in the evening. An
#: assumption, not a measurement: give your own with --profile.
PROFILE = (
    *(0.015, 0.009, 0.006, 0.004, 0.004, 0.007, 0.015, 0.029, 0.045, 0.055, 0.060, 0.064),
    *(0.066, 0.060, 0.055, 0.053, 0.054, 0.060, 0.068, 0.075, 0.073, 0.060, 0.040, 0.023),
)  # fmt: skip
#: So many messages of an hour are simulated, if it has as many, and so many seconds of it at least.
MESSAGES_AN_HOUR = 400
SECONDS_LEAST = 60


@dataclass(frozen=True, slots=True)
class Burst:
    """One person's messages: when the first comes (seconds) and how long after it the others (seconds, from 0)."""

    at_seconds: float
    after_seconds: tuple[float, ...]


@dataclass(frozen=True)
class Slice:
    """A part of an hour that stands for all of it."""

    hour: int
    rate_per_s: float
    seconds: float
    bursts: tuple[Burst, ...]


def day(messages: float, offsets: Offsets, profile: tuple[float, ...], seed: str, scale: float = 1) -> Iterator[Slice]:
    """A day's hours as slices, each with its own bursts: the busiest hours have the shortest slices."""
    for hour, share in enumerate(profile):
        rate = messages * share / 3_600
        seconds = min(3_600.0, max(SECONDS_LEAST, MESSAGES_AN_HOUR / rate))
        yield part(rate, seconds, offsets, f"{seed}/{hour}", scale=scale, hour=hour)


def part(rate: float, seconds: float, offsets: Offsets, seed: str, *, scale: float = 1, hour: int = 0) -> Slice:
    """Bursts begun by a Poisson process, so that `rate` messages a second come on the average."""
    rng = random.Random(seed)
    size = sum(len(offsets(rng)) for _ in range(2_000)) / 2_000
    bursts = []
    at = rng.expovariate(rate / size)
    while at < seconds:
        bursts.append(Burst(at, tuple(offset_ms * scale / 1_000 for offset_ms in offsets(rng))))
        at += rng.expovariate(rate / size)
    return Slice(hour, rate, seconds, tuple(bursts))
