"""`bufferproof track`: where one message is, from its first call to its effect."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from engine.buffer.tracking import Step


def track(
    message_id: Annotated[str, typer.Argument(help="The provider's id of the message.")],
    redis_url: Annotated[str | None, typer.Option(help="The Redis server; else REDIS_URL.")] = None,
) -> None:
    """Tell the steps of one message: received, buffered, handed over, processed. On where ENABLE_BUFFER_MONITORING is."""
    from engine.buffer.settings import Settings

    url = redis_url or Settings.load().redis_url
    steps = asyncio.run(_steps(url, message_id))
    if not steps:
        options.refuse(
            f"nothing is known of the message {message_id!r}: check the id, that ENABLE_BUFFER_MONITORING is true, and"
            " TRACK_TTL_SECONDS"
        )
    for conversation in dict.fromkeys(step.conversation for step in steps):
        typer.echo(f"{conversation.instance_name} {conversation.user_phone}")
        for step in steps:
            if step.conversation == conversation:
                batch = f"  batch {step.batch}" if step.batch else ""
                typer.echo(f"  {step.at}  {step.stage:<13} {step.function}{batch}")


async def _steps(url: str, message_id: str) -> "list[Step]":
    from redis.exceptions import RedisError

    from engine.buffer.production import connect
    from engine.buffer.tracking import track as steps_of

    redis = connect(url)
    try:
        return await steps_of(redis, message_id)
    except (RedisError, OSError) as error:
        options.refuse(f"{options.without_secrets(url)}: cannot be asked ({error}): check the address and that it runs")
    finally:
        await redis.aclose()
