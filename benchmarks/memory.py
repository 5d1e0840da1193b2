"""Whether memory stays flat: what a process holds after more and more runs.

    python -m benchmarks.memory                          # 10,000, 50,000 and 100,000 runs of a small program
    python -m benchmarks.memory --of lease --runs 1000 2000 4000

The small program is that of `benchmarks/peers.py`; with `--of` it is judged runs of a design in `boundary`, with the policies
`timed` and `random` in turn and every fault that a design must survive. Before each look the garbage is collected. A figure
is the resident memory of the process, in KiB, and the growth in bytes a run since the first look.
"""

import argparse
import gc
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.figures import digits, write
from benchmarks.race.ours import lost
from engine.exploration import RandomWalk
from engine.simulation.case import FAULTS
from scenarios.batch import Plan, run_batch

BATCH = 100


def program() -> Callable[[int], None]:
    """The small program: a function that makes the batch from a run on."""
    scheduler = RandomWalk("memory")

    def batch(start: int) -> None:
        for number in range(start, start + BATCH):
            scheduler.new_run(number)
            lost(scheduler)

    return batch


def of_design(strategy: str) -> Callable[[int], None]:
    """Judged runs of a design, likewise."""

    def batch(start: int) -> None:
        policy = ("timed", "random")[start // BATCH % 2]
        plan = Plan(strategy=strategy, scenario="boundary", policy=policy, seed=0, faults=FAULTS)
        run_batch(plan, start, start + BATCH)

    return batch


def resident_bytes() -> int:
    """What this process holds."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", metavar="STRATEGY", help="judged runs of this design, in place of the small program")
    parser.add_argument("--runs", type=int, nargs="+", default=[10_000, 50_000, 100_000], metavar="N")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    batch, what = (of_design(options.of), options.of) if options.of else (program(), "the small program")
    made, looks = 0, []
    for runs in sorted(options.runs):
        while made < runs:
            batch(made)
            made += BATCH
        looks.append((made, resident_bytes()))
        since = f", {growth(looks):+.1f} bytes a run since {looks[0][0]:,}" if len(looks) > 1 else ""
        print(f"{what}: {looks[-1][1] // 1024:,} KiB after {made:,} runs{since}", flush=True)
    (first, before), (last, after) = looks[0], looks[-1]
    ratios = {
        f"{what}: resident memory after {last:,} runs, over that after {first:,}": digits(after / before),
        f"{what}: growth in bytes a run": digits(growth(looks)),
    }
    write(options.json, "memory", ratios, {"resident_bytes": dict(looks)})


def growth(looks: list[tuple[int, int]]) -> float:
    """Bytes a run, between the first look and the last."""
    (first, before), (last, after) = looks[0], looks[-1]
    return (after - before) / (last - first) if last > first else 0.0


if __name__ == "__main__":
    main()
