"""`bufferproof replay`: runs a trace again, exactly, and shows its timeline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from scenarios.on_server import ServerReplay


def replay(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A trace that verify wrote.")],
    redact: Annotated[bool, typer.Option("--redact", help="Pseudonyms for names, phones, ids and texts.")] = False,
    redis_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Execute its commands on this real server (an empty one), or on an `embedded` one."
        ),
    ] = None,
) -> int:
    """Run a trace again: 1 the violation was reproduced, 0 nothing is violated (any more), 3 it diverged."""
    import scenarios
    from reports.timeline import timeline

    trace = options.file("replay", path)
    again = scenarios.replay(trace, redact=redact) if redis_url is None else _on_server(trace, redis_url, redact)
    typer.echo(f"{again.strategy} · {again.scenario}: {again.outcome}{f': {again.detail}' if again.detail else ''}")
    if not again.violations:
        typer.echo(timeline(again.history))
    for violation in again.violations:
        typer.echo(f"\nviolates {violation.invariant}")
        typer.echo(
            timeline(
                again.history,
                events=violation.events,
                explanation=violation.explanation,
                exceptions=again.exceptions,
                trace=str(path),
            )
        )
    return int(again.exit_status)


def _on_server(trace: Path, url: str, redact: bool) -> "ServerReplay":
    from scenarios.on_server import replay_on_server

    if url != "embedded":
        return replay_on_server(trace, url, redact)
    from engine.load.server import embedded_server

    with embedded_server() as server:
        return replay_on_server(trace, server.url, redact)
