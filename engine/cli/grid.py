"""`bufferproof grid`: measures retry and TTL behaviour and writes it as a result file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options


def grid(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where retry_ttl_grid.json goes.")] = Path(".bufferproof"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")] = False,
) -> int:
    """Measure retries over time, loss by outage and TTL, duplicates by the processor's time."""
    from scenarios.grid import retry_ttl_grid

    with options.ended_by_termination():
        document = options.in_view(retry_ttl_grid, {"out": options.folder("--out", out)})
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return 0
    for row in document["attempts"]:
        times = ", ".join(f"{t:.1f}" for t in row["hand_overs_s"]) or "never"
        kept = "lost" if row["lost"] else "dead-lettered" if row["dead_lettered"] else "kept"
        typer.echo(f"{row['strategy']:<12} {row['failure']:<13} hand-overs at {times} s: {kept}")
    typer.echo(f"written to {out / 'retry_ttl_grid.json'}")
    return 0
