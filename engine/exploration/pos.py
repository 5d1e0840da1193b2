"""The policy `pos`: a random priority for each step, drawn anew for what races with the step just taken.

Source: X. Yuan, J. Yang, R. Gu, "Partial Order Aware Concurrency Sampling" (CAV 2018). Drawing anew only what races makes every
order of conflicting steps likely, where a uniform walk drowns it among orders of steps that have nothing to do with each other.
What a pending step will touch is not known before it happens: it is what a step of that name touched last in the
group's probe; one that was not seen there is taken to race.
"""

import random
from collections.abc import Sequence

from engine.exploration.independence import conflict
from engine.exploration.probing import Probing
from engine.exploration.scheduler import Footprint, Pending


class Pos(Probing):
    """The pending step with the highest priority of its own."""

    def begin(self, stream: random.Random) -> None:
        """No step has a priority yet."""
        self._priorities: dict[int, float] = {}
        self._pending: dict[int, str] = {}

    def pick(self, steps: Sequence[Pending]) -> int:
        """The step with the highest priority."""
        stream = self.streams["priorities"]
        for step in steps:
            if step.identity not in self._priorities:
                self._priorities[step.identity] = stream.random()
        self._pending = {step.identity: step.name for step in steps}
        return max(range(len(steps)), key=lambda place: self._priorities[steps[place].identity])

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """Draw the priorities anew of what races with this step."""
        super().took(step, footprint, disabled)
        for identity, name in self._pending.items():
            seen = self.probe.footprints.get(name)
            if identity != step.identity and (seen is None or conflict(seen, footprint)):
                self._priorities.pop(identity, None)
        self._pending.pop(step.identity, None)
