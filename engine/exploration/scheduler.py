"""Who chooses: the one protocol behind which every source of choices stands, and the record of what was chosen.

A run asks two kinds of question: *which of these pending steps is next* and *which number in this range*. Every
question has a key that is stable from run to run (`hop f1 GET#2`) and a default, which reads "in order, no fault, the
shortest way". A schedule is therefore written down as the choices that deviate from the default; a replay gives them
back by key, and a shrinker takes them away one by one.

A policy that wants to learn (`Observer`) is told what each step really touched, and when a run is over.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

Access = tuple[str, str, bool]
"""One thing that a step touched: its room (`redis`, `function`, …), which one ("" is all of the room), and whether it wrote."""

Footprint = frozenset[Access]
"""All that a step really touched, plain values. A step in time is `EVERYTHING`."""

EVERYTHING: Footprint = frozenset({("", "", True)})


class Draw(NamedTuple):
    """A question for a number in `low..high`, both included."""

    key: str
    stream: str
    low: int
    high: int
    default: int
    shape: str
    """How `timed` draws it: `uniform`, `log_uniform`, or `rate:P` (anything but the default with probability P)."""
    options: tuple[str, ...] = ()
    """What the numbers from 1 on stand for, where they stand for something: the kinds of a fault."""
    instants_ms: tuple[int, ...] = ()
    """The times that the numbers from 0 on stand for, where they stand for times."""
    base_ms: int = 0
    """How long it takes besides, where the number is how much longer."""
    left: int = 1
    """How many faults may still strike in this run, where the question is whether one does."""


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
        """`hop`, `work`, `timer` or another kind of step; `time` is the step to the next instant."""

    @property
    def identity(self) -> int:
        """Which step of the run it is, by its cause: the same in runs that differ in the order of unrelated steps."""

    @property
    def cause(self) -> int:
        """The identity of the step that made it pending; what it is for a step in time, or before all others, says nothing."""


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


@runtime_checkable
class Observer(Protocol):
    """What a policy may have besides: it is told what happened, and then asked also where only one step is pending."""

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """A step has happened, a step in time included. `disabled` are the pending steps that it kept from happening.

        May raise `Abandoned`.
        """

    def end_run(self) -> None:
        """The run is over, however it ended."""


@functools.lru_cache(maxsize=50)
def _observes(policy: type) -> bool:
    return issubclass(policy, Observer)  # dear to ask: once a policy, not once a run


class Abandoned(BaseException):
    """A policy gives a run up, because it would only repeat what another has shown. Raised where a step is chosen."""


class Choices:
    """Asks a scheduler on behalf of one run, and records what deviates from the defaults."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.observer: Observer | None = scheduler if _observes(type(scheduler)) else None  # type: ignore[assignment]
        self._seen: dict[str, int] = {}
        self.stepped = scheduler.stepped
        self.deviations: dict[str, int] = {}
        self.asked = 0

    def number(
        self,
        stream: str,
        what: str,
        low: int,
        high: int,
        *,
        default: int | None = None,
        shape: str,
        options: tuple[str, ...] = (),
        instants_ms: tuple[int, ...] = (),
        base_ms: int = 0,
        left: int = 1,
    ) -> int:
        """A number in `low..high` for `what`, drawn from the named stream of randomness."""
        if default is None:
            default = low
        if high <= low:
            return low
        count = self._seen.get(what, 0) + 1
        self._seen[what] = count
        key = f"{what}#{count}"
        self.asked += 1
        value = self._scheduler.number(
            Draw(key, stream, low, high, default, shape, options, instants_ms, base_ms, left)
        )
        if value != default:
            self.deviations[key] = value
        return value

    def next_step(self, steps: Sequence[Pending]) -> int:
        """Which of several pending steps is next."""
        if len(steps) == 1:
            if self.observer is not None:
                self._scheduler.next_step(steps)
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
