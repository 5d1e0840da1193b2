"""Making a failing run small: first the scenario, then the schedule, as long as the same violation stays.

The aim is a run that is in order everywhere, but for a few deviations that one can name. So the order of steps is turned
into delays by name (`engine.exploration.in_order`), and whole kinds of deviations are taken away before single ones. Where
more than a few remain, the small scenario is searched afresh for a run that needs fewer. Everything is bounded in trials:
the result depends on the run, never on the machine.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from engine.buffer.strategy import Strategy
from engine.exploration.shrinking import Budget, BudgetSpent, minimise_list, simplest_number
from engine.exploration.sparse import Sparse
from engine.simulation.case import Case, Sending
from engine.simulation.setting import settings_of
from engine.verification import Violation
from scenarios.running import Run, same_violation
from scenarios.simpler import (
    SIMPLER_FIELDS,
    Deviations,
    arrival_ms,
    beyond_horizon,
    items_of,
    kind_of_item,
    moments_of,
    only,
    relabelled,
    simpler_sendings,
    with_sending,
)
from scenarios.told import Told, is_duration, kind_of, replayed, tell, tell_in_order

#: A counterexample with so few deviations can be read; one with more is worth a search of its own.
FEW = 3
#: One with more than so many is worth a longer one, so many times the trials once more, if that is not too many events.
MANY, LONGER, LONGER_EVENTS = 4, 2, 500_000
#: Trials together make so many events at most, or nearly: what polls until the settle limit has tens of thousands a run.
EVENTS_MAX, TRIALS_LEAST = 2_000_000, 40


@dataclass
class Counterexample:
    """A failing run, as small as it got."""

    case: Case
    told: Told
    violation: Violation

    @property
    def run(self) -> Run:
        """The run itself."""
        return self.told.run

    @property
    def schedule(self) -> dict[str, int]:
        """The schedule that replays it, exactly."""
        return self.run.schedule

    @property
    def stepped(self) -> bool:
        """In which of the two kinds of time it ran."""
        return self.run.stepped


def shrink(
    case: Case,
    schedule: Mapping[str, int],
    strategy: type[Strategy],
    invariant: str,
    cause: str | None,
    *,
    stepped: bool,
    trials: int,
    until: float | None = None,
) -> Counterexample | None:
    """The smallest failing run found within so many trials; None if the run does not fail when it is replayed.

    `until`, on the monotonic clock, ends the trials sooner: what is small then depends on the machine, and still fails.
    """
    told = replayed(case, strategy, schedule, stepped=stepped)
    violation = same_violation(told.run.history, invariant, cause)
    if violation is None:
        return None
    trials = min(trials, max(TRIALS_LEAST, EVENTS_MAX // len(told.run.history)))
    first = Counterexample(case, told, violation)
    search = _Search(first, strategy, invariant, cause)
    search.go(Budget(trials, until), FEW)
    deviations, events = search.best.told.size
    if deviations > MANY and LONGER * trials * events <= LONGER_EVENTS:
        search.go_slowly(first, Budget(trials, until))
        if search.best.told.size[0] > MANY:
            search.go(Budget(LONGER * trials, until), MANY)
    search.finish()
    return search.best


class _Search:
    def __init__(self, best: Counterexample, strategy: type[Strategy], invariant: str, cause: str | None) -> None:
        self.best = best
        self._strategy = strategy
        self._invariant = invariant
        self._cause = cause
        self._budget = Budget(0)
        self._refused: set[str] = set()
        self._drawn = 0
        #: The times of an incident are what happened: a counterexample with others would be of another one.
        self._recorded = best.case.scenario.startswith("workload:")
        self._horizon_ms = settings_of(strategy, best.case.settings).repeat_horizon_seconds * 1000
        self._late = beyond_horizon(best.case, self._horizon_ms)
        self._deviations: Deviations = (best.told.numbers, best.told.delays)

    def go(self, budget: Budget, enough: int) -> None:
        """Passes, big pieces first, until one changes nothing; then runs drawn afresh, until one has so few deviations."""
        self._budget = budget
        with contextlib.suppress(BudgetSpent):
            if self.best.told.delays and not self._try(self.best.case, self._deviations):
                self._deviations = (self.best.schedule, {})  # its order cannot be said by delays: it stays by position
            self._reduce()
            self._search_afresh(enough)

    def go_slowly(self, first: Counterexample, budget: Budget) -> None:
        """Begin again with a network that is slow everywhere: one fact, where it takes many hops that are late."""
        reached, its = self.best, self._deviations
        self._budget = budget
        longest_ms = first.case.hop_ms[1]
        numbers = {key: value for key, value in first.told.numbers.items() if kind_of(key) in ("fault", "route")}
        with contextlib.suppress(BudgetSpent):
            if self._try(replace(first.case, hop_ms=(longest_ms, longest_ms)), (numbers, {}), stepped=False):
                self._reduce()
        if reached.told.size < self.best.told.size:
            self.best, self._deviations = reached, its

    def _reduce(self) -> None:
        while True:
            before = (self.best.case, self._deviations)
            self._try(self.best.case, ({}, {}))
            self._fewer_messages()
            self._fewer_deviations()
            if not self._recorded:
                self._later_messages()
                self._other_arrivals()
            self._simpler_case()
            if not self._recorded:
                self._rounder_times()
            self._rounder_numbers()
            if (self.best.case, self._deviations) == before:
                return

    def _try(self, case: Case, deviations: Deviations, *, stepped: bool | None = None) -> bool:
        stepped = self.best.stepped if stepped is None else stepped
        key = json.dumps([case.to_json(), *deviations, stepped], sort_keys=True)
        # No design owes anything to a repeat beyond the horizon: a run with one that it did not have shows nothing.
        if key in self._refused or not beyond_horizon(case, self._horizon_ms) <= self._late:
            return False
        self._budget.spend()
        numbers, delays = deviations
        told = tell_in_order(case, self._strategy, numbers, delays, stepped=stepped)
        if self._take(case, told):
            return True
        self._refused.add(key)
        return False

    def _take(self, case: Case, told: Told) -> bool:
        violation = same_violation(told.run.history, self._invariant, self._cause)
        if violation is None:
            return False
        # What was heard is the schedule: what was not asked for any more is gone.
        self.best = Counterexample(case, told, violation)
        self._deviations = (told.numbers, told.delays)
        return True

    def _fewer_deviations(self) -> None:
        """Whole kinds first: a failure seldom needs both holds and faults."""
        for kind in dict.fromkeys(map(kind_of_item, items_of(self._deviations))):
            kept = [item for item in items_of(self._deviations) if kind_of_item(item) != kind]
            if len(kept) < len(items_of(self._deviations)):
                self._try(self.best.case, only(self._deviations, kept))
        everything = self._deviations

        def fails(kept: list[Any]) -> bool:
            return self._try(self.best.case, only(everything, kept))

        minimise_list(items_of(everything), fails)

    def _search_afresh(self, enough: int) -> None:
        """Run the small scenario with a few deviations drawn afresh, as long as the budget lasts, for a run with fewer."""
        reached, its = self.best, self._deviations
        try:
            while reached.told.size[0] > enough:
                self._budget.spend()
                policy = Sparse("shrink", stepped=self._drawn % 2 == 0)
                policy.new_run(self._drawn // 2)
                self._drawn += 1
                told = tell(reached.case, self._strategy, policy)
                if told.size[0] >= 3 * reached.told.size[0] or not self._take(reached.case, told):
                    continue
                self._fewer_deviations()
                if self.best.told.size[0] < reached.told.size[0]:
                    self._reduce()
                    reached, its = self.best, self._deviations
        finally:
            if reached.told.size < self.best.told.size:
                self.best, self._deviations = reached, its

    def _fewer_messages(self) -> None:
        def fails(sendings: list[Sending]) -> bool:
            return bool(sendings) and self._try(replace(self.best.case, sendings=tuple(sendings)), self._deviations)

        minimise_list(self.best.case.sendings, fails)

    def finish(self) -> None:
        """The messages that are left are m1, m2, …: their labels stand in the keys of what the provider does."""
        self._budget = Budget(1)
        self._try(*relabelled(self.best.case, self._deviations))

    def _later_messages(self) -> None:
        """What is late on its way might as well be sent later, which is no deviation."""
        for index, sending in enumerate(self.best.case.sendings):
            numbers, delays = self._deviations
            way = f"provider {sending.label} request#1"
            rest = (
                {key: value for key, value in numbers.items() if not key.endswith(way)},
                {waiting: awaited for waiting, awaited in delays.items() if waiting != way},
            )
            if rest == self._deviations:
                continue
            arrived_ms = arrival_ms(self.best.run.history, sending.label)
            for at_ms in dict.fromkeys((arrived_ms, arrived_ms + 1)):
                if self._try(with_sending(self.best.case, index, replace(sending, at_ms=at_ms)), rest):
                    break

    def _other_arrivals(self) -> None:
        """Where more than a few deviations are left: a message that is sent at the right moment may do without one of them."""
        for index, at_ms in product(range(len(self.best.case.sendings)), moments_of(self.best.run.history)):
            for left_out in items_of(self._deviations):
                if not FEW < self.best.told.size[0] <= 2 * MANY:
                    return
                kept = [item for item in items_of(self._deviations) if item != left_out]
                moved = replace(self.best.case.sendings[index], at_ms=at_ms)
                if self._try(with_sending(self.best.case, index, moved), only(self._deviations, kept)):
                    break

    def _simpler_case(self) -> None:
        for name, values in SIMPLER_FIELDS:
            for value in values:
                current = getattr(self.best.case, name)
                if current == value or (isinstance(value, int) and isinstance(current, int) and current <= value):
                    break
                if self._try(replace(self.best.case, **{name: value}), self._deviations):
                    break
        for kind in self.best.case.faults:
            fewer = tuple(each for each in self.best.case.faults if each != kind)
            self._try(replace(self.best.case, faults=fewer), self._deviations)
        for index, sending in enumerate(self.best.case.sendings):
            for simpler in simpler_sendings(sending, index):
                self._replace_sending(index, simpler)

    def _rounder_times(self) -> None:
        first = min(sending.at_ms for sending in self.best.case.sendings)
        if first:
            moved = tuple(replace(s, at_ms=s.at_ms - first) for s in self.best.case.sendings)
            self._try(replace(self.best.case, sendings=moved), self._deviations)
        for index, sending in enumerate(self.best.case.sendings):
            simplest_number(
                sending.at_ms,
                lambda at_ms, index=index, sending=sending: self._replace_sending(index, replace(sending, at_ms=at_ms)),  # type: ignore[misc]
            )

    def _replace_sending(self, index: int, sending: Sending) -> bool:
        return self._try(with_sending(self.best.case, index, sending), self._deviations)

    def _rounder_numbers(self) -> None:
        """Latencies and lengths; a choice among alternatives has no rounder one."""
        for key in list(self._deviations[0]):
            if key not in self._deviations[0] or not is_duration(key):
                continue
            simplest_number(
                self._deviations[0][key],
                lambda value, key=key: self._try(  # type: ignore[misc]
                    self.best.case, ({**self._deviations[0], key: value}, self._deviations[1])
                ),
            )
