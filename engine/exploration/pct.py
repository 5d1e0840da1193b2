"""The policy `pct`: priorities, lowered at a few random points of a measured length.

Source: S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
Finding Bugs" (ASPLOS 2010). There a program's threads have random priorities, the highest that can goes on, and d - 1 change
points lower the one that is at work, which finds a bug of depth d with probability at least 1/(n k^(d-1)). Here an actor is a
function, the provider or a hand-over at the processor; n and the length k are measured by the group's probe.
"""

import random
from collections.abc import Sequence

from engine.exploration.probing import Probing
from engine.exploration.scheduler import Pending

DEPTHS = (1, 2, 3, 4)


class Pct(Probing):
    """The pending step of the actor with the highest priority; of one actor, the one that has waited longest."""

    def begin(self, stream: random.Random) -> None:
        """New priorities and change points."""
        self._priorities: dict[str, float] = {}
        self._lowest = 0.0
        length = max(1, self.probe.choices)
        depth = stream.choice(DEPTHS)
        self._changes = {stream.randrange(length) + 1 for _ in range(depth - 1)}

    def pick(self, steps: Sequence[Pending]) -> int:
        """The actor with the highest priority, after it was lowered if this is a change point."""
        stream = self.streams["priorities"]
        for step in steps:
            if step.actor not in self._priorities:
                self._priorities[step.actor] = stream.random()
        first = self._highest(steps)
        if self.choices in self._changes:
            self._lowest -= 1
            self._priorities[steps[first].actor] = self._lowest
            first = self._highest(steps)
        return first

    def _highest(self, steps: Sequence[Pending]) -> int:
        return max(range(len(steps)), key=lambda place: (self._priorities[steps[place].actor], -place))
