"""The policy `urw`: a walk that is uniform over whole interleavings, not over the next step.

Source: H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury, "Selectively Uniform Concurrency Testing" (ASPLOS 2025). An actor is
chosen with a probability in proportion to the steps that it still has before it: then each interleaving of actors that do not
wait for each other is equally likely, where the plain walk favours those that finish the short ones early. How many steps an
actor has at an instant is measured by the group's probe.
"""

import random
from collections import Counter
from collections.abc import Sequence

from engine.exploration.probing import Probing
from engine.exploration.scheduler import Footprint, Pending


class Urw(Probing):
    """An actor by its remaining steps at this instant; of its pending steps, any."""

    def begin(self, stream: random.Random) -> None:
        """Nothing is taken yet."""
        self._taken: Counter[tuple[str, str]] = Counter()

    def pick(self, steps: Sequence[Pending]) -> int:
        """One of the steps."""
        stream = self.streams["next"]
        places: dict[str, list[int]] = {}
        for place, step in enumerate(steps):
            places.setdefault(step.actor, []).append(place)
        actors = list(places)
        weights = [self._remaining(actor, len(places[actor])) for actor in actors]
        return stream.choice(places[stream.choices(actors, weights)[0]])

    def _remaining(self, actor: str, pending: int) -> int:
        at = (self.instant, actor)
        return max(pending, self.probe.steps[at] - self._taken[at])

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """One step fewer remains."""
        super().took(step, footprint, disabled)
        self._taken[self.instant, step.actor] += 1
