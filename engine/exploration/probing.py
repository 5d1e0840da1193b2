"""What the directed policies share: a few runs on one case, the first of them a probe that measures what the others aim at.

A group is `GROUP` runs in a row that face the same case. Its first run is the probe: a random walk without faults. It counts
how many steps each actor takes at each instant and how many choices of a next step there are, and it notes the places at which each
kind of fault could strike. The others place their faults at some of those places. A rate per place, as `random` has it, rarely
strikes at the one place in hundreds that matters, and when it does it has often struck beside it as well.

Each kind is chosen with equal probability, then a *context* in which it could strike, the two steps before it, then a place of
that context. So hundreds of ticks that find nothing to do, which are all alike, weigh no more than the one moment between a
hand-over and its acknowledgement. Aiming by a measured length is PCT's idea (Burckhardt et al., "A Randomized Scheduler with
Probabilistic Guarantees of Finding Bugs", ASPLOS 2010), here for faults too.
"""

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from engine.exploration.scheduler import Draw, Footprint, Pending
from engine.exploration.timed import Streams, draw_number

GROUP = 5
#: How often a hop is held, drawn anew for each run: runs in which nothing is held and runs in which much is.
HOLD_RATES = (0.0, 0.05, 0.15, 0.4)
#: How many faults a run aims at; the budget of its case may allow fewer.
AIMS = (1, 1, 2, 2, 3, 3)
#: A second fault often matters only soon after the first one: within so many places.
SOON = 12
#: How far from the probe's place a fault may be placed.
SHIFTS = (0, 0, 0, 0, -1, 1, -2, 2, 4)


Context = tuple[str, ...]


class Probe:
    """What the first run of a group measured."""

    def __init__(self) -> None:
        self.choices = 0
        self.steps: Counter[tuple[str, str]] = Counter()
        #: By kind of fault and context: the numbers of the places at which the kind could strike.
        self.places: dict[str, dict[Context, list[int]]] = {}
        self.footprints: dict[str, Footprint] = {}


class Probing(ABC):
    """A policy that measures a case before it aims. A subclass says which step is next."""

    stepped = True

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._group = -1
        self.probe = Probe()
        self.probing = True
        self.streams = Streams(seed)
        self.instant = ""
        self.choices = 0
        self._places: Counter[str] = Counter()
        self._aims: dict[tuple[str, int], bool] = {}
        self._soon: int | None = None
        self._hold_rate = 0.0
        self._recent: Context = ()

    def new_run(self, run: int) -> bool:
        """Begin a run. Raises `ValueError` if the group of this run was not begun with its probe."""
        group, place = divmod(run, GROUP)
        self.streams = Streams(f"{self._seed}/{run}")
        self.probing = place == 0
        if self.probing:
            self._group, self.probe = group, Probe()
        elif self._group != group:
            raise ValueError(f"run {run} belongs to a group that begins with run {group * GROUP}: begin there")
        self.instant = ""
        self.choices = 0
        self._recent = ()
        self._places.clear()
        self._aim(self.streams["aim"])
        self.begin(self.streams["begin"])
        return True

    @abstractmethod
    def begin(self, stream: random.Random) -> None:
        """Draw what this run needs."""

    @abstractmethod
    def pick(self, steps: Sequence[Pending]) -> int:
        """The index of the step to take next, one of two or more."""

    def next_step(self, steps: Sequence[Pending]) -> int:
        """As the subclass says; in a probe, any."""
        if len(steps) == 1:
            return 0
        self.choices += 1
        return self.streams["next"].randrange(len(steps)) if self.probing else self.pick(steps)

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """Count what happens."""
        if step.kind == "time":
            self.instant = step.name
            return
        self.probe.footprints[step.name] = footprint
        self._recent = (*self._recent[-1:], step.name)
        if self.probing:
            self.probe.steps[self.instant, step.actor] += 1
            self.probe.choices = self.choices

    def end_run(self) -> None:
        """Nothing to do."""

    # -- numbers -------------------------------------------------------------------------------------------------------

    def _aim(self, stream: random.Random) -> None:
        self._aims, self._soon = {}, None
        self._hold_rate = HOLD_RATES[1] if self.probing else stream.choice(HOLD_RATES)
        kinds = sorted(self.probe.places)
        if self.probing or not kinds:
            return
        for _ in range(stream.choice(AIMS)):
            kind = stream.choice(kinds)
            contexts = self.probe.places[kind]
            place = stream.choice(contexts[stream.choice(list(contexts))])
            # The order of this run is another one than the probe's, and what a fault causes makes more places.
            self._aims[kind, max(1, place + stream.choice(SHIFTS))] = True

    def number(self, draw: Draw) -> int:
        """Uniform over the range, or over its logarithm; faults strike where this run aims."""
        stream = self.streams[draw.stream]
        if draw.options:
            return self._fault(draw)
        if draw.key.startswith("hold ") and draw.key.find("processor") < 0:
            return int(stream.random() < self._hold_rate)
        if draw.shape == "log_uniform" and stream.random() < 0.5:
            return stream.randint(draw.low, draw.high)
        return draw_number(stream, draw)

    def _fault(self, draw: Draw) -> int:
        struck = 0
        for index, kind in enumerate(draw.options, 1):
            self._places[kind] += 1
            if self._aims.pop((kind, self._places[kind]), False):
                struck = index
        if self.probing:
            for kind in draw.options:
                contexts = self.probe.places.setdefault(kind, {})
                contexts.setdefault((*self._recent, draw.key.partition("#")[0]), []).append(self._places[kind])
            return 0
        stream = self.streams["soon"]
        if self._soon is not None:
            self._soon -= 1
            if self._soon == 0:
                struck, self._soon = stream.randint(1, len(draw.options)), None
        if struck and self._soon is None and stream.random() < 0.3:
            self._soon = stream.randint(1, SOON)
        return struck
