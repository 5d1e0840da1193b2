"""How good counterexamples get: each known race shrinks to a run that one can read, and its last lines say the cause."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from engine.exploration.shrinking import Budget
from engine.simulation.case import Case, Sending
from engine.verification import digest
from reports.timeline import timeline
from scenarios.batch import Found, Plan, run_batch
from scenarios.catalogue import SCENARIOS
from scenarios.exceptions import exceptions
from scenarios.expectations import known_verdicts
from scenarios.running import replay_case
from scenarios.selection import find_strategy
from scenarios.shrink import Counterexample, shrink
from scenarios.simpler import moments_of
from scenarios.verify import TRIALS_FULL

DEVIATIONS_MAX, LINES_MAX, WIDTH_MAX = 4, 20, 120
BATCH, RUNS_MAX = 60, 120

#: The races that the plan's designs are known for: strategy, scenario, invariant, race. The others are for the night.
PLAN = (
    ("baseline", "during_processing", "no_loss", "arrived_during_processing"),
    ("lock", "boundary", "no_loss", "arrived_during_processing"),
    ("lock", "fault_delivery_repeated", "no_loss", "unmarked_behind_grace_wait"),
    ("lock", "boundary", "no_loss", "stale_release"),
    ("lock", "slow_holder", "no_loss", "stale_release"),
    ("lock", "slow_holder", "no_duplicate", "stale_release"),
    ("lua", "burst", "no_loss", "nobody_schedules"),
    ("lua", "retry", "no_loss", "lost_after_claim"),
    ("lua", "retry", "status_true", "lost_after_claim"),
    ("lua", "boundary", "buffered", "one_by_one_after_batch"),
    ("baseline", "two_conversations", "isolation", "shared_key"),
    ("lock", "two_conversations", "isolation", "shared_key"),
    ("lua", "two_conversations", "isolation", "shared_key"),
)


def certain() -> Iterator[tuple[str, str, str, str]]:
    """Every race that is certain to be found, in the first scenario it is written down for: those that `verify` runs first."""
    seen: set[tuple[str, str, str]] = set()
    for strategy in ("baseline", "lock", "lua"):
        known = known_verdicts()[strategy]
        for scenario in sorted(known, key=lambda name: (not SCENARIOS[name].main, name)):
            for invariant, entry in known[scenario].items():
                for race in entry["certain_races"]:
                    # Long runs are no place to look for a short one.
                    if not scenario.startswith("steady") and (strategy, invariant, race) not in seen:
                        seen.add((strategy, invariant, race))
                        yield strategy, scenario, invariant, race


@cache
def found(strategy: str, scenario: str, invariant: str, race: str) -> Found:
    for start in range(0, RUNS_MAX, BATCH):
        tally = run_batch(Plan(strategy=strategy, scenario=scenario, policy="portfolio", seed=0), start, start + BATCH)
        if (invariant, race) in tally.found:
            return tally.found[invariant, race]
    raise AssertionError(f"{race} was not found in {RUNS_MAX} runs")


def shrunk(strategy: str, scenario: str, invariant: str, race: str) -> Counterexample:
    first = found(strategy, scenario, invariant, race)
    small = shrink(
        first.case,
        first.schedule,
        find_strategy(strategy),
        invariant,
        race,
        stepped=first.stepped,
        trials=TRIALS_FULL,
    )
    assert small is not None, "it did not fail when it was replayed"
    return small


def check(strategy: str, scenario: str, invariant: str, race: str) -> None:
    small = shrunk(strategy, scenario, invariant, race)
    clauses = exceptions(small.told)
    shown = timeline(
        small.run.history,
        events=small.violation.events,
        explanation=small.violation.explanation,
        exceptions=clauses,
        trace=f".bufferproof/traces/{strategy}-{scenario}-{race}-{invariant}.json",
    ).splitlines()
    assert small.told.size[0] <= DEVIATIONS_MAX, clauses
    assert len(clauses) <= small.told.size[0]
    assert len(shown) <= LINES_MAX, "\n".join(shown)
    assert max(len(line) for line in shown) <= WIDTH_MAX
    assert re.search(r"\d\.\d{3} s", small.violation.explanation), "the sentence says when"
    again = replay_case(small.case, find_strategy(strategy), small.schedule, stepped=small.stepped)
    assert digest(again.history) == digest(small.run.history), "what is shown is what is replayed"


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "scenario", "invariant", "race"), PLAN)
def test_a_race_of_the_plan_shrinks_to_what_one_can_read(
    strategy: str, scenario: str, invariant: str, race: str
) -> None:
    check(strategy, scenario, invariant, race)


@pytest.mark.nightly
@pytest.mark.parametrize(("strategy", "scenario", "invariant", "race"), list(certain()))
def test_every_certain_race_shrinks_to_what_one_can_read(
    strategy: str, scenario: str, invariant: str, race: str
) -> None:
    check(strategy, scenario, invariant, race)


def test_a_message_that_is_late_on_its_way_is_told_as_sent_later() -> None:
    case = Plan(strategy="lock", scenario="during_processing", policy="timed", seed=0).case(0)
    assert case is not None
    first, second = (replace(case.sendings[0], label=f"m{n}", message_id=f"id-{n}", text=f"text {n}") for n in (1, 2))
    case = replace(case, sendings=(first, replace(second, at_ms=5_000)), hop_ms=(1, 6_000), processor_ms=(5_000, 5_000))
    late = {"provider m2 request#1": 5_000}
    small = shrink(
        case, late, find_strategy("lock"), "no_loss", "arrived_during_processing", stepped=False, trials=TRIALS_FULL
    )
    assert small is not None
    assert (small.told.numbers, small.told.delays) == ({}, {})
    assert [sending.at_ms for sending in small.case.sendings] == [0, 10_000]


@pytest.mark.parametrize(("events_max", "trials"), [(1, 40), (2_000_000, TRIALS_FULL)])
def test_a_run_of_very_many_events_is_shrunk_in_fewer_trials(
    monkeypatch: pytest.MonkeyPatch, events_max: int, trials: int
) -> None:
    given: list[int] = []

    def budget(count: int, until: float | None = None) -> Budget:
        given.append(count)
        return Budget(count, until)

    monkeypatch.setattr("scenarios.shrink.EVENTS_MAX", events_max)
    monkeypatch.setattr("scenarios.shrink.Budget", budget)
    case = Plan(strategy="lock", scenario="small_blank", policy="timed", seed=0).case(0)
    assert case is not None
    assert shrink(case, {}, find_strategy("lock"), "no_loss", "blank_dropped", stepped=True, trials=TRIALS_FULL)
    assert given[:2] == [0, trials]  # none before the search begins


@pytest.mark.parametrize(("sent_ms", "late_ms", "shrunk_ms"), [(10_000, 500, 10_000), (10_500, 1, 11_000)])
def test_a_repeat_is_not_moved_beyond_the_horizon_unless_it_was_there(
    sent_ms: int, late_ms: int, shrunk_ms: int
) -> None:
    one, other = (Sending(at_ms=at_ms, message_id="id", text="text", label=f"m{at_ms}") for at_ms in (0, sent_ms))
    case = Case(
        sendings=(one, other), functions=1, processor_ms=(5_000, 5_000), settings={"REPEAT_HORIZON_SECONDS": 10}
    )
    small = shrink(
        case,
        {f"provider {other.label} request#1": late_ms},
        find_strategy("tests/strategies/broken/dedupe.py:MarkerOfTenSeconds"),
        "no_duplicate",
        "repeat_not_recognised",
        stepped=False,
        trials=TRIALS_FULL,
    )
    assert small is not None
    assert [sending.at_ms for sending in small.case.sendings] == [0, shrunk_ms]


def test_a_run_in_which_nothing_is_ever_written_has_no_moments_to_move_to() -> None:
    assert moments_of([{"t": 0, "event": "start"}, {"t": 5, "event": "redis.executed", "writes": []}]) == []
    written = [{"t": t, "event": "redis.executed", "writes": ["key"]} for t in (0, 3, 500, 505)]
    assert moments_of([*written, {"t": 9_000, "event": "key.expired"}]) == [3, 505, 9_000]


def test_shrinking_twice_gives_the_same() -> None:
    one, other = (shrunk("lua", "burst", "no_loss", "nobody_schedules") for _ in range(2))
    assert (one.case, one.schedule, digest(one.run.history)) == (other.case, other.schedule, digest(other.run.history))


def test_the_times_of_an_incident_stay() -> None:
    case = Plan(strategy="lock", scenario="during_processing", policy="timed", seed=0).case(0)
    assert case is not None
    first, second = (replace(case.sendings[0], label=f"m{n}", message_id=f"id-{n}", text=f"text {n}") for n in (1, 2))
    case = replace(case, sendings=(first, replace(second, at_ms=9_123)), processor_ms=(5_000, 5_000))
    found = []
    for scenario in ("during_processing", "workload:log.jsonl"):
        small = shrink(
            replace(case, scenario=scenario),
            {},
            find_strategy("lock"),
            "no_loss",
            "arrived_during_processing",
            stepped=False,
            trials=TRIALS_FULL,
        )
        assert small is not None
        found.append([sending.at_ms for sending in small.case.sendings])
    assert found == [[0, 9_000], [0, 9_123]]
