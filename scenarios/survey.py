"""The survey behind the reviewed file: all built-in strategies through all scenarios, seed 0, nothing shrunk.

A scenario of the main job is run at most 80 times, another at most 24 times. What an earlier survey saw and this one did not stays
written down as possible.

    python -m scenarios.survey [SCENARIO ...] > known_verdicts.json

The tests of the known verdicts make the same runs, by day as many of them as it takes to find what is certain, and compare; a
difference is looked at by a person before it is written.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from engine.buffer.catalogue import BUILT_IN
from scenarios.batch import Plan
from scenarios.catalogue import SCENARIOS
from scenarios.expectations import known_verdicts, written_down
from scenarios.pool import pool_of
from scenarios.result import result_document
from scenarios.verify import run_all

#: Runs in a scenario of the main job, and in another: enough for what is certain, few enough for every `make test`.
MAIN_RUNS, SURVEY_RUNS = 80, 24
#: One whose race needs the right millisecond.
SELDOM_RUNS = {"cleanup_race": 40}
#: Those with a few small cases are for exhaustive search.
SAMPLED_SCENARIOS = tuple(name for name, each in SCENARIOS.items() if each.cases is None)


def survey(
    strategies: Sequence[str] = tuple(BUILT_IN), scenarios: Sequence[str] = SAMPLED_SCENARIOS, jobs: int | None = None
) -> list[dict[str, Any]]:
    """The verdict rows of all these strategies in all these scenarios."""
    wanted = {
        Plan(strategy=strategy, scenario=scenario, policy="portfolio", seed=0): survey_runs(scenario)
        for strategy in strategies
        for scenario in scenarios
    }
    with pool_of(jobs) as pool:
        tallies = run_all(pool, wanted, None, None)
    rows: list[dict[str, Any]] = result_document(tallies, {}, seed=0, elapsed_s=1, settings={})["rows"]
    return rows


def survey_runs(scenario: str) -> int:
    """How many runs a survey makes in a scenario."""
    each = SCENARIOS[scenario]
    return min(each.runs, SELDOM_RUNS.get(scenario, MAIN_RUNS if each.main else SURVEY_RUNS))


def with_earlier(document: dict[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The document, with what an earlier survey saw and this one did not: it stays written down as possible."""
    for strategy, scenarios in earlier.items():
        for scenario, invariants in scenarios.items():
            now = document["violated"].setdefault(strategy, {}).setdefault(scenario, {})
            for invariant, entry in invariants.items():
                if invariant in now:
                    now[invariant]["races"] = sorted({*now[invariant]["races"], *entry["races"]})
                else:
                    now[invariant] = {**entry, "certain": False, "certain_races": []}
    return document


def main(scenarios: Sequence[str]) -> None:
    """Print the document: these scenarios surveyed anew (none: all), the others as they are written down."""
    known = known_verdicts()
    document = written_down(survey(scenarios=scenarios or SAMPLED_SCENARIOS))
    for strategy, entries in known.items():
        surveyed = {name: entry for name, entry in entries.items() if not scenarios or name in scenarios}
        with_earlier(document, {strategy: surveyed})
        kept = {name: entry for name, entry in entries.items() if name not in surveyed}
        document["violated"].setdefault(strategy, {}).update(kept)
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
