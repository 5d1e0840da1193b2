"""What a second process brings to a campaign, and what a campaign costs beside the bare runs: ratios, side by side.

    python -m benchmarks.campaign [--runs 1800] [--repeats 3] [--jobs 2] [--json FILE]

The same campaign (`lease`, seed 0) is run by one process and by `--jobs`, in turn, so that a machine that is busy is busy for
both; the ratio is the median over the repeats. What is measured begins with the second round: the start of the processes is a
matter of seconds, whatever the length of a campaign. On a machine that others use too, the second ratio says more: the CPU time
of a run, of all processes together, which is what a second process would cost if both had a core to themselves.
Ends with 1 if the two did not give the same content.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from scenarios.batch import run_batch
from scenarios.campaign import Status, campaign
from scenarios.campaign.plan import Batch
from scenarios.campaign.store import Store
from scenarios.trace import versions


def main() -> int:
    """Measure, print, and write the file if one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_800, metavar="N", help="runs of each campaign")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="J")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            one = measured(Path(folder) / "one.sqlite", options.runs, 1)
            many = measured(Path(folder) / "many.sqlite", options.runs, options.jobs)
            bare = bare_cpu_ms(Path(folder) / "one.sqlite")
        if one.digest != many.digest:
            print(f"{options.jobs} processes gave another campaign than one", file=sys.stderr)
            return 1
        rows.append(
            {
                "one_runs_per_s": one.runs_per_s,
                "many_runs_per_s": many.runs_per_s,
                "one_cpu_ms": one.cpu_ms,
                "many_cpu_ms": many.cpu_ms,
                "bare_cpu_ms": bare,
            }
        )
        print(
            f"{repeat + 1}: {one.runs_per_s:.0f} runs/s by one process, {many.runs_per_s:.0f} by {options.jobs}"
            f" ({many.runs_per_s / one.runs_per_s:.2f}×); CPU of a run: {one.cpu_ms:.1f} ms, {many.cpu_ms:.1f} ms"
            f" ({many.cpu_ms / one.cpu_ms:.2f}×), {bare:.1f} ms without a campaign ({one.cpu_ms / bare:.2f}×)",
            flush=True,
        )
    document: dict[str, Any] = {
        "schema": 1,
        "kind": "bench_campaign",
        "versions": versions(),
        "runs": options.runs,
        "jobs": options.jobs,
        "rows": rows,
        "ratios": {
            f"campaign: runs/s of {options.jobs} processes over one": median(
                row["many_runs_per_s"] / row["one_runs_per_s"] for row in rows
            ),
            f"campaign: CPU of a run by {options.jobs} processes over one": median(
                row["many_cpu_ms"] / row["one_cpu_ms"] for row in rows
            ),
            "campaign: CPU of a run in a campaign over the bare run": median(
                row["one_cpu_ms"] / row["bare_cpu_ms"] for row in rows
            ),
        },
    }
    for name, ratio in document["ratios"].items():
        print(f"{name}: {ratio}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


def median(values: Any) -> float:
    """The median, with two decimals."""
    return round(float(statistics.median(values)), 2)


@dataclass(frozen=True)
class Measured:
    """What one campaign took from its second round on, and the digest of what it ran."""

    runs_per_s: float
    cpu_ms: float
    digest: str


#: Few runs a batch, so that a round of a short campaign has as many batches as one of a long campaign.
BATCH_RUNS = 5


def measured(store: Path, runs: int, jobs: int) -> Measured:
    """Run the campaign in rounds of a third of its runs, and measure the last two."""
    marks: list[tuple[int, float, float]] = []

    def watch(status: Status) -> None:
        # Only where it begins and ends: to ask all processes for their times takes time itself.
        if (status.round > 1 and not marks) or status.runs == 3 * batches * BATCH_RUNS:
            marks.append((status.runs, time.monotonic(), cpu_s()))

    batches = -(-runs // 3 // BATCH_RUNS)
    result = campaign(
        strategies=["lease"],
        runs=3 * batches * BATCH_RUNS,
        jobs=jobs,
        store=store,
        batch_runs=BATCH_RUNS,
        round_batches=batches,
        progress=watch,
    )
    (before, began, cpu_before), (after, ended, cpu_after) = marks[0], marks[-1]
    ran = after - before
    return Measured(round(ran / (ended - began), 1), round(1_000 * (cpu_after - cpu_before) / ran, 2), result.digest)


def cpu_s() -> float:
    """The CPU time so far of this process and all that it started and that are still there."""
    me = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (me, *me.children(recursive=True)))


def bare_cpu_ms(path: Path) -> float:
    """The CPU time of a run of the same batches (those of the second round) in this process, with neither store nor coverage."""
    store = Store(path)
    batches = [
        Batch.from_json(json.loads(spec))
        for (spec,) in store.rows("SELECT spec FROM batches WHERE round = 1 ORDER BY number")
    ]
    store.close()
    started = cpu_s()
    runs = sum(run_batch(batch.plan, 0, batch.runs).runs for batch in batches)
    return round(1_000 * (cpu_s() - started) / runs, 2)


if __name__ == "__main__":
    sys.exit(main())
