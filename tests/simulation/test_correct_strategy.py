"""The harness does not cry wolf: a simple correct design holds in thousands of runs, and one flaw of it is found."""

from pathlib import Path

from engine.verification import Verdict
from scenarios.batch import Plan, Tally, run_batch

ONE_BY_ONE = str(Path(__file__).parents[1] / "strategies" / "one_by_one.py") + ":OneByOne"
SCENARIOS = ("boundary", "burst", "during_processing", "slow_holder", "two_conversations", "next_burst", "real_chat", "retry",
             "webhook_repeats", "hostile_payloads")  # fmt: skip
RUNS = 500


def test_one_by_one_holds_what_it_must_in_5000_runs_and_breaks_buffered() -> None:
    tally = Tally()
    for scenario in SCENARIOS:
        tally.merge(run_batch(Plan(strategy=ONE_BY_ONE, scenario=scenario, policy="portfolio", seed=0), 0, RUNS))
    assert tally.runs == RUNS * len(SCENARIOS) == 5_000
    for invariant in ("no_loss", "no_duplicate", "batch_stable", "isolation", "integrity"):
        assert tally.verdict(invariant) is Verdict.HOLDS, (invariant, tally.found)
    assert tally.verdict("buffered") is Verdict.VIOLATED
