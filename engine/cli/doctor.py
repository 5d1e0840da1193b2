"""`bufferproof doctor`: looks at a real Redis and says what it means for a strategy."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from engine.buffer.doctor import Finding


def doctor(
    url: Annotated[str, typer.Argument(help="The server: redis://host:port/0")],
    strategy: Annotated[str, typer.Option(help="The strategy it is for.")] = "lease",
) -> int:
    """Look at a Redis server: exit status 0, or 1 if it endangers what the strategy promises."""
    from engine.buffer.catalogue import BUILT_IN

    options.known("--strategy", strategy, BUILT_IN)
    findings = asyncio.run(_diagnose(url, strategy))
    for finding in findings:
        typer.echo(f"{finding.level:<8} {finding.what}: {finding.means}")
    return int(any(finding.level == "danger" for finding in findings))


async def _diagnose(url: str, strategy: str) -> "list[Finding]":
    from redis.exceptions import RedisError

    from engine.buffer.doctor import diagnose
    from engine.buffer.production import connect

    redis = connect(url)
    try:
        return await diagnose(redis, strategy)
    except (RedisError, OSError) as error:
        options.refuse(f"{options.without_secrets(url)}: cannot be asked ({error}): check the address and that it runs")
    finally:
        await redis.aclose()
