"""`bufferproof scenarios`: what can be tried, a line each."""

import typer


def scenarios() -> None:
    """List the scenarios, with the runs that verify makes of each (all: for exhaustive and dpor, which enumerate it).

    † is beyond what any design on one Redis can survive.
    """
    from scenarios import SCENARIOS

    width = max(len(name) for name in SCENARIOS)
    for name, scenario in SCENARIOS.items():
        runs = scenario.runs if scenario.cases is None else "all"
        typer.echo(f"{name:<{width}} {'†' if scenario.dagger else ' '} {runs:>4}  {scenario.summary}")
