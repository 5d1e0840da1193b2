"""`verify --seconds`: when the time is up, what was found is still shown, as small as it is by then."""

import pytest

import scenarios
from engine.buffer.errors import UsageError
from scenarios.result import Result
from scenarios.verify import _counterexamples, plans_of, pool_of, run_all

HELD_ROW = {"verdict": "holds", "runs": 9, "applicable_runs": 9}


def test_each_violation_has_its_counterexample_when_the_time_is_up() -> None:
    plans = plans_of(["baseline"], ["boundary", "during_processing"], None, None, None, "portfolio", 0, {})
    with pool_of(1) as pool:
        tallies = run_all(pool, dict.fromkeys(plans, 25), None, None)
        shown = _counterexamples(pool, tallies, False, deadline=0.0, progress=None)
    found = {key for tally in tallies.values() for key in tally.found if key[1] != "loss"}
    assert len(found) >= 3
    assert {(each.found.invariant, each.found.cause) for each in shown} == found
    assert len(shown) == len(found)
    assert all(each.trace.history == each.history for each in shown)


def test_scenarios_that_were_not_run_are_named_and_leave_it_undecided() -> None:
    result = scenarios.verify(["lease"], ["boundary", "burst"], seconds=1e-9, jobs=1)
    assert result.document["not_run"] == ["lease · boundary", "lease · burst"]
    partly = Result({**result.document, "rows": [HELD_ROW], "not_run": ["lease · burst"]}, [])
    assert partly.exit_status == 3
    assert Result({**partly.document, "not_run": []}, []).exit_status == 0


def test_no_run_is_begun_after_the_time() -> None:
    plans = plans_of(["baseline"], ["boundary"], None, None, None, "portfolio", 0, {})
    with pool_of(1) as pool:
        (tally,) = run_all(pool, dict.fromkeys(plans, 25), 0.0, None).values()
    assert tally.runs == 0


def test_a_scenario_that_is_not_for_a_design_is_no_reason_to_be_undecided() -> None:
    mine = "tests/strategies/broken/core.py:Core"
    result = scenarios.verify(strategies=[mine], scenario_names=["mixed_rollout", "quick"], runs=2, seconds=100, jobs=1)
    assert result.document["not_run"] == result.document["cut_short"] == []
    assert result.exit_status == 0
    with pytest.raises(UsageError, match=r"mixed_rollout is not for .*core\.py:Core"):
        scenarios.verify(strategies=[mine], scenario_names=["mixed_rollout"], runs=2, jobs=1)


def test_a_design_that_hangs_was_given_up_and_not_cut_short_by_the_time() -> None:
    hangs = "tests/strategies/broken/naive.py:Spins"
    result = scenarios.verify(strategies=[hangs], scenario_names=["boundary"], runs=25, seconds=100, jobs=1)
    assert result.document["cut_short"] == []
    assert result.exit_status == 3


def test_a_search_that_ended_by_itself_was_not_cut_short() -> None:
    result = scenarios.verify(["lock"], ["small_blank"], explore="dpor", jobs=1, seconds=300)
    assert {row["exhausted"] for row in result.document["rows"]} == {True}
    assert result.document["cut_short"] == []
