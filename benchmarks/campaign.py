"""What a second process brings to a campaign, and what a campaign costs beside the bare runs: ratios, side by side.

    python -m benchmarks.campaign [--runs 4000] [--repeats 3] [--jobs 2] [--json FILE]

The same campaign (`lease`, seed 0) is run by one process and by `--jobs`, in turn, so that a machine that is busy is busy for
both; the ratio is the median over the repeats. Ends with 1 if the two did not give the same content.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scenarios.batch import run_batch
from scenarios.campaign import campaign
from scenarios.campaign.plan import Batch
from scenarios.campaign.store import Store
from scenarios.trace import versions


def main() -> int:
    """Measure, print, and write the file if one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4_000, metavar="N", help="runs of each campaign")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="J")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            one, one_digest = measured(Path(folder) / "one.sqlite", options.runs, 1)
            many, many_digest = measured(Path(folder) / "many.sqlite", options.runs, options.jobs)
            bare = bare_runs_per_s(Path(folder) / "one.sqlite")
        if one_digest != many_digest:
            print(f"{options.jobs} processes gave another campaign than one", file=sys.stderr)
            return 1
        rows.append({"one": round(one, 1), "many": round(many, 1), "bare": round(bare, 1)})
        print(
            f"{repeat + 1}: {one:.0f} runs/s by one process, {many:.0f} by {options.jobs} ({many / one:.2f}×),"
            f" {bare:.0f} without a campaign ({one / bare:.2f}×)"
        )
    document: dict[str, Any] = {
        "schema": 1,
        "kind": "bench_campaign",
        "versions": versions(),
        "runs": options.runs,
        "jobs": options.jobs,
        "runs_per_s": rows,
        "ratios": {
            f"campaign: runs/s of {options.jobs} processes over one": median(row["many"] / row["one"] for row in rows),
            "campaign: runs/s in a campaign over the bare runs": median(row["one"] / row["bare"] for row in rows),
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
    return round(statistics.median(values), 2)


def measured(store: Path, runs: int, jobs: int) -> tuple[float, str]:
    """Runs a second, start-up of the processes included, and the digest of what was run."""
    started = time.monotonic()
    result = campaign(strategies=["lease"], runs=runs, jobs=jobs, store=store)
    return result.document["runs"] / (time.monotonic() - started), result.digest


def bare_runs_per_s(path: Path) -> float:
    """Runs a second of the same batches (every fifth) in this process, with neither store nor coverage."""
    store = Store(path)
    batches = [
        Batch.from_json(json.loads(spec)) for (spec,) in store.rows("SELECT spec FROM batches ORDER BY number")[::5]
    ]
    store.close()
    started = time.monotonic()
    runs = sum(run_batch(batch.plan, 0, batch.runs).runs for batch in batches)
    return runs / (time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
