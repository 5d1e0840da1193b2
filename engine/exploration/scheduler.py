"""Who chooses: the one protocol behind which every source of choices stands, and the record of what was chosen.

A run asks two kinds of question: *which of these pending steps is next* and *which number in this range*. Every
question has a key that is stable from run to run (`hop f1 GET#2`) and a default, which reads "in order, no fault, the
shortest way". A schedule is therefore written down as the choices that deviate from the default; a replay gives them
back by key, and a shrinker takes them away one by one.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Draw(NamedTuple):
    """A question for a number in `low..high`, both included."""

    key: str
    stream: str
    low: int
    high: int
    default: int
    shape: str
    """How `timed` draws it: `uniform`, `log_uniform`, or `rate:P` (anything but the default with probability P)."""


class Pending(Protocol):
    """What a policy may know of a step that could be next."""

    @property
    def name(self) -> str:
        """What it is, the same from run to run."""

    @property
    def actor(self) -> str:
        """On whose behalf it happens."""

    @property
    def kind(self) -> str:
        """`hop`, `work`, `timer` or another kind of step."""


class Scheduler(Protocol):
    """A policy. It makes the choices of one run after the other."""

    stepped: bool
    """True: time is a list of instants and `next_step` is asked; False: events happen in time order."""

    def new_run(self, run: int) -> bool:
        """Begin run number `run` (from 0). False: there is nothing left to try."""

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The index of the step to take next; 0 is the default, the step that has waited longest."""

    def number(self, draw: Draw) -> int:
        """A number in the draw's range."""


class Choices:
    """Asks a scheduler on behalf of one run, and records what deviates from the defaults."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._seen: dict[str, int] = {}
        self.stepped = scheduler.stepped
        self.deviations: dict[str, int] = {}
        self.asked = 0

    def number(self, stream: str, what: str, low: int, high: int, *, default: int | None = None, shape: str) -> int:
        """A number in `low..high` for `what`, drawn from the named stream of randomness."""
        if default is None:
            default = low
        if high <= low:
            return low
        count = self._seen.get(what, 0) + 1
        self._seen[what] = count
        key = f"{what}#{count}"
        self.asked += 1
        value = self._scheduler.number(Draw(key, stream, low, high, default, shape))
        if value != default:
            self.deviations[key] = value
        return value

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Which of several pending steps is next."""
        if len(steps) == 1:
            return 0
        count = self._seen.get("next", 0) + 1
        self._seen["next"] = count
        self.asked += 1
        index = self._scheduler.next_step(steps)
        if index:
            self.deviations[f"next#{count}"] = index
        return index


class Replay:
    """Gives recorded deviations back by key, and the default everywhere else.

    A value out of its range (the program or the shrunk case has changed) becomes the nearest that is in it.
    """

    def __init__(self, deviations: Mapping[str, int], *, stepped: bool) -> None:
        self.stepped = stepped
        self._deviations = deviations
        self._steps = 0

    def new_run(self, run: int) -> bool:
        """A replay has one run."""
        self._steps = 0
        return run == 0

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The recorded choice, or the default."""
        self._steps += 1
        return min(self._deviations.get(f"next#{self._steps}", 0), len(steps) - 1)

    def number(self, draw: Draw) -> int:
        """The recorded number, or the default."""
        value = self._deviations.get(draw.key)
        return draw.default if value is None else min(max(value, draw.low), draw.high)
