"""The policy `random`: in stepped time, a uniform choice among the steps that could be next."""

from collections.abc import Sequence

from engine.exploration.scheduler import Draw, Pending
from engine.exploration.timed import Streams, draw_number


class RandomWalk:
    """Picks uniformly at every point. Rare things (faults, holds) keep their stated rate, raised by `boldness`."""

    stepped = True

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._streams = Streams(seed)

    def new_run(self, run: int) -> bool:
        """Each run has its own streams; there is always another run."""
        self._streams = Streams(f"{self._seed}/{run}")
        return True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Any of them, with equal weight."""
        return self._streams["next"].randrange(len(steps))

    def number(self, draw: Draw) -> int:
        """Uniform over the range, but for what has a rate."""
        stream = self._streams[draw.stream]
        return draw_number(stream, draw) if draw.shape.startswith("rate:") else stream.randint(draw.low, draw.high)
