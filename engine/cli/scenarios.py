"""`bufferproof scenarios`: what can be tried, a line each."""

import typer


def scenarios() -> None:
    """List the scenarios; † is beyond what any design on one Redis can survive."""
    from scenarios import SCENARIOS

    width = max(len(name) for name in SCENARIOS)
    for name, scenario in SCENARIOS.items():
        typer.echo(f"{name:<{width}} {'†' if scenario.dagger else ' '} {scenario.summary}")
