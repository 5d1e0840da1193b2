"""`bufferproof report`: charts, tables and one HTML page from result files."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options


def report(
    results: Annotated[Path, typer.Option(metavar="DIR", help="Where the result files are.")] = Path(".bufferproof"),
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the report goes; left out: report/ in the results.")
    ] = None,
) -> int:
    """Write report.html, its figures as SVG and PNG, summary.json and junit.xml."""
    from reports.building import build
    from reports.errors import BadResultFile
    from reports.results import read_results

    folder = options.folder("--results", results)
    target = options.folder("--out", out if out is not None else results / "report")
    try:
        written = build(read_results(folder), target)
    except BadResultFile as error:
        options.refuse(str(error))
    typer.echo(f"written to {written.page} ({len(written.files)} files beside and under it)")
    return 0
