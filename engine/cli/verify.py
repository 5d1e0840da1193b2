"""`bufferproof verify`: runs strategies through scenarios and says what was violated, with counterexamples."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import options

if TYPE_CHECKING:
    from scenarios import Result

UNDECIDED = 3

#: The kinds as in `engine/simulation/case.py`, which takes longer to import than a help text deserves; a test compares.
FAULT_HELP = (
    "Which faults may strike; repeatable. all: every kind but †. Left out: what each scenario says. Kinds: stall,"
    " request_lost, reply_lost, crash, pause, clock_skew, restart, unreachable, script_flush, processor_failure,"
    " webhook_repeated, delivery_repeated; † restart_data_lost, eviction, processor_too_slow. What a scenario plans itself stays."
)


def verify(
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="S", help="A strategy's name, or file.py:ClassName; repeatable. Left out: every built-in one."
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N",
            help="A scenario's name, or file.py:Name; repeatable. Left out: with --strategy all but † (exhaustive and dpor:"
            " the small ones), else those around the end of the window.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="none|all|KIND", help=FAULT_HELP),
    ] = None,
    fault_budget: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many faults a run, at most; left out: 3, or what the scenario says."),
    ] = None,
    workload: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recorded messages as a scenario (alone, unless --scenario names others too), a JSON object a line:"
            " sent_at_ms (or sent_at, ISO-8601), instance_name, user_phone, message_id, text, data.",
        ),
    ] = None,
    explore: Annotated[
        str, typer.Option(metavar="|".join(options.EXPLORE), help="Who chooses what happens next.")
    ] = "portfolio",
    runs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Runs per strategy and scenario; left out: each scenario's own number."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="An upper bound on the whole call, in seconds; a run that computes without end goes on to its own, 30 s.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="K", help="All randomness comes from it.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(metavar="J", help="Processes, left out: one for each core; changes no result.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the strategies, such as BUFFER_DELAY_MS=4000; repeatable."
        ),
    ] = None,
    check_determinism: Annotated[
        bool, typer.Option("--check-determinism", help="First run everything twice and compare the histories.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where results.json and traces/ go, in place of those of the verify before."),
    ] = Path(".bufferproof"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Pseudonyms for names, phones, ids and texts.")] = False,
) -> int:
    """Run strategies through scenarios: a table of verdicts, and a counterexample for each violation.

    Exit status: 0 all held; 1 a violation; 3 undecided. Without --strategy the verdicts are held against those written
    down: 1 is then a violation that is not, 3 a known one that was not found.
    """
    import scenarios
    from engine.simulation.case import DAGGER_FAULTS, FAULTS

    options.known("--explore", explore, options.EXPLORE)
    options.at_least("--runs", runs, 1)
    options.at_least("--jobs", jobs, 1)
    options.at_least("--fault-budget", fault_budget, 0)
    options.above_zero("--seconds", seconds)
    for name in scenario or ():
        if ".py" not in name:
            options.known("--scenario", name, scenarios.SCENARIOS)
    selection: dict[str, Any] = {
        "strategies": strategy or None,
        "scenario_names": scenario or None,
        "faults": options.faults_of(fault, [*FAULTS, *DAGGER_FAULTS]),
        "fault_budget": fault_budget,
        "workload": workload and options.file("--workload", workload),
        "explore": explore,
        "runs": runs,
        "seconds": seconds,
        "seed": seed,
        "jobs": jobs,
        "settings": options.settings_of(settings),
        "out": options.folder("--out", out),
        "redact": redact,
    }
    _warn(strategy, selection["settings"])
    if check_determinism:
        # Of the time that is given it may take half.
        bound = {"seconds": seconds / 2} if seconds is not None else {}
        with options.ended_by_termination():
            problems = options.in_view(scenarios.check_determinism, {**selection, **bound, "told": _told})
        for problem in problems:
            _told(problem)
        if problems:
            return UNDECIDED  # verdicts of runs that cannot be repeated would say nothing
        _told("determinism: every run gave the same history twice")
        selection.update(bound)
    with options.ended_by_termination():
        result: Result = options.in_view(
            scenarios.verify, {**selection, "command": "bufferproof " + shlex.join(sys.argv[1:])}
        )
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=2))
    else:
        _show(result, out)
    stopped = "stopped" in result.document
    why = "it was stopped" if stopped else "the time was up (--seconds)"
    not_run, cut_short = (len(result.document.get(name, ())) for name in ("not_run", "cut_short"))
    if not_run or cut_short:
        _told(f"{why}: {not_run} pairs of a strategy and a scenario had no run, {cut_short} only some of theirs")
    if (stopped or seconds is not None) and (
        left := sum(row["verdict"] == "violated" and row["trace"] is None for row in result.document["rows"])
    ):
        from reports.wording import counted

        _told(f"{counted(left, 'violation')} without a counterexample of their own: {why}")
    return int(result.exit_status) or (UNDECIDED if stopped else 0)


def _told(line: str) -> None:
    typer.echo(line, err=True)


@options.prints_aside()
def _warn(strategies: list[str] | None, settings: dict[str, str]) -> None:
    """Say which of the given settings are allowed and lose messages all the same."""
    if not settings:
        return
    from engine.buffer.catalogue import BUILT_IN
    from engine.simulation.setting import settings_of
    from scenarios.selection import find_strategy

    for name in strategies or BUILT_IN:
        for warning in settings_of(find_strategy(name), settings).warnings():
            typer.echo(f"warning: {name}: {warning}", err=True)


def _show(result: "Result", out: Path) -> None:
    """The table, then each violation's counterexample and the line that replays it."""
    from engine.verification.verdict import LOST
    from reports.table import rich_table, summary, text_table
    from reports.timeline import timeline

    document = result.to_json()
    if not document["rows"]:  # it was stopped before the first run
        typer.echo(summary(document))
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(rich_table(document))
        console.print(summary(document), markup=False, highlight=False, soft_wrap=True)
    else:
        typer.echo(text_table(document))
    for strategy, scenario, proof in proofs_of(document):
        typer.echo(f"\n{strategy} · {scenario}: {proof}")
    for found in result.counterexamples:
        cause = f" ({found.cause})" if found.cause else ""
        typer.echo(f"\n{found.strategy} · {found.scenario} violates {found.invariant}{cause}")
        if found.cause == LOST:  # its timeline is that of a loss, which has one already
            typer.echo(f"  → {found.explanation}\n  replay: bufferproof replay {shlex.quote(str(out / found.trace))}")
            continue
        typer.echo(
            timeline(
                found.history,
                events=found.events,
                explanation=found.explanation,
                exceptions=found.exceptions,
                trace=str(out / found.trace),
            )
        )


def proofs_of(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What each search was over, how far it came and what it found: strategy, scenario, sentence."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in document["rows"]:
        if row.get("proof"):
            rows.setdefault((row["strategy"], row["scenario"]), []).append(row)
    for (strategy, scenario), those in rows.items():
        violated = [row["invariant"] for row in those if row["verdict"] == "violated"]
        start = those[0]["proof"].rpartition(", ")[0]
        held = "no violation" if any(row["verdict"] == "holds" for row in those) else "nothing decided"
        yield strategy, scenario, f"{start}, {'violated: ' + ', '.join(violated) if violated else held}"
