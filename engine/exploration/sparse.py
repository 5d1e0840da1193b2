"""The policy `sparse`: in order, but for a few deviations drawn at random. Shrinking uses it to look for a simpler failing run.

A failing run of a search deviates at every second point, and what is left after taking away is only a local minimum. In a
scenario that is small already, a run with three deviations fails often enough to be met by drawing some.
"""

from collections.abc import Sequence

from engine.exploration.scheduler import Draw, Pending
from engine.exploration.timed import Streams

#: The chance that a choice deviates, one run after the other.
RATES = (0.05, 0.1, 0.2)


class Sparse:
    """Takes each default but for a few."""

    def __init__(self, seed: str, *, stepped: bool) -> None:
        self.stepped = stepped
        self._seed = seed
        self._rate = RATES[0]
        self._streams = Streams(seed)

    def new_run(self, run: int) -> bool:
        """Each run has its own streams and its rate; there is always another run."""
        self._streams = Streams(f"{self._seed}/{run}")
        self._rate = RATES[run % len(RATES)]
        return True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The first, or now and then another."""
        stream = self._streams["next"]
        return stream.randrange(len(steps)) if stream.random() < self._rate else 0

    def number(self, draw: Draw) -> int:
        """The default, or now and then another: one of the ends as often as one between."""
        stream = self._streams[draw.stream]
        certain = draw.key.startswith("until ")  # asked only where a deviation has been chosen already
        if not certain and stream.random() >= self._rate:
            return draw.default
        return draw.high if stream.random() < 0.5 else stream.randint(draw.low, draw.high)
