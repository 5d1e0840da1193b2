"""Every known race of `lock` and `lua` is found by `dpor` too, on a case small enough for it."""

import pytest

from engine.exploration import TreeWalk
from scenarios.batch import Plan
from scenarios.expectations import known_verdicts
from scenarios.search import run_slice

#: Strategy, race, small scenario, and after how many complete runs it shows (`benchmarks/races_by_dpor.py`).
FOUND = (
    ("lock", "added_and_fallen_back", "small_lost_reply", 31),
    ("lock", "arrived_during_processing", "small_boundary", 1),
    ("lock", "blank_dropped", "small_blank", 1),
    ("lock", "cleanup_race", "small_cleanup", 23),
    ("lock", "concurrent_adds", "small_unlocked", 1),
    ("lock", "delivery_given_up", "small_refused", 1),
    ("lock", "expired_buffer", "small_ttl", 1),
    ("lock", "failed_and_marked", "small_failure", 2),
    ("lock", "lock_ran_out", "small_stall", 31),
    ("lock", "lost_with_its_function", "small_crash", 6),
    ("lock", "nobody_schedules", "small_rollout", 1),
    ("lock", "one_by_one_after_batch", "small_rollout_late", 1),
    ("lock", "read_error_overwrote", "small_lost_reply", 33),
    ("lock", "read_twice", "small_delivery", 6),
    ("lock", "repeat_not_recognised", "small_repeat", 1),
    ("lock", "shared_key", "small_names", 1),
    ("lock", "sorted_by_skewed_clocks", "small_skew", 3),
    ("lock", "stale_release", "small_given_up", 223),
    ("lock", "unscheduled_after_error", "small_lost_add", 13),
    ("lock", "unmarked_after_error", "small_restart", 45),
    ("lock", "unmarked_behind_add", "small_delivery", 3),
    ("lock", "unmarked_behind_grace_wait", "small_lost_request", 2),
    ("lua", "added_and_fallen_back", "small_slow", 19),
    ("lua", "arrived_during_processing", "small_rollback", 1),
    ("lua", "blank_dropped", "small_blank", 1),
    ("lua", "delivery_given_up", "small_refused", 1),
    ("lua", "expired_buffer", "small_ttl", 1),
    ("lua", "lost_after_claim", "small_failure", 2),
    ("lua", "lost_with_its_function", "small_crash", 11),
    ("lua", "nobody_schedules", "small_burst", 1),
    ("lua", "one_by_one_after_batch", "small_during", 1),
    ("lua", "repeat_not_recognised", "small_repeat", 1),
    ("lua", "shared_key", "small_names", 1),
    ("lua", "sorted_by_skewed_clocks", "small_skew", 3),
    ("lua", "unscheduled_after_error", "small_lost_add", 11),
)


def test_every_known_race_is_looked_for() -> None:
    known = {
        (strategy, race)
        for strategy in ("lock", "lua")
        for scenario in known_verdicts()[strategy].values()
        for entry in scenario.values()
        for race in entry["races"]
    }
    assert known == {(strategy, race) for strategy, race, *_ in FOUND}


@pytest.mark.nightly
@pytest.mark.parametrize(("strategy", "race", "scenario", "runs"), FOUND)
def test_dpor_finds_the_race_on_a_small_case(strategy: str, race: str, scenario: str, runs: int) -> None:
    plan = Plan(strategy=strategy, scenario=scenario, policy="dpor", seed=0)
    walk: TreeWalk | None = None
    races: set[str] = set()
    while race not in races and (walk is None or (not walk.finished and walk.complete <= 2 * runs)):
        tally, walk = run_slice(plan, 0, 0, 5, walk)
        races |= {cause for _, cause in tally.causes}
    assert race in races
