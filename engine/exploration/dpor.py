"""The policy `dpor`: one run of each class of interleavings, by source-set partial-order reduction with sleep sets.

Source: P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Optimal Dynamic Partial Order Reduction" (POPL 2014), algorithm 1. After
each run, every race of it is looked at: two conflicting steps of one instant, with nothing between them that orders them. If the
second could have come first, the node before the first one must try a step with which such a run can begin; one that it tries
already will do. A step that was tried at a node sleeps in the branches beside it for as long as nothing conflicts with it, and a run
in which only sleeping steps are left is given up. So no class is run twice, and some runs are given up.

Three things are added to the paper's algorithm, each in the direction of trying more:

- *Numbers.* A step with other numbers (who gets the call, whether a fault strikes) is another step that happens in its stead. All
  are tried where the step is, and each sleeps by itself: crashing conflicts with more than not crashing does.
- *Steps that keep others from happening* (a cancelled timer, a crashed or paused function's steps): the paper has none. The
  step that is kept from happening never shows in that run, so the race is looked at where it is prevented.
- *Time.* A step in time conflicts with all and is taken when nothing else is left at an instant, so races are within instants.
"""

from collections.abc import Iterator

from engine.exploration.independence import conflict
from engine.exploration.tree import Asleep, Event, StepNode, TreeWalk


class Dpor(TreeWalk):
    """Steps that races have planned, and none that sleeps."""

    @property
    def exhausted(self) -> bool:
        """Whether a run of every class was made."""
        return self.finished

    @property
    def classes(self) -> int:
        """How many classes there are, or were run so far."""
        return self.complete

    # -- which step ----------------------------------------------------------------------------------------------------

    def choose(self, node: StepNode) -> bool:
        """The longest waiting step that is awake. False: all sleep."""
        node.asleep = self._asleep_after(self.events[-1]) if self.events else {}
        awake = [step for step in node.pending if not _sleeps(node, step)]
        if not awake:
            return False
        node.chosen = awake[0]
        node.planned = {node.chosen}
        return True

    def _asleep_after(self, event: Event) -> dict[int, Asleep]:
        """What sleeps after a step: what slept before it or was tried beside it, and does not conflict with it."""
        if event.place < 0:
            return {}
        node = self.stack[event.place]
        assert isinstance(node, StepNode)
        asleep = {}
        for step, each in node.asleep.items():
            if step != event.identity:
                sleeping = {a for a in each.sleeping if not conflict(each.known[a], event.footprint)}
                if sleeping:
                    asleep[step] = Asleep(each.known, sleeping)
        return asleep

    def choose_again(self, node: StepNode) -> bool:
        """Put the step to sleep that was tried, and take another one that is planned and awake."""
        earlier = node.asleep.get(node.chosen)
        known = {**(earlier.known if earlier else {}), **node.variants}
        node.asleep[node.chosen] = Asleep(known, set(known))
        node.tried.add(node.chosen)
        node.variants = {}
        for step in node.pending:
            if step in node.planned and step not in node.tried and not _sleeps(node, step):
                node.chosen = step
                return True
        return False

    # -- races -----------------------------------------------------------------------------------------------------------

    def learn(self, fresh: int) -> None:
        """Plan what the races of this run ask for; those between its older steps were looked at before."""
        for block in self._instants():
            before: list[int] = []  # for each step, the places in the block of those that come before it, as bits
            races: list[tuple[int, int]] = []
            for second, event in enumerate(block):
                ordered = 0
                for first in range(second - 1, -1, -1):
                    if not ordered >> first & 1 and conflict(block[first].footprint, event.footprint):
                        ordered |= before[first] | 1 << first
                        if event.place >= fresh and not _caused(block[first], event):
                            races.append((first, second))
                before.append(ordered)
            for first, second in races:
                self._plan(block, before, first, second)
            for event in block:
                if event.place >= fresh:
                    for step in event.disabled:
                        self._plan_prevented(event, step)

    def _instants(self) -> Iterator[list[Event]]:
        block: list[Event] = []
        for event in self.events:
            if event.place < 0:
                yield block
                block = []
            else:
                block.append(event)
        yield block

    def _plan(self, block: list[Event], before: list[int], first: int, second: int) -> None:
        """Have the node before the first step of a race try a step with which the second can come to be before it.

        The run that is wanted goes on from there with all that does not come after the first step, and then the second.
        """
        wanted = [place for place in range(first + 1, second) if not before[place] >> first & 1] + [second]
        mask = sum(1 << place for place in wanted)
        initials = [block[place] for place in wanted if not before[place] & mask]
        node = self.stack[block[first].place]
        assert isinstance(node, StepNode)
        if any(event.identity in node.planned or _sleeps_with(node, event) for event in initials):
            return
        able = [event.identity for event in initials if event.identity in node.pending]
        node.planned.update(able[:1] or node.pending)

    def _plan_prevented(self, event: Event, step: int) -> None:
        node = self.stack[event.place]
        assert isinstance(node, StepNode)
        if step in node.pending and not _sleeps(node, step):
            node.planned.add(step)


def _sleeps(node: StepNode, step: int) -> bool:
    asleep = node.asleep.get(step)
    return asleep is not None and asleep.fully


def _sleeps_with(node: StepNode, event: Event) -> bool:
    """Whether just this step, with its answers, sleeps."""
    asleep = node.asleep.get(event.identity)
    return asleep is not None and event.answers in asleep.sleeping


def _caused(first: Event, second: Event) -> bool:
    """Whether the first step made the second: then it cannot come later."""
    return ("step", str(second.identity), True) in first.footprint
