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
and more faults, often in a context that the probe did not have, where there is one. That is how two crashes come to meet one batch.
And what a late command does depends on what it meets: so ends are aimed too, at moments of an earlier run.
"""

import random
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.exploration.aims import Aim, aims_at, more_aims, new_in
from engine.exploration.contexts import Context, Contexts
from engine.exploration.moments import Moments
from engine.exploration.scheduler import Draw, Footprint, Pending
from engine.exploration.timed import Streams, draw_number

GROUP = 5
#: How often a hop is held, drawn anew for each run: runs in which nothing is held and runs in which much is.
HOLD_RATES = (0.0, 0.05, 0.15, 0.4)
#: How often a run goes on from an earlier one of its group; then, how often from the last one, and into a new context.
GO_ON, FROM_LAST, INTO_NEW = 0.6, 0.5, 0.7
#: How often a run that goes on has the same faults, but one of them ends at another time; how often an end is aimed.
OTHER_END, AIMED_END = 0.4, 0.5


class Probe:
    """What the first run of a group measured."""

    def __init__(self) -> None:
        self.choices = 0
        self.budget = 0
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
    contexts: Contexts = field(default_factory=Contexts)
    moments: Moments = field(default_factory=Moments)
    #: By key: how long a fault lasted, or until which of the instants something was held.
    ends: dict[str, int] = field(default_factory=dict)
    #: The keys of those that are ends of faults.
    lasting: list[str] = field(default_factory=list)


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
        self._aims: set[Aim] = set()
        self._moments = Moments()
        self._now_ms = 0
        self._end_stream = self.streams["end"]
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
        self._now_ms = 0
        self._end_stream = self.streams["end"]  # its own, even if the run goes on from another
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
        index = 0
        if len(steps) > 1:
            self.choices += 1
            walks = self._run.walks
            index = self.streams["next"].randrange(len(steps)) if walks else self.pick(steps)
        self._run.contexts.takes(steps[index])
        return index

    def took(self, step: Pending, footprint: Footprint, disabled: Sequence[int]) -> None:
        """Count what happens."""
        if step.kind == "time":
            self.instant = step.name
            self._now_ms = int(step.name.removeprefix("to "))
            return
        did = self._run.contexts.took(step, footprint)
        if did:
            self._run.moments.note(did, self._now_ms)
        if self.probing:
            self.probe.footprints[step.name] = footprint
            self.probe.steps[self.instant, step.actor] += 1
            self.probe.choices = self.choices

    def end_run(self) -> None:
        """Nothing to do."""

    @property
    def _run(self) -> Tried:
        """The run that is being made."""
        return self._group_runs[-1]

    # -- numbers -------------------------------------------------------------------------------------------------------

    def _aimed(self, run: int, stream: random.Random) -> Tried:
        """What this run aims at."""
        self._aims = set()
        if self.probing:
            return Tried(run, walks=True, hold_rate=HOLD_RATES[1])
        self._moments = stream.choice(self._group_runs).moments
        able = [each for each in self._group_runs if each.places and (each.lasting or self._left(each))]
        if able and stream.random() < GO_ON:
            return self._going_on(able[-1] if stream.random() < FROM_LAST else stream.choice(able), stream)
        probe = self._group_runs[0]
        if probe.places:
            self._aims = aims_at(probe.places, probe.contexts.telling, self.probe.budget, stream)
        return Tried(run, walks=False, hold_rate=stream.choice(HOLD_RATES))

    def _left(self, before: Tried) -> int:
        """How many more faults could have struck."""
        return self.probe.budget - len(before.struck)

    def _going_on(self, before: Tried, stream: random.Random) -> Tried:
        """The same run again, up to another fault, or up to the end of one that struck."""
        self._moments = before.moments
        self.streams = Streams(f"{self._seed}/{before.root}")
        again = Tried(before.root, before.walks, before.hold_rate, ends=dict(before.ends))
        if before.lasting and (not self._left(before) or stream.random() < OTHER_END):
            del again.ends[stream.choice(before.lasting)]
            self._aims = set(before.struck)
            return again
        new = new_in(before.places, self._group_runs[0].places)
        into = new if new and stream.random() < INTO_NEW else before.places
        self._aims = more_aims(before.struck, into, before.contexts.telling, self.probe.budget, stream)
        return again

    def number(self, draw: Draw) -> int:
        """Of the draw's shape; faults strike where this run aims, and end when it lets them."""
        stream = self.streams[draw.stream]
        if draw.options:
            return self._fault(draw)
        if draw.key.startswith("hold pause "):
            return 1  # one that is not held is over after a millisecond
        if draw.key.startswith("hold ") and not draw.key.startswith("hold processor "):
            return int(stream.random() < self._run.hold_rate)
        if draw.instants_ms or (draw.stream.startswith("fault/") and draw.shape == "log_uniform"):
            return self._end(draw)
        return any_number(stream, draw)

    def _end(self, draw: Draw) -> int:
        """How long a fault lasts, or until when something is held: as before, or at a moment of an earlier run, or any."""
        ends, stream = self._run.ends, self._end_stream
        if draw.stream.startswith("fault/") or draw.key.startswith("until pause "):
            self._run.lasting.append(draw.key)
        if draw.key not in ends:
            at_ms = None
            if not self.probing and stream.random() < AIMED_END:
                at_ms = self._moments.draw(stream, *self._span(draw))
            if at_ms is None:
                ends[draw.key] = any_number(stream, draw)
            elif draw.instants_ms:
                ends[draw.key] = bisect_left(draw.instants_ms[:-1], at_ms)
            else:
                ends[draw.key] = at_ms - self._now_ms - draw.base_ms
        # A run that goes on may meet another range once it has left the earlier one.
        return min(max(ends[draw.key], draw.low), draw.high)

    def _span(self, draw: Draw) -> tuple[int, int]:
        if draw.instants_ms:
            return draw.instants_ms[0], draw.instants_ms[-1]
        since_ms = self._now_ms + draw.base_ms
        return since_ms + draw.low, since_ms + draw.high

    def _fault(self, draw: Draw) -> int:
        run, context, struck = self._run, self._run.contexts.of(draw), 0
        for index, kind in enumerate(draw.options, 1):
            # Of each kind by itself: two questions of one context may be about different kinds.
            places = run.places.setdefault(kind, Counter())
            places[context] += 1
            if (kind, context, places[context]) in self._aims:
                struck = index
        if self.probing:
            self.probe.budget = draw.left
        if struck:
            kind = draw.options[struck - 1]
            run.struck.append((kind, context, run.places[kind][context]))
        return struck


def any_number(stream: random.Random, draw: Draw) -> int:
    """A number of the draw's shape; half of those whose logarithm is uniform are uniform themselves."""
    if draw.shape == "log_uniform" and stream.random() < 0.5:
        return stream.randint(draw.low, draw.high)
    return draw_number(stream, draw)
