"""How the service becomes processes: one, or several workers on one listening socket that share one Redis.

Workers are functions like any others: each has its own memory and connections, any of them may get a call, and one that
dies is replaced. What they must agree on without Redis is in a folder of theirs: the counts for Prometheus, which each
writes to a file of its own and any of them adds up, and a lock by which one of them runs the cleanup.
"""

import fcntl
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from engine.buffer.catalogue import load_strategy
from engine.buffer.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

#: Where prometheus_client looks for the folder in which several processes keep their counts; read when it is imported.
COUNTS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_CLEANUP_LOCK = "cleanup.lock"
#: A worker that says nothing for so long is replaced. A new one says nothing until it has imported everything: on a busy machine
#: with uvicorn's own 5 s it would be replaced over and over before it could begin.
WORKER_SILENT_SECONDS = 60


@dataclass(frozen=True)
class Serving:
    """What is served, in a form that a new process can be given; calling it makes the application there.

    `strategy`: a name or `file.py:Class`. `given`: settings by upper-case names. `address`: where deliveries go unless
    BASE_URL is set. Raises `UsageError` where one of these is wrong.
    """

    strategy: str
    given: Mapping[str, Any]
    address: str
    runs_cleanup: bool = True

    def settings(self) -> Settings:
        """The settings in force."""
        strategy = load_strategy(self.strategy)
        return Settings.load({"BASE_URL": self.address, **strategy.default_settings}, self.given)

    def __call__(self) -> "Starlette":
        """The application of one process."""
        from engine.buffer.production import create_production_app  # after COUNTS_FOLDER is set

        log_lines_to(sys.stdout)
        return create_production_app(
            load_strategy(self.strategy), self.settings(), runs_cleanup=self.runs_cleanup and _is_first()
        )


def run(serving: Serving, listening: socket.socket, workers: int = 1) -> None:
    """Serve until SIGINT or SIGTERM, then stop gracefully: calls are answered within GRACEFUL_STOP_SECONDS.

    What a call has claimed and could not finish by then is given back. Raises `SystemExit`, with 0 after a signal.
    """
    config = uvicorn.Config(
        serving,
        factory=True,
        workers=workers,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=serving.settings().graceful_stop_seconds,
        timeout_worker_healthcheck=WORKER_SILENT_SECONDS,
    )
    if workers == 1:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)  # the server raises the signal again when it has stopped
        uvicorn.Server(config).run(sockets=[listening])
        return
    log_lines_to(sys.stdout)
    with tempfile.TemporaryDirectory(prefix="bufferproof-serve-") as folder:
        os.environ[COUNTS_FOLDER] = folder  # workers inherit it
        try:
            Multiprocess(config, sockets=[listening]).run()
        finally:
            del os.environ[COUNTS_FOLDER]


def log_lines_to(stream: Any) -> None:
    """Log JSON lines: ours are that already, and others' are put in one."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines would name every address that is called


class JsonLines(logging.Formatter):
    """One JSON object a line, whoever logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Our lines as they are; another's with its logger, its level, and its error's type and place, not its text."""
        text = record.getMessage()
        if record.name == "bufferproof" and text.startswith("{"):
            return text
        line = {"event": "log", "logger": record.name, "level": record.levelname.lower(), "text": text}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            last = traceback.extract_tb(error.__traceback__)[-1:]
            where = f"{last[0].filename}:{last[0].lineno}" if last else ""
            line |= {"error": type(error).__name__, "at": where}
        return json.dumps(line)


def _is_first() -> bool:
    """Whether this process is the one of several that runs the cleanup; it stays so for as long as it lives."""
    folder = os.environ.get(COUNTS_FOLDER)
    if folder is None:
        return True
    number = os.open(Path(folder) / _CLEANUP_LOCK, os.O_CREAT | os.O_RDWR)  # closed when the process ends
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        return False
    return True


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(os.EX_OK)
