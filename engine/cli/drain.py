"""`bufferproof drain`: hand over what is buffered at once, before a rollback or a change of SHARDS."""

import asyncio
from typing import Annotated

import typer

from engine.cli import options

LEFT = 1


def drain(
    strategy: Annotated[str, typer.Option(help="A built-in strategy, or path/to/file.py:ClassName.")] = "lease",
    redis_url: Annotated[str | None, typer.Option(help="The Redis server; else REDIS_URL.")] = None,
    processor_url: Annotated[str | None, typer.Option(help="Who gets the batches; else PROCESSOR_URL.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeatable.")
    ] = None,
) -> int:
    """Hand over everything that waits, due or not. Stop all functions that take messages first.

    Exit status 1 if something is left: the processor does not confirm it.
    """
    from redis.exceptions import RedisError

    from engine.buffer.catalogue import load_strategy
    from engine.buffer.draining import drain as hand_over_all
    from engine.buffer.settings import Settings

    named = {"REDIS_URL": redis_url, "PROCESSOR_URL": processor_url}
    given = {name: value for name, value in named.items() if value is not None} | options.settings_of(settings)
    design = load_strategy(strategy)
    in_force = Settings.load(dict(design.default_settings), given)
    try:
        confirmed, left = asyncio.run(hand_over_all(design, in_force))
    except (RedisError, OSError) as error:
        said = " ".join(str(error).split())
        options.refuse(f"{options.without_secrets(in_force.redis_url)}: cannot be asked ({said}): check the address")
    if left is None:
        options.refuse(f"{strategy} can not be drained: it does not know what it holds; wait until its TTLs are over")
    typer.echo(f"{confirmed} messages were handed over, {left} conversations are left")
    return LEFT if left else 0
