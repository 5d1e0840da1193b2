"""The tree of all runs of one case, and a walk through it that takes each branch once.

A node is a question that a run asks: which of these steps is next, or which number. A run goes down the tree by a stack of
answers, and beyond it by first answers (the longest waiting step; the default number). The next run goes back to the deepest
node at which something is left to try. The numbers of a step belong to it (`engine.exploration.independence` says why), and all
their values are tried; where a number's range is long, a length of time, its usual value stands for it, and the proof says so.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.exploration.scheduler import EVERYTHING, Abandoned, Draw, Footprint, Pending

#: A number with more values than this is a length of time or the like, and is tried at its usual value.
VALUES_MAX = 40

Answers = tuple[tuple[str, int], ...]
"""The numbers of one step: what tells it from the same step with other numbers."""


class Diverged(Exception):
    """A run under the same answers asked another question than before: it is no function of its choices."""


@dataclass(slots=True)
class NumberNode:
    """A number that a run asks for: the value that is tried, and those that are left."""

    key: str
    value: int
    left: list[int]


@dataclass(slots=True)
class StepNode:
    """Which step is next: those that could be, by identity, and the one that is tried."""

    pending: list[int]
    chosen: int = 0
    #: Deviations from "the longest waiting one is next" on the way here, where a policy bounds them.
    cost: int = 0
    #: Steps that are to be tried here, and those that were.
    planned: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    #: What the chosen step touched, by its answers.
    variants: dict[Answers, Footprint] = field(default_factory=dict)
    #: Steps that need not be tried, as another branch has shown what they lead to.
    asleep: dict[int, "Asleep"] = field(default_factory=dict)


@dataclass(slots=True)
class Asleep:
    """A step that was tried in a branch that is finished, and what it touched there, by its answers."""

    known: dict[Answers, Footprint]
    sleeping: set[Answers]

    @property
    def fully(self) -> bool:
        """Whether it sleeps with all its answers."""
        return len(self.sleeping) == len(self.known)

    def repeats(self, answers: Answers) -> bool:
        """Whether all that is known to begin with these answers sleeps, and there is some."""
        size = len(answers)
        known = [each for each in self.known if each[:size] == answers]
        return bool(known) and all(each in self.sleeping for each in known)


@dataclass(slots=True)
class Event:
    """A step that has happened in this run. A step in time has no node (its place is -1)."""

    place: int
    identity: int
    answers: Answers
    footprint: Footprint
    disabled: tuple[int, ...]


class TreeWalk(ABC):
    """A scheduler that goes through the tree of one case. A subclass says which steps are tried at a node."""

    stepped = True

    def __init__(self) -> None:
        self.stack: list[NumberNode | StepNode] = []
        self.events: list[Event] = []
        self.runs = 0
        #: Runs that went to their end, and runs that were given up, as they would have repeated another.
        self.complete = 0
        self.blocked = 0
        self.finished = False
        #: Whether a number with a long range was met, so that not all its values were tried.
        self.shortened = False
        self._place = 0
        self._node = -1
        self._fresh = 0
        self._abandoned = False
        self._diverged: str | None = None

    # -- the scheduler -------------------------------------------------------------------------------------------------

    def new_run(self, run: int) -> bool:
        """Begin the next run, whatever its number. False: all has been tried."""
        if self.runs and not self.finished:
            self.finished = not self._next_branch()
        if self.finished:
            return False
        self.runs += 1
        self.events = []
        self._place, self._node, self._abandoned = 0, -1, False
        return True

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The step that the stack says; beyond it, the first that is to be tried. Raises `Abandoned`."""
        pending = [step.identity for step in steps]
        if self._place < len(self.stack):
            node = self.stack[self._place]
            if not isinstance(node, StepNode) or node.pending != pending:
                raise Diverged(f"other steps than before are pending: {', '.join(step.name for step in steps)}")
        else:
            node = StepNode(pending)
            if not self.choose(node):
                self._abandoned = True
                raise Abandoned
            self.stack.append(node)
        self._node = self._place
        self._place += 1
        return pending.index(node.chosen)

    def number(self, draw: Draw) -> int:
        """The number that the stack says; beyond it, the first that is to be tried."""
        if self._place < len(self.stack):
            node = self.stack[self._place]
            if not isinstance(node, NumberNode) or node.key != draw.key:
                # Said when the step is over: an exception here would end in some task of the program's.
                self._diverged = self._diverged or f"{draw.key} was not asked here before"
                return draw.default
        else:
            values = self._values(draw)
            node = NumberNode(draw.key, values[0], values[1:])
            self.stack.append(node)
        self._place += 1
        return node.value

    def _values(self, draw: Draw) -> list[int]:
        """The values to try, the default first; none that would only repeat what another branch has shown."""
        if draw.high - draw.low >= VALUES_MAX:
            self.shortened = True
            values = []
        else:
            values = list(range(draw.low, draw.high + 1))
        values = [draw.default, *(value for value in values if value != draw.default)]
        node = self.stack[self._node] if self._node >= 0 else None
        asleep = node.asleep.get(node.chosen) if isinstance(node, StepNode) else None
        if asleep is None:
            return values
        before = self._answers()
        return [value for value in values if not asleep.repeats((*before, (draw.key, value)))] or values

    def _answers(self) -> Answers:
        nodes = self.stack[self._node + 1 : self._place]
        return tuple((node.key, node.value) for node in nodes if isinstance(node, NumberNode))

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """Note what the step touched. Raises `Abandoned` if it has only repeated another branch."""
        if self._diverged is not None:
            raise Diverged(self._diverged)
        if step.kind == "time":
            self.events.append(Event(-1, step.identity, (), EVERYTHING, ()))
            self._node = -1
            return
        node = self.stack[self._node]
        assert isinstance(node, StepNode)
        answers = self._answers()
        node.variants[answers] = footprint
        self.events.append(Event(self._node, step.identity, answers, footprint, tuple(disabled)))
        asleep = node.asleep.get(node.chosen)
        self._node = -1  # what the world asks before the next step belongs to the step in time
        if asleep is not None and answers in asleep.sleeping:
            self._abandoned = True
            raise Abandoned

    def end_run(self) -> None:
        """Count the run, and learn from it."""
        if self._abandoned:
            self.blocked += 1
        else:
            self.complete += 1
        self.learn(self._fresh)

    def _next_branch(self) -> bool:
        """Go back to the deepest node with something left to try, and try it. False: there is none."""
        while self.stack:
            node = self.stack[-1]
            if isinstance(node, NumberNode):
                if node.left:
                    node.value = node.left.pop(0)
                    break
            elif self.choose_again(node):
                break
            self.stack.pop()
        # The step to which the changed answer belongs, and all after it, are new in the next run.
        changed = len(self.stack) - 1
        while changed > 0 and isinstance(self.stack[changed], NumberNode):
            changed -= 1
        self._fresh = changed
        return bool(self.stack)

    # -- for a subclass ------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether all was tried."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many classes there are, or were tried so far."""

    @abstractmethod
    def choose(self, node: StepNode) -> bool:
        """Choose what a new node takes first. False: nothing, the run is given up."""

    @abstractmethod
    def choose_again(self, node: StepNode) -> bool:
        """All that begins with the chosen step is done: choose another. False: there is none."""

    def learn(self, fresh: int) -> None:
        """A run is over, in which the nodes from place `fresh` on are new."""
