"""`bufferproof replay`: runs a trace again, exactly, and shows its timeline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from scenarios import Replay
    from scenarios.on_server import ServerReplay

#: As many events as one looks at in one picture; what matters least is left out, and the picture says how much.
SVG_ROWS = 25


def replay(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A trace that verify wrote.")],
    redact: Annotated[bool, typer.Option("--redact", help="Pseudonyms for names, phones, ids and texts.")] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="OUT.svg", help="Also draw it, as a sequence diagram.")
    ] = None,
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
    picture = svg and options.new_svg("--svg", svg)
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
    if picture is not None:
        _draw(again, picture, trace)
    return int(again.exit_status)


def _draw(again: "Replay | ServerReplay", out: Path, trace: Path) -> None:
    from reports.diagram import diagram_of
    from reports.diagram import svg as svg_of

    first = again.violations[0] if again.violations else None
    diagram = diagram_of(
        again.history,
        events=first.events if first is not None else (),
        explanation=first.explanation if first is not None else "",
        exceptions=again.exceptions,
        replay=str(trace),
    )
    title = f"{again.strategy} · {again.scenario}{f' violates {first.invariant}' if first is not None else ''}"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(svg_of(diagram.folded(SVG_ROWS), title=title) + "\n", encoding="utf-8")
    typer.echo(f"drawn: {out}")


def _on_server(trace: Path, url: str, redact: bool) -> "ServerReplay":
    from scenarios.on_server import replay_on_server

    if url != "embedded":
        return replay_on_server(trace, url, redact)
    from engine.load.server import embedded_server

    with embedded_server() as server:
        return replay_on_server(trace, server.url, redact)
