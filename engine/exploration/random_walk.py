"""The policy `random`: in stepped time, a uniform choice among the steps that could be next."""

from collections.abc import Sequence

from engine.exploration.scheduler import Draw, Pending
from engine.exploration.timed import Timed


class RandomWalk(Timed):
    """Picks uniformly at every point. Rare things (faults, holds) keep their stated rate."""

    stepped = True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Any of them, with equal weight."""
        return self._streams["next"].randrange(len(steps))

    def number(self, draw: Draw) -> int:
        """Uniform over the range, but for what has a rate."""
        if draw.shape.startswith("rate:"):
            return super().number(draw)
        return self._streams[draw.stream].randint(draw.low, draw.high)
