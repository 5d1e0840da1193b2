"""The service processes of a load: what `bufferproof serve` runs, several of them on one listening socket."""

import asyncio
import ctypes
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psutil

from engine.buffer.errors import UsageError

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 10
HOST = "127.0.0.1"
PR_SET_PDEATHSIG = 1


class Service:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[dict[str, Any]], None]) -> None:
        self.process = process
        self.started = asyncio.Event()
        self.stopped = False  # by SIGSTOP
        self._on_line = on_line
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            with suppress(ValueError):
                line = json.loads(raw)
                if line.get("event") == "service.started":
                    self.started.set()
                self._on_line(line)

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended does not mind."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def ended(self) -> None:
        """Wait until it has ended and its last line is read."""
        await self.process.wait()
        await self._reader


class Services:
    """All processes. They share one socket, so any of them may get a call, as behind a platform's front."""

    def __init__(
        self, strategy: str, count: int, settings: Mapping[str, Any], on_line: Callable[[dict[str, Any]], None]
    ) -> None:
        self._strategy = strategy
        self._count = count
        self._settings = settings
        self._on_line = on_line
        self._socket = socket.create_server((HOST, 0), backlog=2_048)
        self.alive: list[Service] = []
        self._cpu_seconds_of_ended = 0.0

    @property
    def port(self) -> int:
        """Where they listen."""
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self) -> None:
        """Start all and wait until they serve. Raises `UsageError` if one does not come up."""
        await asyncio.gather(*(self.start_one(cleanup=number == 0) for number in range(self._count)))

    async def start_one(self, *, cleanup: bool = False) -> Service:
        """Start one. Raises `UsageError` if it does not come up."""
        number = self._socket.fileno()
        arguments = ["serve", "--strategy", self._strategy, "--fd", str(number)]
        arguments.append("--cleanup" if cleanup else "--no-cleanup")
        for name, value in self._settings.items():
            arguments += ["--set", f"{name}={value}"]
        with tempfile.TemporaryFile() as said:  # not a pipe, which would fill up and stop it where nobody reads
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "engine.cli.main", *arguments),
                pass_fds=[number],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                limit=2**20,
                start_new_session=True,  # a Ctrl-C at the terminal ends the load, which ends them
                preexec_fn=_end_with_parent,
            )
            service = Service(process, self._on_line)
            if not await self._comes_up(service):
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise UsageError(f"a service process did not start: {lines[-1] if lines else 'it said nothing'}")
        self.alive.append(service)
        return service

    async def _comes_up(self, service: Service) -> bool:
        started = asyncio.create_task(service.started.wait())
        ended = asyncio.create_task(service.process.wait())
        await asyncio.wait({started, ended}, timeout=START_TIMEOUT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        ended.cancel()
        if not service.started.is_set():
            service.signal(signal.SIGKILL)
            await service.process.wait()
        return service.started.is_set()

    def cpu_seconds(self) -> float:
        """CPU time that all of them have used, those that ended as far as it was known."""
        return self._cpu_seconds_of_ended + sum(_cpu_seconds(service.pid) for service in self.alive)

    def resident_bytes(self) -> int:
        """Memory of all that live."""
        return sum(psutil.Process(service.pid).memory_info().rss for service in self.alive)

    async def kill(self, service: Service) -> None:
        """SIGKILL one: no `finally` of it runs."""
        self._cpu_seconds_of_ended += _cpu_seconds(service.pid)
        self.alive.remove(service)
        service.signal(signal.SIGKILL)
        await service.ended()

    async def stop(self) -> None:
        """Stop all, gracefully for a while, and close the socket."""
        for service in self.alive:
            service.signal(signal.SIGCONT)
            service.signal(signal.SIGTERM)
        for service in self.alive:
            try:
                await asyncio.wait_for(service.ended(), STOP_TIMEOUT_SECONDS)
            except TimeoutError:
                service.signal(signal.SIGKILL)
                await service.process.wait()
        self.alive.clear()
        self._socket.close()


def _end_with_parent() -> None:
    """In the new process: be killed when the load is gone, however it went (Linux; elsewhere it may be left over)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _cpu_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def nofile() -> None:
    """As many open files as the system lets us have: each person may be a connection."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
