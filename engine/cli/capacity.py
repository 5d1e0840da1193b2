"""`bufferproof capacity`: what each design needs at 10⁴ to 10⁷ messages a day, from the service times of a load."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli import options

HOURS = 24


def capacity(
    load: Annotated[
        Path, typer.Option(metavar="FILE", help="A load's result file: the service times come from it.")
    ] = Path(".bufferproof/load-compare.json"),
    check: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Another load's file, to hold the model against; repeatable."),
    ] = None,
    volume: Annotated[list[int] | None, typer.Option(help="Messages a day; repeatable. Default: 10⁴ to 10⁷.")] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="24 numbers as a JSON list: the hours' shares, from midnight.")
    ] = None,
    instances: Annotated[int, typer.Option(help="How many function instances there may be at a time.")] = 1_000,
    cold_start_ms: Annotated[float, typer.Option(help="How long an instance takes to start.")] = 250,
    hop_ms: Annotated[float, typer.Option(help="Network between a function and Redis, there and back.")] = 1,
    price_invocations: Annotated[float, typer.Option(help="Per million invocations.")] = 0.20,
    price_gigabyte_second: Annotated[float, typer.Option(help="Per gigabyte and second of functions.")] = 0.0000167,
    price_requests: Annotated[float, typer.Option(help="Per million requests to Redis.")] = 2.0,
    seed: Annotated[int, typer.Option(help="For arrivals and the processor's times.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where capacity.json goes.")] = Path(".bufferproof"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result document and nothing else.")] = False,
) -> int:
    """Model throughput, queueing, time to answer and cost over a day, and where each design saturates."""
    options.above_zero("--cold-start-ms", cold_start_ms)
    options.above_zero("--hop-ms", hop_ms)
    options.at_least("--instances", instances, 1)
    for name, price in (
        ("--price-invocations", price_invocations),
        ("--price-gigabyte-second", price_gigabyte_second),
        ("--price-requests", price_requests),
    ):
        options.at_least(name, price, 0)
    for each in volume or ():
        options.at_least("--volume", each, 1)
    target = options.folder("--out", out) / "capacity.json"
    from engine.buffer.files import write_whole
    from engine.load.capacity.day import PROFILE
    from engine.load.capacity.model import Platform
    from engine.load.capacity.study import VOLUMES, Prices, study
    from scenarios.catalogue.window import real_offsets

    selection = {
        "load": _load(load),
        "offsets": real_offsets,
        "volumes": tuple(volume or VOLUMES),
        "profile": PROFILE if profile is None else _profile(profile),
        "platform": Platform(instances=instances, cold_start_seconds=cold_start_ms / 1_000, hop_seconds=hop_ms / 1_000),
        "prices": Prices(price_invocations, price_gigabyte_second, per_million_requests=price_requests),
        "checks": [_load(path) for path in check or ()],
        "command": " ".join(["bufferproof", *sys.argv[1:]]),
        "seed": seed,
    }
    document = options.in_view(study, selection)
    write_whole(target, json.dumps(document, indent=1) + "\n")
    typer.echo(json.dumps(document, indent=1) if as_json else shown(document, target))
    return 0


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(options.file("--load", path).read_text(encoding="utf-8"))
    except ValueError:
        options.refuse(f"--load {path}: this is not JSON: give a file that bufferproof load wrote")
    if not isinstance(document, dict) or document.get("kind") != "load" or document.get("schema") != 1:
        options.refuse(f"--load {path}: this is no result of a load: make one with bufferproof load --compare")
    for name, kind in (("rows", list), ("settings", dict), ("machine", dict), ("command", str)):
        if not isinstance(document.get(name), kind):
            options.refuse(f"--load {path}: {name} is missing: make it again with bufferproof load --compare")
    found: dict[str, Any] = document
    return found


def _profile(path: Path) -> tuple[float, ...]:
    """The hours' shares, made to sum up to 1."""
    try:
        shares = [float(share) for share in json.loads(options.file("--profile", path).read_text(encoding="utf-8"))]
    except (ValueError, TypeError):
        shares = []
    if len(shares) != HOURS or min(shares) <= 0:
        options.refuse(f"--profile {path}: give a JSON list of 24 numbers above 0, an hour each")
    return tuple(share / sum(shares) for share in shares)


def shown(document: dict[str, Any], path: Path) -> str:
    """The document as tables."""
    lines = [
        "strategy     messages/day  server busy  add p50    add p99     answer p50  instances  function s  cost/day   saturates at"
    ]
    for row in document["rows"]:
        peak, end = row["busiest_hour"], row["saturation"]
        lines.append(
            f"{row['strategy']:<12} {row['messages_a_day']:>12,}  {peak['server_busy_share']:>10.2%}"
            f"  {peak['add_ms']['p50']:>6.1f} ms  {peak['add_ms']['p99']:>7.1f} ms  {peak['answer_ms']['p50'] / 1_000:>8.1f} s"
            f"  {peak['instances_most']:>9,}  {row['function_seconds_per_message']:>10.1f}  {row['cost_a_day']['total']:>8.2f}"
            f"   {end['messages_a_day']:,.0f} ({end['first']})"
        )
    for each in document["checks"]:
        lines.append(f"\n{each['strategy']} at {each['rate_per_s']:g} messages a second, predicted and measured:")
        for name, pair in each.items():
            if isinstance(pair, dict):
                verdict = "" if pair["within"] else "  not within 25 %"
                lines.append(
                    f"  {name:<28} {pair['predicted']:>10.3f} {pair['measured']:>10.3f}  × {pair['ratio']:.2f}{verdict}"
                )
    return "\n".join([*lines, f"\nwritten to {path}"])
