"""`bufferproof load`: the engine in real time on a real server, under generated load and real faults."""

import json
import math
import random
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from engine.load.workload import Arrival

WORKLOADS = ("real_chat", "poisson")
#: Of the workload `poisson`: how many people send.
PEOPLE = 100


def load(
    strategy: Annotated[str, typer.Option(help="A built-in strategy, or path/to/file.py:ClassName.")] = "lease",
    rate: Annotated[float, typer.Option(help="Messages a second, on the average.")] = 40,
    seconds: Annotated[float, typer.Option(help="How long messages are sent to each strategy.")] = 20,
    processes: Annotated[int, typer.Option(help="Service processes.")] = 2,
    compare: Annotated[
        bool, typer.Option("--compare", help="All built-in strategies, in rounds that take turns.")
    ] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Kill, stop, restart and cut meanwhile.")] = False,
    redis_url: Annotated[str | None, typer.Option(help="An empty database to use; else an embedded server.")] = None,
    workload: Annotated[str, typer.Option(help="real_chat, poisson, or a file of JSON lines.")] = "real_chat",
    scale: Annotated[float, typer.Option(help="One factor on all times of the design and of the bursts.")] = 0.1,
    seed: Annotated[int, typer.Option(help="For arrivals, the processor's times and faults.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting, unscaled; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for the result file.")] = Path(".bufferproof"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")] = False,
) -> int:
    """Load a strategy: exit status 0, or 1 if an invariant was violated."""
    _check(rate, seconds, processes, scale)
    options.folder("--out", out)
    from engine.buffer.catalogue import load_strategy
    from engine.buffer.files import write_whole
    from engine.load.session import Session, all_strategies
    from reports.load_table import load_table

    load_strategy(strategy)
    session = Session(
        strategies=all_strategies() if compare else [strategy],
        arrivals=_arrivals(workload, rate, scale),
        workload=workload,
        rate=rate,
        seconds=seconds,
        processes=processes,
        scale=scale,
        seed=seed,
        given=options.settings_of(settings),
        command=shlex.join(["bufferproof", *sys.argv[1:]]),
        chaos=chaos,
        compare=compare,
        redis_url=redis_url,
    )
    found = options.in_view(lambda progress: session.run(progress or _silent), {})
    name = "load" + ("-chaos" if chaos else "") + ("-compare" if compare else f"-{Path(strategy).stem}")
    path = out / f"{name}.json"
    write_whole(path, json.dumps(found, indent=1) + "\n")
    typer.echo(json.dumps(found) if as_json else f"{load_table(found)}\n\nresult: {path}")
    # In a comparison the designs that break are what is to be seen; `lease` is the one that must not.
    judged = [row for row in found["rows"] if not compare or row["strategy"] == "lease"]
    return int(any(row["violations_total"] for row in judged))


def _silent(what: str, done: int, total: int) -> None:
    """No progress: nobody looks."""


def _check(rate: float, seconds: float, processes: int, scale: float) -> None:
    options.above_zero("--rate", rate)
    options.above_zero("--seconds", seconds)
    options.above_zero("--scale", scale)
    if scale > 1:
        options.refuse(f"--scale {scale:g} is refused: give a number up to 1")
    if rate * seconds > 10_000_000:
        options.refuse(f"--rate {rate:g} for --seconds {seconds:g} is more than 10,000,000 messages: give less")
    if not 1 <= processes <= 64:
        options.refuse(f"--processes {processes} is refused: give 1 to 64")


def _arrivals(workload: str, rate: float, scale: float) -> "Callable[[str, float], Sequence[Arrival]]":
    """The arrivals of a round, by its seed and its seconds. Raises `UsageError`."""
    from engine.load.workload import bursts, poisson

    if workload == "poisson":
        return lambda seed, seconds: poisson(rate=rate, seconds=seconds, people=PEOPLE, seed=seed)
    if workload == "real_chat":
        from scenarios.catalogue.window import real_offsets

        def drawn(rng: random.Random) -> list[int]:
            return real_offsets(rng)

        return lambda seed, seconds: bursts(drawn, rate=rate, seconds=seconds, scale=scale, seed=seed)
    if "/" not in workload and "." not in workload:
        options.known("--workload", workload, WORKLOADS)
    return _from_file(options.file("--workload", Path(workload)), scale)


def _from_file(path: Path, scale: float) -> "Callable[[str, float], Sequence[Arrival]]":
    """The messages of a file, again and again as other people's, at its own times scaled: the rate is the file's."""
    from engine.load.workload import Arrival
    from scenarios.workload import read_workload

    sendings = read_workload(path)
    length_ms = max(sending.at_ms for sending in sendings) + 1_000

    def arrivals(_seed: str, seconds: float) -> list[Arrival]:
        found: list[Arrival] = []
        for turn in range(math.ceil(seconds * 1_000 / (length_ms * scale))):
            for each in sendings:
                at_seconds = (turn * length_ms + each.at_ms) * scale / 1_000
                phone = f"{each.user_phone}#{turn}" if turn else each.user_phone
                if at_seconds < seconds:
                    found.append(Arrival(at_seconds, each.instance_name, phone, each.message_id, each.text, each.data))
        return sorted(found, key=lambda arrival: arrival.at_seconds)

    return arrivals
