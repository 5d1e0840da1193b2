"""Taking away what a failure does not need: delta debugging over lists, mappings and numbers.

Source: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE TSE 28, 2002), with the
order that Hypothesis' shrinker proved: big pieces first, then small ones, until a whole pass changes nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class BudgetSpent(Exception):
    """No more trials: what was reached so far is the result."""


class Budget:
    """How often a candidate may be tried, and, if a time is given on the monotonic clock, until when."""

    def __init__(self, trials: int, until: float | None = None) -> None:
        self.left = trials
        self._until = until

    def spend(self) -> None:
        """One more trial. Raises `BudgetSpent`."""
        if self.left <= 0 or (self._until is not None and time.monotonic() > self._until):
            raise BudgetSpent
        self.left -= 1


def minimise_list(items: Sequence[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """The shortest list found, in order, that still fails: pieces of half the length, a quarter, … one."""
    kept = list(items)
    if kept and fails([]):
        return []
    size = len(kept) // 2
    while size >= 1:
        start = 0
        while start < len(kept):
            candidate = kept[:start] + kept[start + size :]
            if len(candidate) < len(kept) and fails(candidate):
                kept = candidate
            else:
                start += size
        size //= 2
    if len(kept) == 1 and fails([]):
        return []
    return kept


def minimise_mapping(deviations: Mapping[str, int], fails: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    """The fewest deviations found that still fail; all others go back to their default."""
    keys = minimise_list(list(deviations), lambda keys: fails({key: deviations[key] for key in keys}))
    return {key: deviations[key] for key in keys}


def simplest_number(value: int, fails: Callable[[int], bool], grains: Sequence[int] = (1000, 500, 100, 10)) -> int:
    """A rounder number that still fails, or the number itself."""
    for grain in grains:
        if value % grain == 0:
            return value
        for candidate in (value // grain * grain, -(-value // grain) * grain):
            if candidate > 0 and fails(candidate):
                return candidate
    return value
