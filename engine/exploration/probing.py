"""What the directed policies share: a few runs on one case, the first of them a probe that measures what the others aim at.

A group is `GROUP` runs in a row that face the same case. Its first run is the probe: a random walk without faults. It counts
how many steps each actor takes at each instant and how many choices of a next step there are, and it notes the places at which each
kind of fault could strike. The others place their faults by what it noted. A rate per place, as `random` has it, rarely
strikes at the one place in hundreds that matters, and when it does it has often struck beside it as well.

Each kind is chosen with equal probability, then a *context* in which it could strike (`contexts`), then an occurrence of it: hundreds
of ticks that find nothing to do weigh no more than the one moment between a hand-over and its acknowledgement. Aiming by a
measured length is PCT's idea (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
ASPLOS 2010), here for faults too.

What deals with a fault runs only after one. So of the runs after the probe three in five *go on* from an earlier one: the same again
and one fault more, most often in a context that the probe did not have. That is how two crashes come to meet one batch.
"""

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.exploration.contexts import Context, Contexts
from engine.exploration.scheduler import Draw, Footprint, Pending
from engine.exploration.timed import Streams, draw_number

GROUP = 5
#: How often a hop is held, drawn anew for each run: runs in which nothing is held and runs in which much is.
HOLD_RATES = (0.0, 0.05, 0.15, 0.4)
#: How many faults a run aims at; the budget of its case may allow fewer.
AIMS = (1, 1, 2, 2, 3, 3)
#: How often a run goes on from an earlier one of its group; then, how often from the last one, and into a new context.
GO_ON, FROM_LAST, INTO_NEW = 0.6, 0.5, 0.7

Aim = tuple[str, Context, int]
"""A kind of fault, a context, and which of its occurrences."""


class Probe:
    """What the first run of a group measured."""

    def __init__(self) -> None:
        self.choices = 0
        self.steps: Counter[tuple[str, str]] = Counter()
        self.footprints: dict[str, Footprint] = {}


@dataclass
class Tried:
    """One run of a group: what it took its numbers from, and what it met."""

    root: int
    """The number of the run whose streams it has."""
    walks: bool
    hold_rate: float
    struck: list[Aim] = field(default_factory=list)
    #: By kind of fault and context: how often the kind could have struck there.
    places: dict[str, Counter[Context]] = field(default_factory=dict)


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
        self._contexts = Contexts()
        self._aims: set[Aim] = set()
        self._group_runs: list[Tried] = []

    def new_run(self, run: int) -> bool:
        """Begin a run. Raises `ValueError` if the group of this run was not begun with its probe."""
        group, place = divmod(run, GROUP)
        self.streams = Streams(f"{self._seed}/{run}")
        self.probing = place == 0
        if self.probing:
            self._group, self.probe, self._group_runs = group, Probe(), []
        elif self._group != group:
            raise ValueError(f"run {run} belongs to a group that begins with run {group * GROUP}: begin there")
        self.instant = ""
        self.choices = 0
        self._contexts = Contexts()
        self._group_runs.append(self._aimed(run, self.streams["aim"]))
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
        return self.streams["next"].randrange(len(steps)) if self._group_runs[-1].walks else self.pick(steps)

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """Count what happens."""
        if step.kind == "time":
            self.instant = step.name
            return
        self._contexts.took(step, footprint)
        if self.probing:
            self.probe.footprints[step.name] = footprint
            self.probe.steps[self.instant, step.actor] += 1
            self.probe.choices = self.choices

    def end_run(self) -> None:
        """Nothing to do."""

    # -- numbers -------------------------------------------------------------------------------------------------------

    def _aimed(self, run: int, stream: random.Random) -> Tried:
        """What this run aims at."""
        self._aims = set()
        if self.probing:
            return Tried(run, walks=True, hold_rate=HOLD_RATES[1])
        able = [each for each in self._group_runs if each.places and len(each.struck) < max(AIMS)]
        if able and stream.random() < GO_ON:
            return self._going_on(able[-1] if stream.random() < FROM_LAST else stream.choice(able), stream)
        self._aims.update(
            aim_at(self._group_runs[0].places, stream) for _ in range(stream.choice(AIMS)) if self._group_runs[0].places
        )
        return Tried(run, walks=False, hold_rate=stream.choice(HOLD_RATES))

    def _going_on(self, before: Tried, stream: random.Random) -> Tried:
        """The same run again, up to one fault more."""
        known = self._group_runs[0].places
        new = {
            kind: Counter({context: count for context, count in places.items() if context not in known.get(kind, ())})
            for kind, places in before.places.items()
        }
        new = {kind: places for kind, places in new.items() if places}
        into = new if new and stream.random() < INTO_NEW else before.places
        self._aims = {*before.struck, aim_at(into, stream)}
        self.streams = Streams(f"{self._seed}/{before.root}")
        return Tried(before.root, before.walks, before.hold_rate)

    def number(self, draw: Draw) -> int:
        """Uniform over the range, or over its logarithm; faults strike where this run aims."""
        stream = self.streams[draw.stream]
        if draw.options:
            return self._fault(draw)
        if draw.key.startswith("hold ") and draw.key.find("processor") < 0:
            return int(stream.random() < self._group_runs[-1].hold_rate)
        if draw.shape == "log_uniform" and stream.random() < 0.5:
            return stream.randint(draw.low, draw.high)
        return draw_number(stream, draw)

    def _fault(self, draw: Draw) -> int:
        run, context, struck = self._group_runs[-1], self._contexts.of(draw), 0
        for index, kind in enumerate(draw.options, 1):
            # Of each kind by itself: two questions of one context may be about different kinds.
            places = run.places.setdefault(kind, Counter())
            places[context] += 1
            if (kind, context, places[context]) in self._aims:
                struck = index
        if struck:
            kind = draw.options[struck - 1]
            run.struck.append((kind, context, run.places[kind][context]))
        return struck


def aim_at(places: Mapping[str, Counter[Context]], stream: random.Random) -> Aim:
    """A kind of fault, a context in which it could strike, and an occurrence of that, each with equal probability."""
    kind = stream.choice(sorted(places))
    context = stream.choice(list(places[kind]))
    return kind, context, stream.randint(1, places[kind][context])
