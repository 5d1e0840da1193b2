"""`bufferproof measure`: rates and costs under stated distributions, as result files for a report."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options


def measure(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="What to measure: boundary, steps, faults, cost, risk; left out: everything."
        ),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(metavar="N", help="Runs per cell; left out: each measurement's own number.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A traffic profile (JSON): see docs/reading-the-report.md.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="K", help="All randomness comes from it.")] = 0,
    jobs: Annotated[int | None, typer.Option(metavar="J", help="Processes; changes no result.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the result files go.")] = Path(".bufferproof"),
) -> int:
    """Measure loss, duplicates and costs by timed runs, and write a result file for each measurement."""
    from scenarios.measure import MEASUREMENTS, read_profile
    from scenarios.measure import measure as measure_all

    for name in names or ():
        options.known("measurement", name, MEASUREMENTS)
    options.at_least("--runs", runs, 1)
    options.at_least("--jobs", jobs, 1)
    selection = {
        "names": names or None,
        "runs": runs,
        "seed": seed,
        "jobs": jobs,
        "profile": read_profile(options.file("--profile", profile)) if profile is not None else None,
        "out": options.folder("--out", out),
    }
    with options.ended_by_termination():
        written = options.in_view(measure_all, selection)
    for name in written:
        typer.echo(f"written to {out / name}.json: {MEASUREMENTS[name].SUMMARY}")
    return 0
