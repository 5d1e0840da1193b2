"""How many runs each policy needs to find each planted bug: a table, and a result file of the kind `find`.

    python benchmarks/find.py                      # the bugs that are rare, five seeds, `random` against `portfolio`
    python benchmarks/find.py --seeds 20 --json .bufferproof/find.json
    python benchmarks/find.py --bug planted_no_key --policy pct --policy dpor

A bug is found by the first run that violates an invariant which the unmutated design holds, that is: any. The runs go in turn
through the scenarios where it is to be looked for (`scenarios.planted.where_to_look`), five runs at a time; a seed that has not
found it after `--cap` runs counts as the cap, which makes medians too small, never too large. Seeds are few for bugs that are
found at once, and all of `--seeds` for those that `random` needs `HARD` runs for. What is in the JSON file already is not
measured again, so the table can be made in several goes.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine.exploration import GROUP, SAMPLED
from scenarios.batch import Plan, run_batch
from scenarios.planted import PLANTED, where_to_look
from scenarios.trace import versions

#: So many seeds first; the rest only for bugs for which `random` needs so many runs.
FEW, HARD = 3, 100


def runs_to_find(bug: str, policy: str, seed: int, cap: int) -> tuple[int | None, float]:
    """How many runs it took (None: not found within the cap), and the seconds of CPU time."""
    started, total = time.process_time(), 0
    for number in range(cap):
        for scenario in where_to_look(bug):
            start = GROUP * number
            tally = run_batch(Plan(strategy=bug, scenario=scenario, policy=policy, seed=seed), start, start + GROUP)
            if tally.first_violation:
                total += min(tally.first_violation.values()) - start + 1
                return total, time.process_time() - started
            total += tally.runs
            if total >= cap:
                return None, time.process_time() - started
    return None, time.process_time() - started


class Measured:
    """What was measured: runs and seconds by bug, policy and seed."""

    def __init__(self, cap: int, path: Path | None) -> None:
        self.cap = cap
        self._path = path
        self._found: dict[tuple[str, str, int], tuple[int | None, float]] = {}
        if path is not None and path.is_file():
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.get("kind") == "find" and document.get("cap") == cap:
                for row in document["rows"]:
                    for seed, (runs, seconds) in row["by_seed"].items():
                        self._found[row["bug"], row["policy"], int(seed)] = (runs, seconds)

    def has(self, bug: str, policy: str, seed: int) -> bool:
        """Whether this one was measured."""
        return (bug, policy, seed) in self._found

    def add(self, bug: str, policy: str, seed: int, result: tuple[int | None, float]) -> None:
        """Keep a result, on disk too."""
        self._found[bug, policy, seed] = result
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def of(self, bug: str, policy: str) -> dict[int, tuple[int | None, float]]:
        """Results by seed."""
        return {seed: each for (b, p, seed), each in sorted(self._found.items()) if (b, p) == (bug, policy)}

    def median(self, bug: str, policy: str) -> float | None:
        """The median number of runs; not found counts as the cap."""
        runs = [self.cap if runs is None else runs for runs, _ in self.of(bug, policy).values()]
        return statistics.median(runs) if runs else None

    def document(self) -> dict[str, Any]:
        """The result document of the kind `find`."""
        pairs = sorted({(bug, policy) for bug, policy, _ in self._found})
        return {
            "schema": 1,
            "kind": "find",
            "command": "python benchmarks/find.py " + " ".join(sys.argv[1:]),
            "versions": versions(),
            "cap": self.cap,
            "rows": [self._row(bug, policy) for bug, policy in pairs],
        }

    def _row(self, bug: str, policy: str) -> dict[str, Any]:
        results = self.of(bug, policy)
        return {
            "bug": bug,
            "policy": policy,
            "scenarios": list(where_to_look(bug)),
            "median_runs": self.median(bug, policy),
            "median_seconds": round(statistics.median(seconds for _, seconds in results.values()), 2),
            "found": sum(runs is not None for runs, _ in results.values()),
            "of": len(results),
            "cap": self.cap,
            "by_seed": {str(seed): [runs, round(seconds, 2)] for seed, (runs, seconds) in results.items()},
        }


def measure(measured: Measured, wanted: list[tuple[str, str, int]], jobs: int, what: str) -> None:
    """Measure what is not measured yet."""
    todo = [each for each in wanted if not measured.has(*each)]
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task(what, total=len(todo))
        futures: dict[Future[Any], tuple[str, str, int]] = {
            pool.submit(runs_to_find, bug, policy, seed, measured.cap): (bug, policy, seed)
            for bug, policy, seed in todo
        }
        for future in as_completed(futures):
            measured.add(*futures[future], future.result())
            bar.advance(task)


def hard(measured: Measured, bugs: list[str]) -> list[str]:
    """The bugs that `random` needs `HARD` runs or more for."""
    return [bug for bug in bugs if (measured.median(bug, "random") or 0) >= HARD]


def table(measured: Measured, bugs: list[str], policies: list[str]) -> Table:
    """Median runs and seconds, and how many seeds found it, for each bug and policy."""
    shown = Table("planted bug", *policies, title=f"median runs to find (cap {measured.cap:,}); s is CPU time")
    for bug in bugs:
        cells = []
        for policy in policies:
            results = measured.of(bug, policy)
            found = sum(runs is not None for runs, _ in results.values())
            seconds = statistics.median(s for _, s in results.values()) if results else 0
            median = measured.median(bug, policy)
            more = ">" if median == measured.cap else ""
            cells.append(f"{more}{median:g} · {seconds:.0f} s · {found}/{len(results)}" if median is not None else "-")
        shown.add_row(bug.removeprefix("planted_"), *cells)
    return shown


def summary(measured: Measured, bugs: list[str], policies: list[str]) -> Iterator[str]:
    """Over the hard bugs: the median of each policy's medians, and its ratio to `random`'s."""
    those = hard(measured, bugs)
    yield f"{len(those)} of {len(bugs)} bugs need {HARD} runs or more with random"
    for policy in policies:
        ratios = [
            (measured.median(bug, policy) or measured.cap) / (measured.median(bug, "random") or measured.cap)
            for bug in those
            if measured.of(bug, policy)
        ]
        medians = [measured.median(bug, policy) or measured.cap for bug in those if measured.of(bug, policy)]
        if ratios:
            yield (
                f"{policy}: median of {statistics.median(medians):g} runs over those, "
                f"{statistics.median(ratios):.2f} × random's (median of the ratios by bug)"
            )


def main() -> None:
    """Measure, show the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds for bugs that are hard to find")
    parser.add_argument("--cap", type=int, default=1_500, metavar="RUNS", help="give up after so many runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write results here, and go on from what is there")
    parser.add_argument("--policy", action="append", choices=[*SAMPLED, "portfolio"], metavar="P", help="repeatable")
    parser.add_argument("--bug", action="append", choices=list(PLANTED), metavar="B", help="repeatable")
    given = parser.parse_args()
    policies = given.policy or ["random", "portfolio"]
    bugs = given.bug or list(PLANTED)
    measured = Measured(given.cap, given.json)
    few = range(min(FEW, given.seeds))
    measure(
        measured,
        [(b, p, s) for s in few for b in bugs for p in dict.fromkeys(["random", *policies])],
        given.jobs,
        "all bugs",
    )
    rare = hard(measured, bugs)
    measure(measured, [(b, p, s) for s in range(given.seeds) for b in rare for p in policies], given.jobs, "hard bugs")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(measured, bugs, policies))
    for line in summary(measured, bugs, policies):
        console.print(line, highlight=False)


if __name__ == "__main__":
    main()
