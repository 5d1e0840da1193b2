"""Making a failing run small: first the scenario, then the schedule, as long as the same violation stays."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.buffer.strategy import Strategy
from engine.exploration.shrinking import Budget, BudgetSpent, minimise_list, minimise_mapping, simplest_number
from engine.simulation.case import Case, Sending
from engine.verification import Violation
from scenarios.running import Run, replay_case, same_violation

#: Rounder values to try for a field, in this order.
_SIMPLER_FIELDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("faults", ((),)),
    ("functions", (1, 2)),
    ("processor_failures", ((),)),
    ("endpoint_failures", (0, 1)),
    ("outages_ms", ((),)),
    ("clock_offsets_ms", ((),)),
    ("clock_drifts_ppm", ((),)),
    ("retire_after_ms", (None, 0)),
    ("provider_retries", (0, 1)),
    ("hop_ms", ((1, 1), (1, 100), (1, 600))),
    ("processor_ms", ((1_000, 1_000), (1_000, 5_000), (5_000, 5_000), (30_000, 30_000))),
)


@dataclass
class Counterexample:
    """A failing run, as small as it got."""

    case: Case
    schedule: dict[str, int]
    stepped: bool
    run: Run
    violation: Violation


def shrink(
    case: Case,
    schedule: Mapping[str, int],
    strategy: type[Strategy],
    invariant: str,
    cause: str | None,
    *,
    stepped: bool,
    trials: int,
) -> Counterexample | None:
    """The smallest failing run found within so many trials; None if the run does not fail when it is replayed."""
    run = replay_case(case, strategy, schedule, stepped=stepped)
    violation = same_violation(run.history, invariant, cause)
    if violation is None:
        return None
    best = Counterexample(case, dict(schedule), stepped, run, violation)
    search = _Search(best, strategy, invariant, cause, Budget(trials))
    with contextlib.suppress(BudgetSpent):
        search.go()
    return search.best


class _Search:
    def __init__(
        self, best: Counterexample, strategy: type[Strategy], invariant: str, cause: str | None, budget: Budget
    ) -> None:
        self.best = best
        self._strategy = strategy
        self._invariant = invariant
        self._cause = cause
        self._budget = budget

    def go(self) -> None:
        """Passes, big pieces first, until one changes nothing."""
        while True:
            before = (self.best.case, self.best.schedule)
            self._try(self.best.case, {})
            self._fewer_messages()
            minimise_mapping(self.best.schedule, lambda schedule: self._try(self.best.case, schedule))
            self._simpler_case()
            self._rounder_times()
            self._rounder_choices()
            if (self.best.case, self.best.schedule) == before:
                return

    def _try(self, case: Case, schedule: dict[str, int]) -> bool:
        if (case, schedule) == (self.best.case, self.best.schedule):
            return True
        self._budget.spend()
        run = replay_case(case, self._strategy, schedule, stepped=self.best.stepped)
        violation = same_violation(run.history, self._invariant, self._cause)
        if violation is None:
            return False
        # What was recorded is the schedule: recorded keys that were not asked for any more are gone.
        self.best = Counterexample(case, run.schedule, self.best.stepped, run, violation)
        return True

    def _fewer_messages(self) -> None:
        def fails(sendings: list[Sending]) -> bool:
            return bool(sendings) and self._try(replace(self.best.case, sendings=tuple(sendings)), self.best.schedule)

        minimise_list(self.best.case.sendings, fails)

    def _simpler_case(self) -> None:
        for name, values in _SIMPLER_FIELDS:
            for value in values:
                current = getattr(self.best.case, name)
                if current == value or (isinstance(value, int) and isinstance(current, int) and current <= value):
                    break
                if self._try(replace(self.best.case, **{name: value}), self.best.schedule):
                    break
        for kind in self.best.case.faults:
            fewer = tuple(each for each in self.best.case.faults if each != kind)
            self._try(replace(self.best.case, faults=fewer), self.best.schedule)
        for index, sending in enumerate(self.best.case.sendings):
            for simpler in _simpler_sendings(sending, index):
                self._replace_sending(index, simpler)

    def _rounder_times(self) -> None:
        first = min(sending.at_ms for sending in self.best.case.sendings)
        if first:
            moved = tuple(replace(s, at_ms=s.at_ms - first) for s in self.best.case.sendings)
            self._try(replace(self.best.case, sendings=moved), self.best.schedule)
        for index, sending in enumerate(self.best.case.sendings):
            simplest_number(
                sending.at_ms,
                lambda at_ms, index=index, sending=sending: self._replace_sending(index, replace(sending, at_ms=at_ms)),  # type: ignore[misc]
            )

    def _replace_sending(self, index: int, sending: Sending) -> bool:
        sendings = list(self.best.case.sendings)
        sendings[index] = sending
        return self._try(replace(self.best.case, sendings=tuple(sendings)), self.best.schedule)

    def _rounder_choices(self) -> None:
        for key in list(self.best.schedule):
            if key not in self.best.schedule or key.startswith(
                ("next#", "route", "fault", "which", "how", "hold", "until")
            ):
                continue
            simplest_number(
                self.best.schedule[key],
                lambda value, key=key: self._try(self.best.case, {**self.best.schedule, key: value}),  # type: ignore[misc]
            )


def _simpler_sendings(sending: Sending, index: int) -> Iterator[Sending]:
    if sending.data is not None:
        yield replace(sending, data=None)
    if sending.repeats_ms:
        yield replace(sending, repeats_ms=())
        yield replace(sending, repeats_ms=sending.repeats_ms[:1])
    plain = f"text {index + 1}"
    if sending.text != plain:
        yield replace(sending, text=plain)
