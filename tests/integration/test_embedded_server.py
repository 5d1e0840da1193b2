"""The embedded server: it starts, keeps what it must keep, and never outlives who started it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from engine.load.server import answers, embedded_server

pytestmark = pytest.mark.real_server


def test_it_answers_on_loopback_and_is_gone_afterwards() -> None:
    with embedded_server() as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
            assert client.info("server")["process_id"] == server.pid
            assert client.config_get("bind")["bind"] == "127.0.0.1"
        directory, pid = Path(server._directory), server.pid
    assert not answers(server.host, server.port)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("kill", [False, True])
def test_what_was_written_outlives_a_restart_if_it_is_appendonly(kill: bool) -> None:
    with embedded_server(appendonly=True) as server, redis.Redis.from_url(server.url) as client:
        port, pid = server.port, server.pid
        client.set("kept", "1")
        server.restart(kill=kill)
        assert client.get("kept") == b"1"
        assert (server.port, server.pid != pid) == (port, True)


def test_it_is_empty_after_a_restart_otherwise() -> None:
    with embedded_server() as server, redis.Redis.from_url(server.url) as client:
        client.set("lost", "1")
        server.restart()
        assert client.get("lost") is None


def test_a_paused_server_still_stops() -> None:
    with embedded_server(extra={"maxmemory": "64mb"}) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("maxmemory")["maxmemory"] == str(64 * 2**20)
        server.pause()
    assert not answers(server.host, server.port)


def test_it_does_not_outlive_a_process_that_is_killed() -> None:
    code = (
        "import time\nfrom engine.load.server import embedded_server\n"
        "with embedded_server() as server:\n    print(server.port, server._directory, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port, directory = process.stdout.readline().split()
        assert answers("127.0.0.1", int(port))
        process.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not answers("127.0.0.1", int(port)) and not Path(directory).exists():
            break
        time.sleep(0.02)
    assert not answers("127.0.0.1", int(port))
    assert not Path(directory).exists()
