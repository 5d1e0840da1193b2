"""`bufferproof serve`: the ASGI service of one function, on a real Redis."""

import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from starlette.applications import Starlette


def serve(
    strategy: Annotated[str, typer.Option(help="A built-in strategy, or path/to/file.py:ClassName.")] = "lease",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65_535)] = 8_000,
    redis_url: Annotated[str | None, typer.Option(help="The Redis server; else REDIS_URL.")] = None,
    processor_url: Annotated[str | None, typer.Option(help="Who gets the batches; else PROCESSOR_URL.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeatable.")
    ] = None,
    cleanup: Annotated[
        bool, typer.Option(help="Run the periodic cleanup here: on one of several functions on one Redis.")
    ] = True,
) -> None:
    """Run the buffer as an HTTP service: POST /webhook, the delivery endpoint, GET /health."""
    from engine.cli.options import settings_of

    options = {"REDIS_URL": redis_url, "PROCESSOR_URL": processor_url}
    given = {name: value for name, value in options.items() if value is not None} | settings_of(settings)
    with _listen(host, port) as listening:
        address = _address(host, listening.getsockname()[1])
        app = _build(strategy, given, address, cleanup)
        typer.echo(f"serving {strategy} on {address}", err=True)
        _run(app, listening)


def _build(strategy_name: str, given: dict[str, str], address: str, runs_cleanup: bool) -> "Starlette":
    from engine.buffer.catalogue import load_strategy
    from engine.buffer.production import create_production_app
    from engine.buffer.settings import Settings

    strategy = load_strategy(strategy_name)
    # A function's deliveries come back to itself unless BASE_URL names a place in front of several.
    defaults = {"BASE_URL": address, **strategy.default_settings}
    loaded = Settings.load(defaults, given)
    for warning in loaded.warnings():
        typer.echo(f"warning: {warning}", err=True)
    return create_production_app(strategy, loaded, runs_cleanup=runs_cleanup)


def _listen(host: str, port: int) -> socket.socket:
    """The socket, bound before anything else is made, so that a port in use is a clear line. Raises `UsageError`."""
    from engine.buffer.errors import UsageError

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # the rest repeats the address
        raise UsageError(f"cannot listen on {host}:{port} ({reason}): choose another --host or --port") from None


def _address(host: str, port: int) -> str:
    """How this function reaches itself."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _run(app: "Starlette", listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, then stop gracefully: calls are answered, connections closed, exit status 0."""
    import uvicorn

    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines would name every address that is called
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)  # the server raises the signal again when it has stopped
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, lifespan="on", server_header=False
    )
    uvicorn.Server(config).run(sockets=[listening])


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(os.EX_OK)
