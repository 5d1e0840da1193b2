"""`bufferproof campaign`: long searches over all cores or a Dask cluster, resumable, that remember what they found."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scenarios.campaign import CampaignResult, Status


def campaign(
    strategy: Annotated[
        list[str] | None, typer.Option(metavar="S", help="A strategy's name, or file.py:ClassName; repeatable.")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(metavar="N", help="A scenario's name, or file.py:Name; repeatable.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="none|all|KIND",
            help="Kinds of which each batch has a random subset; left out: half of the batches what their scenario says.",
        ),
    ] = None,
    fault_budget: Annotated[int | None, typer.Option(metavar="N", help="How many faults a run, at most.")] = None,
    explore: Annotated[
        list[str] | None, typer.Option(metavar="POLICY", help="Who may choose what happens next; repeatable.")
    ] = None,
    runs: Annotated[
        int | None, typer.Option(metavar="N", help="Runs in all, over all sittings, in whole batches of 25.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Begin nothing more after so long in this sitting; --resume goes on."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="K", help="All randomness comes from it (default 0).")] = None,
    jobs: Annotated[int | None, typer.Option(metavar="J", help="Processes; changes no result.")] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler; its workers do the runs.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the strategies; repeatable.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it is kept (default: campaign.sqlite in --out).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the campaign in the store.")] = False,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of traces, to which new failures are added.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where campaign.json and campaign/ go.")] = Path(
        ".bufferproof"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")] = False,
) -> int:
    """Search long: strategies, scenarios, policies, faults and features at random, until nothing new is covered."""
    from engine.simulation.case import DAGGER_FAULTS, FAULTS
    from scenarios.campaign import campaign as run
    from scenarios.catalogue import SCENARIOS

    options.at_least("--runs", runs, 1)
    options.at_least("--jobs", jobs, 1)
    options.at_least("--fault-budget", fault_budget, 0)
    options.above_zero("--seconds", seconds)
    if dask is not None and jobs is not None:
        options.refuse("--jobs and --dask exclude each other: the cluster decides how many work")
    for name in scenario or ():
        if ".py" not in name:
            options.known("--scenario", name, SCENARIOS)
    selection: dict[str, Any] = {
        "strategies": strategy or None,
        "scenario_names": scenario or None,
        "policies": explore or None,
        "faults": options.faults_of(fault, [*FAULTS, *DAGGER_FAULTS]),
        "fault_budget": fault_budget,
        "settings": options.settings_of(settings),
        "seed": seed,
        "runs": runs,
        "seconds": seconds,
        "jobs": jobs,
        "dask": dask,
        "store": store or options.folder("--out", out) / "campaign.sqlite",
        "resume": resume,
        "corpus": corpus and options.folder("--corpus", corpus),
        "out": options.folder("--out", out),
        "command": "bufferproof " + shlex.join(sys.argv[1:]),
    }
    try:
        with options.ended_by_termination():
            result: CampaignResult = _in_view(run, selection)
    except KeyboardInterrupt:
        # With all that was given: what is no part of the campaign itself, such as --runs and --out, is not in the store.
        typer.echo(f"stopped; go on with: {selection['command']}{'' if resume else ' --resume'}", err=True)
        raise
    if as_json:
        typer.echo(json.dumps(result.document, indent=1))
    else:
        _show(result, out)
    return result.exit_status


@options.prints_aside()
def _in_view(work: Callable[..., Any], selection: dict[str, Any]) -> Any:
    """Do it, with a live table on a terminal and silently in a pipe."""
    if not sys.stderr.isatty():
        return work(**selection, progress=None)
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
        return work(**selection, progress=lambda status: live.update(_picture(status)))


def _picture(status: "Status") -> "RenderableType":
    """What a terminal shows meanwhile: a line for each strategy, and the whole below."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("strategy")
    for name in ("runs", "violations", "failures", "coverage"):
        table.add_column(name, justify="right")
    for name, line in status.lines.items():
        failures = Text(f"{len(line.failures)}", style="bold red" if line.failures else "green")
        table.add_row(Text(name), f"{line.runs:,}", f"{line.violations:,}", failures, f"{len(line.points):,}")
    elapsed = max(status.elapsed_s, 0.001)
    said = (
        f"round {status.round} · {status.runs:,} runs · {status.session_runs / elapsed:,.0f} runs/s"
        f" · {elapsed:,.0f} s"
        + (f" · {status.shrinking} failures to make small" if status.shrinking else "")
        + (f" · {status.deaths} times workers were replaced" if status.deaths else "")
    )
    parts: list[RenderableType] = [table, Text(said, style="dim")]
    if status.wanted is not None:
        parts.append(ProgressBar(total=status.wanted, completed=min(status.runs, status.wanted), width=60))
    elif status.seconds is not None:
        parts.append(ProgressBar(total=status.seconds, completed=min(elapsed, status.seconds), width=60))
    return Group(*parts)


def _show(result: "CampaignResult", out: Path) -> None:
    """What was found, in lines."""
    from reports.wording import counted

    document = result.document
    for each in document["strategies"]:
        typer.echo(f"{each['strategy']}: {_found(each)}")
    told = [failure for failure in document["failures"] if failure["new"] or failure["new_race"]]
    for failure in sorted(told, key=lambda failure: -failure["sitting"]):
        what = "NEW" if failure["new"] else "by a race that is not written down"
        if failure["sitting"] < document["sittings"]:
            what = f"found in sitting {failure['sitting']}, {'not written down' if failure['new'] else what}"
        cause = f" ({failure['cause']})" if failure["cause"] else ""
        typer.echo(f"\n{what}: {failure['strategy']} violates {failure['invariant']}{cause} in {failure['scenario']}")
        typer.echo(f"  → {failure['explanation']}")
        if failure["trace"]:
            typer.echo(f"  replay: bufferproof replay {shlex.quote(str(out / failure['trace']))}")
    sittings = [failure["sitting"] for failure in told if failure["new"]]
    if sittings and max(sittings) < document["sittings"]:
        typer.echo("\nthis sitting found nothing new; the exit status is 1 for what earlier ones found")
    if document["not_made_small"]:
        typer.echo(
            f"\n{counted(document['not_made_small'], 'failure')} found and not made small yet: --resume does that"
        )
    if document["not_replayed"]:
        typer.echo(f"\n{document['not_replayed']} failures could not be replayed: a defect of the harness")
    known = sum(not failure["new"] and failure["trace"] is not None for failure in document["failures"])
    if known:
        typer.echo(
            f"\n{counted(known, 'failure')} of a kind that is written down: {out / 'campaign'}/ has a trace of each"
        )
    typer.echo(
        f"\n{counted(document['runs'], 'run')} of {counted(document['messages'], 'message')} in"
        f" {counted(document['rounds'], 'round')}, {document['runs_per_s']:,} runs/s, {document['coverage']:,} points"
        f" covered, seed {document['seed']}"
    )


def _found(row: dict[str, Any]) -> str:
    from reports.wording import counted

    if not row["runs"]:
        return "not run: more --runs or --seconds, or other scenarios"
    found = f"{counted(row['runs'], 'run')}, {row['coverage']:,} points covered, "
    if not row["violations"]:
        return found + "no violation found"
    violated = ", ".join(f"{name} in {counted(count, 'run')}" for name, count in row["violations"].items())
    return f"{found}{counted(row['failures'], 'different failure')}: {violated}"
