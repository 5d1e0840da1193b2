"""Faults keep to their budget, their kinds and their time; and all kinds do strike."""

from collections import Counter

import pytest

from engine.buffer.catalogue import load_strategy
from engine.exploration import RandomWalk, Scheduler, Timed
from engine.simulation.case import DAGGER_FAULTS, FAULTS
from engine.simulation.world import World
from tests.simulation.steering import case_of, events, sending

SENDINGS = (sending(0, "a"), sending(7_600, "b"), sending(8_200, "c"))


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Timed, RandomWalk])
@pytest.mark.parametrize("strategy", ["lua", "lease"])
def test_no_run_has_more_faults_than_its_budget_nor_one_after_it_healed(
    policy: type[Timed] | type[RandomWalk], strategy: str
) -> None:
    case = case_of(
        *SENDINGS, functions=3, faults=FAULTS, fault_budget=3, fault_rate=0.2, heal_ms=20_000, provider_retries=1
    )
    scheduler: Scheduler = policy("budget")
    seen: Counter[int] = Counter()
    for number in range(6):
        scheduler.new_run(number)
        history = World(case, load_strategy(strategy), scheduler).run()
        faults = events(history, "fault")
        healed = next(index for index, event in enumerate(history) if event["event"] == "healed")
        assert all(event["event"] != "fault" for event in history[healed:])
        assert all(event["t"] < 20_000 for event in faults)
        assert history[-1]["completed"], history[-1]
        seen[len(faults)] += 1
    assert max(seen) == 3


@pytest.mark.parametrize("policy", [Timed, RandomWalk])
def test_every_kind_of_fault_strikes(policy: type[Timed] | type[RandomWalk]) -> None:
    kinds = (*FAULTS, *DAGGER_FAULTS)
    seen: set[str] = set()
    scheduler: Scheduler = policy("kinds")
    for number in range(3 * len(kinds)):
        case = case_of(
            *SENDINGS, functions=3, faults=(kinds[number % len(kinds)],), fault_budget=3, fault_rate=0.5, heal_ms=90_000
        )
        scheduler.new_run(number)
        history = World(case, load_strategy("lock"), scheduler).run()
        seen |= {event["kind"] for event in events(history, "fault")}
    assert seen == set(kinds)
