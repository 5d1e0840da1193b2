"""The small set of results that a report makes when there are none: verdicts, rates and costs in about two minutes."""

from pathlib import Path

from scenarios.grid import retry_ttl_grid
from scenarios.measure.making import measure
from scenarios.measure.parallel import Progress
from scenarios.verify import verify

#: Runs per strategy and scenario of the main job, and per cell of the loss map.
VERIFY_RUNS = 24
GRID_RUNS = 2
#: An upper bound on the verdicts alone, whose counterexamples take as long to shrink as they need.
VERIFY_SECONDS = 90


def first_results(out: Path, seed: int = 0, jobs: int | None = None, progress: Progress | None = None) -> None:
    """Make a small set of results in `out`: few runs, so wide intervals; `verify`, `measure` and `grid` make better ones."""
    measure(seed=seed, jobs=jobs, few=True, out=out, progress=progress)
    retry_ttl_grid(out, progress, runs=GRID_RUNS, jobs=jobs)
    verify(runs=VERIFY_RUNS, seconds=VERIFY_SECONDS, seed=seed, jobs=jobs, out=out, progress=progress)
