"""`bufferproof report`: charts, tables and one HTML page from result files."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options


def report(
    results: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the result files are; left out: .bufferproof.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the report goes; left out: report/ in the results.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="J", help="Processes, if results must be made; changes no result.")
    ] = None,
) -> int:
    """Write report.html, its figures, timelines, summary.json and junit.xml; without results, first make a small set.

    A folder that is named must be there: where it is not, the name is wrong rather than the results missing.
    """
    from reports.building import build
    from reports.errors import BadResultFile
    from reports.results import read_results

    if results is not None and not results.is_dir():
        options.refuse(f"--results {results}: there is no such folder: check the path, or leave it out for a small set")
    folder = results or Path(".bufferproof")
    target = options.folder("--out", out or folder / "report")
    options.at_least("--jobs", jobs, 1)
    try:
        found = read_results(folder)
        if not found.files:
            if results is None and out is not None and read_results(out).files:
                options.refuse(
                    f"--out {out}: there are results in it, and none in {folder}: name it by --results {out}"
                )
            _make(options.folder("--results", folder), jobs)
            found = read_results(folder)
        written = options.in_view(build, {"results": found, "out": target})
    except BadResultFile as error:
        options.refuse(str(error))
    if written.missing:
        typer.echo(_not_there(folder, written.missing), err=True)
    typer.echo(f"written to {written.page}, with {len(written.files) - 1} files beside and under it")
    return 0


def _not_there(folder: Path, missing: tuple[str, ...]) -> str:
    from reports.wording import counted

    return (
        f"{counted(len(missing), 'counterexample')} without a page, as the trace is not there: {folder / missing[0]}"
        f"{' and others' if len(missing) > 1 else ''}: put it back, or run verify again"
    )


def _make(folder: Path, jobs: int | None) -> None:
    from scenarios.measure.first import first_results

    typer.echo(f"no results in {folder}: making a small set, which takes about two minutes", err=True)
    options.in_view(first_results, {"out": folder, "jobs": jobs})
