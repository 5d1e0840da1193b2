"""Which named races `dpor` finds, and after how many runs: each design on the small scenarios, as a table.

    python benchmarks/races_by_dpor.py                          # `lock` and `lua`, at most 300 runs of each small scenario
    python benchmarks/races_by_dpor.py --strategy lock --scenario small_slow --runs 2000

A line is a race of a design: the small scenario that shows it after the fewest runs, how many those were, and the command that
finds it. With `--json` what was searched is kept, and not searched again, so the table can be made in several goes. Below it: the
races that the reviewed file of known verdicts has for the design (found by random runs) and no small scenario has shown.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.exploration import Abandoned, Dpor
from engine.verification import RACE_NAMES, judge
from scenarios.batch import Plan
from scenarios.catalogue import SCENARIOS
from scenarios.expectations import known_verdicts
from scenarios.running import run_case, violations_of
from scenarios.search import search_case
from scenarios.selection import find_strategy

SMALL = [name for name, each in SCENARIOS.items() if each.cases is not None]


def first_runs(strategy: str, scenario: str, runs: int) -> dict[str, Any]:
    """For each race, the number of the first complete run of the search that shows it; and how far the search came."""
    case = search_case(Plan(strategy=strategy, scenario=scenario, policy="dpor", seed=0), 0)
    walk, found = Dpor(), dict[str, int]()
    while case is not None and walk.complete < runs and walk.new_run(walk.runs):
        try:
            run = run_case(case, find_strategy(strategy), walk)
        except Abandoned:
            continue
        for violation in violations_of(judge(run.history)):
            found.setdefault(violation.cause or violation.invariant, walk.complete)
    return {"found": found, "runs": walk.complete, "exhausted": walk.finished or case is None}


def known_races(strategy: str) -> set[str]:
    """The races that the reviewed file of known verdicts has for a design."""
    return {
        race
        for scenario in known_verdicts()[strategy].values()
        for entry in scenario.values()
        for race in entry["races"]
    }


def table(strategies: list[str], searched: dict[str, dict[str, Any]]) -> Table:
    """For each race and design: the small scenario that shows it first."""
    shown = Table("race", "design", "runs", "of", "command: bufferproof verify --explore dpor …")
    for strategy in strategies:
        best: dict[str, tuple[int, str]] = {}
        for key, result in searched.items():
            design, scenario = key.split(" ")
            for race, run in result["found"].items():
                if design == strategy and race in RACE_NAMES and (run, scenario) < best.get(race, (run + 1, "")):
                    best[race] = (run, scenario)
        for race, (run, scenario) in sorted(best.items()):
            result = searched[f"{strategy} {scenario}"]
            of = f"{result['runs']:,}" if result["exhausted"] else f"> {result['runs']:,}"
            shown.add_row(race, strategy, f"{run:,}", of, f"--strategy {strategy} --scenario {scenario} --runs {run}")
    return shown


def missing(strategy: str, searched: dict[str, dict[str, Any]]) -> set[str]:
    """Known races that no search of this design has shown."""
    shown = {race for key, result in searched.items() if key.startswith(f"{strategy} ") for race in result["found"]}
    return known_races(strategy) - shown


def main() -> None:
    """Search, and show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", action="append", metavar="S", help="repeatable; lock and lua if left out")
    parser.add_argument("--scenario", action="append", choices=SMALL, metavar="N", help="repeatable; all if left out")
    parser.add_argument("--runs", type=int, default=300, metavar="N", help="complete runs of one search, at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep results here, and go on from what is there")
    given = parser.parse_args()
    strategies = given.strategy or ["lock", "lua"]
    searched: dict[str, dict[str, Any]] = {}
    if given.json is not None and given.json.is_file():
        searched = json.loads(given.json.read_text(encoding="utf-8"))
    for scenario in given.scenario or SMALL:
        for strategy in strategies:
            earlier = searched.get(f"{strategy} {scenario}")
            if earlier is None or (earlier["runs"] < given.runs and not earlier["exhausted"]):
                searched[f"{strategy} {scenario}"] = first_runs(strategy, scenario, given.runs)
                if given.json is not None:
                    given.json.write_text(json.dumps(searched, indent=1) + "\n", encoding="utf-8")
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table(strategies, searched))
    for strategy in strategies:
        console.print(
            f"{strategy}: not shown: {', '.join(sorted(missing(strategy, searched))) or 'none'}", highlight=False
        )


if __name__ == "__main__":
    main()
