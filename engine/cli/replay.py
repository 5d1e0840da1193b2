"""`bufferproof replay`: runs a trace again, exactly, and shows its timeline."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options


def replay(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A trace that verify wrote.")],
    redact: Annotated[bool, typer.Option("--redact", help="Pseudonyms for names, phones, ids and texts.")] = False,
) -> int:
    """Run a trace again: 1 the violation was reproduced, 0 nothing is violated (any more), 3 it diverged."""
    import scenarios
    from reports.timeline import timeline

    again = scenarios.replay(options.file("replay", path), redact=redact)
    typer.echo(f"{again.strategy} · {again.scenario}: {again.outcome}{f': {again.detail}' if again.detail else ''}")
    if not again.violations:
        typer.echo(timeline(again.history))
    for violation in again.violations:
        typer.echo(f"\nviolates {violation.invariant}")
        typer.echo(timeline(again.history, events=violation.events, explanation=violation.explanation, trace=str(path)))
    return int(again.exit_status)
