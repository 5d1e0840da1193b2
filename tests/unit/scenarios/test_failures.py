"""How many trials the making small of a failure is given."""

from typing import Any

import pytest

from engine.simulation.case import Case
from scenarios.batch import Found, Plan
from scenarios.failures import shrink_found
from scenarios.verify import TRIALS_FULL


@pytest.mark.parametrize(
    ("events", "again", "trials"),
    [(500, False, TRIALS_FULL), (5_000, False, 100), (5_000, True, 20), (1_000_000, True, 5)],
)
def test_where_runs_are_long_or_the_violation_is_shown_elsewhere_there_are_fewer_trials(
    monkeypatch: pytest.MonkeyPatch, events: int, again: bool, trials: int
) -> None:
    given: list[Any] = []
    monkeypatch.setattr("scenarios.failures.shrink", lambda *_, **said: given.append(said["trials"]))
    found = Found("no_loss", None, 0, events, Case(sendings=()), {}, True)
    plan = Plan(strategy="lock", scenario="boundary", policy="timed", seed=0)
    assert shrink_found(plan, found, TRIALS_FULL, again=again) is None
    assert given == [trials]
