"""The reviewed verdicts: the day the harness stops finding a known violation, or finds a new one, this fails."""

import os
from functools import cache

import pytest

from engine.buffer.catalogue import BUILT_IN
from scenarios.batch import Plan, Tally, run_batch
from scenarios.expectations import certain, compare, known_verdicts
from scenarios.survey import SAMPLED_SCENARIOS, survey, survey_runs

#: Runs at a time: as many as have one case under a directed policy.
BATCH = 5
#: Runs at least: two groups where a violation would be news. More only until all that is certain was found.
RUNS_LEAST = {"lease": 2 * BATCH}


@cache
def surveyed(strategy: str, scenario: str) -> Tally:
    """The runs of the survey, as far as it takes to find what is certain."""
    plan = Plan(strategy=strategy, scenario=scenario, policy="portfolio", seed=0)
    tally, runs = Tally(), survey_runs(scenario)
    for start in range(0, runs, BATCH):
        tally.merge(run_batch(plan, start, min(start + BATCH, runs)))
        if start + BATCH >= RUNS_LEAST.get(strategy, BATCH) and not any(not_found(tally, strategy, scenario)):
            break
    return tally


def not_found(tally: Tally, strategy: str, scenario: str) -> tuple[set[str], set[str]]:
    """The invariants and the races that are certain and are not in the tally."""
    invariants, races = certain(strategy, scenario)
    return invariants - set(tally.violations), races - {race for _, race in tally.causes}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SAMPLED_SCENARIOS)
@pytest.mark.parametrize("strategy", BUILT_IN)
def test_what_is_certain_is_found_and_nothing_new(strategy: str, scenario: str) -> None:
    tally = surveyed(strategy, scenario)
    assert set(tally.violations) <= set(known_verdicts().get(strategy, {}).get(scenario, {}))
    invariants, races = not_found(tally, strategy, scenario)
    assert invariants == set()
    # A race that hides here must show where else it is written down.
    for other in SAMPLED_SCENARIOS:
        if races & certain(strategy, other)[1]:
            races = races - {race for _, race in surveyed(strategy, other).causes}
    assert races == set()


@pytest.mark.nightly
def test_the_whole_survey_finds_every_known_violation_and_no_new_one() -> None:
    differences = compare(survey(jobs=min(2, os.cpu_count() or 1)))
    assert [str(difference) for difference in differences] == []
