"""`bufferproof dead-letters`: what `lease` has given up: list it, put it back, or drop it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.cli import options

if TYPE_CHECKING:
    from engine.buffer.lease.dead_letters import DeadLetter, DeadLetters

T = TypeVar("T")
app = typer.Typer(help="Batches that were given up after all attempts.")

RedisUrl = Annotated[str | None, typer.Option(help="The Redis server; else REDIS_URL.")]
Key = Annotated[str, typer.Argument(help="The batch's key, as `list` shows it.")]


@app.command("list")
def list_letters(
    redis_url: RedisUrl = None, as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False
) -> int:
    """Every dead letter, the oldest first; without the messages' texts."""

    async def work(letters: "DeadLetters") -> int:
        for letter in await letters.all():
            ids = ", ".join(letter.message_ids)
            plain = {"key": letter.key, "at": letter.at, "messages": list(letter.message_ids), "reason": letter.reason}
            typer.echo(json.dumps(plain) if as_json else f"{letter.key}  {letter.at}  {ids}  {letter.reason}")
        return 0

    return _on(redis_url, work)


@app.command()
def requeue(key: Key, redis_url: RedisUrl = None) -> int:
    """Put a batch back: it keeps its key, takes a new fence, and its attempts count afresh."""

    async def work(letters: "DeadLetters") -> int:
        letter = await _find(letters, key)
        outcome = await letters.requeue(letter)
        if outcome != "requeued":
            options.refuse(
                f"dead letter {key}: {outcome}: another batch of the conversation is in flight; try again later"
            )
        typer.echo(f"requeued {key}")
        return 0

    return _on(redis_url, work)


@app.command()
def drop(key: Key, redis_url: RedisUrl = None) -> int:
    """Forget a batch for good."""

    async def work(letters: "DeadLetters") -> int:
        await letters.drop(await _find(letters, key))
        typer.echo(f"dropped {key}")
        return 0

    return _on(redis_url, work)


async def _find(letters: "DeadLetters", key: str) -> "DeadLetter":
    letter = await letters.find(key)
    if letter is None:
        options.refuse(f"dead letter {key}: there is none of this key: see `bufferproof dead-letters list`")
    return letter


def _on(redis_url: str | None, work: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    from redis.exceptions import RedisError

    from engine.buffer.lease.dead_letters import DeadLetters
    from engine.buffer.production import connect
    from engine.buffer.settings import Settings

    settings = Settings.load(given={} if redis_url is None else {"REDIS_URL": redis_url})

    async def run() -> T:
        redis = connect(settings.redis_url)
        try:
            return await work(DeadLetters(redis, settings))
        except (RedisError, OSError) as error:
            options.refuse(
                f"{options.without_secrets(settings.redis_url)}: cannot be reached ({error}): check the address"
            )
        finally:
            await redis.aclose()

    return asyncio.run(run())
