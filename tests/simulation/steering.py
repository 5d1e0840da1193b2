"""Runs whose choices a test makes: everything takes its default but what the test names."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.buffer import Strategy
from engine.exploration import Draw, Pending, Scheduler
from engine.simulation.bounds import Bounds
from engine.simulation.case import Case, Sending
from engine.simulation.world import World

Event = dict[str, Any]


class Steered:
    """Gives the numbers that a test names (`"fault f1 SET key#1"`, or without `#…` for all of them), else defaults."""

    def __init__(self, numbers: Mapping[str, int] | None = None, *, stepped: bool = False) -> None:
        self.stepped = stepped
        self.asked: list[str] = []
        self._numbers = dict(numbers or {})

    def new_run(self, run: int) -> bool:
        """One run."""
        return run == 0

    def next_step(self, steps: Sequence[Pending]) -> int:
        """The step that has waited longest."""
        return 0

    def number(self, draw: Draw) -> int:
        """The named number, kept in its range."""
        self.asked.append(draw.key)
        value = self._numbers.get(draw.key, self._numbers.get(draw.key.rpartition("#")[0], draw.default))
        return min(max(value, draw.low), draw.high)


def sending(at_ms: int = 0, message_id: str = "a", text: str = "hi", **fields: Any) -> Sending:
    """A message, labelled by its id."""
    return Sending(at_ms=at_ms, message_id=message_id, text=text, label=message_id, **fields)


def case_of(*sendings: Sending, **fields: Any) -> Case:
    """A case of these messages, or of one at 0 ms; a single function unless it says otherwise."""
    return Case(sendings=sendings or (sending(),), **{"functions": 1, **fields})


def run(
    strategy: type[Strategy],
    case: Case | None = None,
    numbers: Mapping[str, int] | None = None,
    *,
    scheduler: Scheduler | None = None,
    bounds: Bounds | None = None,
) -> list[Event]:
    """One run's history."""
    scheduler = scheduler or Steered(numbers)
    scheduler.new_run(0)
    return World(case or case_of(), strategy, scheduler, bounds=bounds).run()


def events(history: Sequence[Event], *kinds: str, **fields: Any) -> list[Event]:
    """The events of these kinds that have these fields."""
    return [
        event
        for event in history
        if event["event"] in kinds and all(event.get(name) == value for name, value in fields.items())
    ]


def one(history: Sequence[Event], *kinds: str, **fields: Any) -> Event:
    """The one such event."""
    found = events(history, *kinds, **fields)
    assert len(found) == 1, f"{len(found)} events {kinds} with {fields}"
    return found[0]


def notes(history: Sequence[Event], note: str) -> list[Event]:
    """What the strategy noted under this name."""
    return events(history, "note", note=note)
