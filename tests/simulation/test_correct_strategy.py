"""The harness does not cry wolf: a simple correct design holds in thousands of runs, and one flaw of it is found."""

import os
from pathlib import Path

import pytest

from engine.verification import Verdict
from scenarios.batch import Plan, run_batch

ONE_BY_ONE = str(Path(__file__).parents[1] / "strategies" / "one_by_one.py") + ":OneByOne"
SCENARIOS = ("boundary", "burst", "during_processing", "slow_holder", "two_conversations", "next_burst", "real_chat", "retry",
             "webhook_repeats", "hostile_payloads")  # fmt: skip
#: In each scenario; by night 5,000 in all.
RUNS = 500 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 25


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_by_one_holds_what_it_must_and_breaks_buffered(scenario: str) -> None:
    tally = run_batch(Plan(strategy=ONE_BY_ONE, scenario=scenario, policy="portfolio", seed=0), 0, RUNS)
    assert tally.runs == RUNS
    for invariant in ("no_loss", "no_duplicate", "batch_stable", "isolation", "integrity"):
        assert tally.verdict(invariant) is Verdict.HOLDS, (invariant, tally.found)
    assert tally.verdict("buffered") is Verdict.VIOLATED
