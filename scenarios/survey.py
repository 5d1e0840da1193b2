"""The survey behind the reviewed file: all built-in strategies through all scenarios, seed 0, nothing shrunk.

The main job's scenarios are run in full, the others 40 times.

    python -m scenarios.survey > known_verdicts.json

The test of the known verdicts makes the same survey and compares; a difference is looked at by a person before it is written.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from scenarios.batch import Plan
from scenarios.catalogue import SCENARIOS
from scenarios.expectations import written_down
from scenarios.result import result_document
from scenarios.verify import pool_of, run_all

#: Runs in a scenario that is not of the main job: enough for what is certain, few enough for every `make test`.
SURVEY_RUNS = 40


#: Those with a few small cases are for exhaustive search.
SAMPLED_SCENARIOS = tuple(name for name, each in SCENARIOS.items() if each.cases is None)


def survey(
    strategies: Sequence[str] = tuple(BUILT_IN), scenarios: Sequence[str] = SAMPLED_SCENARIOS, jobs: int | None = None
) -> list[dict[str, Any]]:
    """The verdict rows of all these strategies in all these scenarios."""
    wanted = {
        Plan(strategy=strategy, scenario=scenario, policy="portfolio", seed=0): _runs(scenario)
        for strategy in strategies
        for scenario in scenarios
    }
    with pool_of(jobs) as pool:
        tallies = run_all(pool, wanted, None, None)
    rows: list[dict[str, Any]] = result_document(tallies, {}, seed=0, elapsed_s=1, settings={})["rows"]
    return rows


def _runs(scenario: str) -> int:
    each = SCENARIOS[scenario]
    return each.runs if each.main else min(each.runs, SURVEY_RUNS)


if __name__ == "__main__":
    json.dump(written_down(survey()), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
