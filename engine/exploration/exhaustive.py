"""The policy `exhaustive`: every interleaving of one case, depth first, those with few deviations first.

Source of the bounds: M. Emmi, S. Qadeer, Z. Rakamarić, "Delay-Bounded Scheduling" (POPL 2011). The longest waiting step is
next; taking the n-th in its place costs n delays. All runs with no delay are tried, then all with 1, 2 and 3 at most, then all
without a bound. Each bound that is finished is a proof for the runs within it. Numbers cost nothing: all are tried.
"""

from dataclasses import dataclass

from engine.exploration.tree import StepNode, TreeWalk

BOUNDS: tuple[int | None, ...] = (0, 1, 2, 3, None)


@dataclass(frozen=True, slots=True)
class BoundDone:
    """A bound that is finished: so many runs are all there are with so many delays (None: all there are)."""

    delays: int | None
    runs: int


class Exhaustive(TreeWalk):
    """Every step at every node, as far as the bound allows."""

    def __init__(self, bounds: tuple[int | None, ...] = BOUNDS) -> None:
        super().__init__()
        self._bounds = list(bounds)
        self._cut = False
        self._before = 0
        #: The bounds that are finished, in their order.
        self.done: list[BoundDone] = []

    @property
    def exhausted(self) -> bool:
        """Whether every run was tried."""
        return bool(self.done) and self.done[-1].delays is None

    @property
    def classes(self) -> int:
        """How many interleavings the widest finished bound has."""
        return self.done[-1].runs if self.done else 0

    def _next_branch(self) -> bool:
        if super()._next_branch():
            return True
        runs, self._before = self.complete - self._before, self.complete
        # A bound that has cut nothing off is none.
        self.done.append(BoundDone(self._bounds.pop(0) if self._cut else None, runs))
        if self.exhausted or not self._bounds:
            return False
        self._cut = False
        self._fresh = 0
        return True

    def choose(self, node: StepNode) -> bool:
        """The longest waiting one."""
        above = next((each for each in reversed(self.stack) if isinstance(each, StepNode)), None)
        node.cost = 0 if above is None else above.cost + above.pending.index(above.chosen)
        node.chosen = node.pending[0]
        return True

    def choose_again(self, node: StepNode) -> bool:
        """The next one, if there are delays left for it."""
        place = node.pending.index(node.chosen) + 1
        if place == len(node.pending):
            return False
        bound = self._bounds[0]
        if bound is not None and node.cost + place > bound:
            self._cut = True
            return False
        node.chosen = node.pending[place]
        return True
