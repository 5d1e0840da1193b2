"""What no run can hold is refused in one line that names the place: threads, connections, processes, a constructor that fails."""

import subprocess
import textwrap
import threading
from pathlib import Path

import pytest

from engine.buffer.errors import UsageError
from scenarios.batch import Plan, run_batch

HEAD = """
import asyncio, datetime, os, random, socket, subprocess, threading, time, uuid
from uuid import uuid4 as unique
import redis, redis.asyncio
from engine.buffer import Receipt, Strategy


class Mine(Strategy):
    name = "mine"

    async def receive(self, message):
"""


def verdict_of(folder: Path, body: str, head: str = HEAD) -> str:
    path = folder / "mine.py"
    path.write_text(head + textwrap.indent(body + "\nreturn Receipt()\n", "        "))
    with pytest.raises(UsageError) as caught:
        run_batch(Plan(strategy=f"{path}:Mine", scenario="boundary", policy="timed", seed=0), 0, 1)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("threading.Thread(target=print).start()", "starts a thread"),
        ("await asyncio.to_thread(print)", "starts a thread"),
        ("await asyncio.get_running_loop().run_in_executor(None, print)", "starts a thread"),
        ("redis.Redis().get('key')", "opens a connection of its own"),
        ("await redis.asyncio.Redis(host='10.0.0.1').get('key')", "opens a connection of its own"),
        ("await redis.asyncio.from_url('unix:///tmp/redis.sock').get('key')", "opens a connection of its own"),
        ("await asyncio.open_connection('127.0.0.1', 80)", "opens a connection of its own"),
        ("socket.create_connection(('127.0.0.1', 80))", "opens a connection of its own"),
        ("subprocess.run(['true'])", "starts a process"),
        ("await asyncio.create_subprocess_shell('true')", "starts a process"),
        ("unique()", "calls uuid.uuid4()"),
        ("datetime.datetime.now()", "calls datetime.now()"),
        ("time.sleep(1)", "calls time.sleep()"),
        ("random.random()", "calls random.random()"),
        ("os.urandom(8)", "calls os.urandom()"),
    ],
)
def test_what_no_run_can_reproduce_is_named_with_its_place(tmp_path: Path, body: str, said: str) -> None:
    told = verdict_of(tmp_path, body)
    assert told.startswith(f"mine.py:{HEAD.count(chr(10)) + 1} {said}")
    assert "\n" not in told


def test_it_is_named_also_where_the_design_swallows_all_errors(tmp_path: Path) -> None:
    body = "try:\n    threading.Thread(target=print).start()\nexcept Exception:\n    pass"
    assert "starts a thread" in verdict_of(tmp_path, body)


def test_a_constructor_that_fails_is_named_with_its_error(tmp_path: Path) -> None:
    head = HEAD.replace("    async def", "    def __init__(self, runtime):\n        self.x = {}['no']\n\n    async def")
    told = verdict_of(tmp_path, "pass", head)
    assert told == "the constructor of Mine raised KeyError: 'no' (mine.py:12): repair it"


def test_outside_a_run_threads_and_processes_are_what_they_were(tmp_path: Path) -> None:
    verdict_of(tmp_path, "subprocess.run(['true'])")
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    assert subprocess.run(["true"], check=True).returncode == 0


def test_an_answer_that_was_forgotten_is_not_accepted_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEAD + "        return None\n")
    errors: set[str] = set()

    def observe(history: list[dict[str, str]]) -> None:
        errors.update(event["error"] for event in history if event["event"] == "receive.failed")

    plan = Plan(strategy=f"{path}:Mine", scenario="boundary", policy="timed", seed=0)
    tally = run_batch(plan, 0, 1, observe)
    assert errors == {"TypeError: receive() must return a Receipt, not NoneType"}
    assert tally.violations["available"] == 1
