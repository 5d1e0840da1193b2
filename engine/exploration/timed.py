"""The policy `timed`: latencies, processor times and faults from stated distributions, events in time order.

Only this policy gives probabilities: every rate in a report comes from it.
"""

import math
import random
from collections.abc import Sequence

from engine.exploration.scheduler import Draw, Pending


class Streams:
    """Named child streams of one seed: one for every part of the world, so that no part disturbs another's draws."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def __getitem__(self, name: str) -> random.Random:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self._seed}/{name}")
        return stream


def draw_number(stream: random.Random, draw: Draw) -> int:
    """A number of the draw's shape."""
    if draw.shape == "log_uniform":
        shift = max(0, 1 - draw.low)  # a logarithm needs a range that starts at 1 or above
        low, high = draw.low + shift, draw.high + shift
        return min(high, int(low * math.exp(stream.random() * math.log((high + 1) / low)))) - shift
    if draw.shape.startswith("rate:"):
        if stream.random() >= float(draw.shape[5:]):
            return draw.default
        value = stream.randint(draw.low, draw.high - 1)
        return value if value < draw.default else value + 1
    return stream.randint(draw.low, draw.high)


class Timed:
    """Draws every number from its stated distribution."""

    stepped = False

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._streams = Streams(seed)

    def new_run(self, run: int) -> bool:
        """Each run has its own streams; there is always another run."""
        self._streams = Streams(f"{self._seed}/{run}")
        return True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Never asked in timed runs: events happen in the order of (time, sequence)."""
        return 0

    def number(self, draw: Draw) -> int:
        """A number of the stated distribution."""
        return draw_number(self._streams[draw.stream], draw)
