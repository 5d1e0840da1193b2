"""`bufferproof serve`: the ASGI service, one process or several, on a real Redis."""

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import options

if TYPE_CHECKING:
    from engine.buffer.serving import Serving

WORKERS_MAX = 1_024


def serve(
    strategy: Annotated[str, typer.Option(help="A built-in strategy, or path/to/file.py:ClassName.")] = "lease",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65_535)] = 8_000,
    workers: Annotated[int, typer.Option(help="How many processes, on one port and one Redis.")] = 1,
    fd: Annotated[
        int | None,
        typer.Option(help="Listen on this file descriptor, a listening socket, as a supervisor passes one.", min=0),
    ] = None,
    redis_url: Annotated[str | None, typer.Option(help="The Redis server; else REDIS_URL.")] = None,
    processor_url: Annotated[str | None, typer.Option(help="Who gets the batches; else PROCESSOR_URL.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeatable.")
    ] = None,
    cleanup: Annotated[
        bool, typer.Option(help="Run the periodic cleanup here: on one of several functions on one Redis.")
    ] = True,
) -> None:
    """Run the buffer as an HTTP service: POST /webhook, the delivery endpoint, GET /health, GET /metrics."""
    from engine.buffer.serving import Serving, run

    if not host:
        options.refuse("--host is empty: give 127.0.0.1, or 0.0.0.0 to listen on all addresses")
    if not 1 <= workers <= WORKERS_MAX:
        options.refuse(f"--workers {workers} is refused: give 1 to {WORKERS_MAX:,}")
    named = {"REDIS_URL": redis_url, "PROCESSOR_URL": processor_url}
    given = {name: value for name, value in named.items() if value is not None} | options.settings_of(settings)
    with closing(_listen(host, port) if fd is None else _passed(fd)) as listening:
        address = _address(*listening.getsockname()[:2])
        serving = Serving(strategy, given, address, cleanup)
        _warn(serving)
        shown = f"{workers} workers" if workers > 1 else "one worker"
        typer.echo(f"serving {strategy} on {address}, {shown}", err=True)
        run(serving, listening, workers)


def _warn(serving: "Serving") -> None:
    """Say what is wrong without being refused: settings that lose messages or leave a door open, and what the server is like."""
    from engine.buffer.production import check_addresses

    settings = serving.settings()
    check_addresses(settings)
    for warning in [*settings.warnings(), *settings.service_warnings()]:
        typer.echo(f"warning: {warning}", err=True)
    for warning in asyncio.run(_examined(settings.redis_url, serving.strategy)):
        typer.echo(f"warning: {warning}", err=True)


async def _examined(url: str, strategy: str) -> list[str]:
    """What `bufferproof doctor` would say of the server, but for what is well."""
    from redis.exceptions import RedisError

    from engine.buffer.doctor import diagnose
    from engine.buffer.production import connect

    redis = connect(url)
    try:
        findings = await diagnose(redis, strategy)
    except (RedisError, OSError) as error:
        said = " ".join(str(error).split())
        return [f"{options.without_secrets(url)} does not answer ({said}): calls are answered 503 until it does"]
    finally:
        await redis.aclose()
    return [f"{finding.what}: {finding.means}" for finding in findings if finding.level != "ok"]


def _listen(host: str, port: int) -> socket.socket:
    """The socket, bound before anything else is made, so that a port in use is a clear line. Raises `UsageError`."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # the rest repeats the address
        options.refuse(f"cannot listen on {host}:{port} ({reason}): choose another --host or --port")


def _passed(number: int) -> socket.socket:
    """The listening socket under this number. Raises `UsageError`."""
    try:
        found = socket.socket(fileno=number)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        options.refuse(f"--fd {number} is no socket ({error.strerror}): pass a listening one")
    if not listens:
        options.refuse(f"--fd {number} does not listen: pass a listening socket")
    return found


def _address(host: str, port: int) -> str:
    """How this function reaches itself."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
