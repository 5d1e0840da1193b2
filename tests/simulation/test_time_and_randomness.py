"""Time and randomness of the fake server, of libraries and of strategies are the simulation's."""

import os
import random
import time
import uuid
from pathlib import Path

import pytest

from engine.buffer import Message, Receipt, Strategy, UsageError
from engine.buffer.catalogue import load_strategy
from engine.simulation.guard import NondeterminismError
from engine.simulation.process import EPOCH_MS
from engine.verification import digest
from tests.simulation.steering import case_of, events, notes, one, run, sending

CLOCKED = """
import {imports}
from engine.buffer import Receipt, Strategy

class Clocked(Strategy):
    name = "clocked"

    async def receive(self, message):
        {call}
        return Receipt()
"""


class Expires(Strategy):
    """The message `set` sets a key with the expiry in its data; any other looks whether it is there."""

    name = "expires"

    async def receive(self, message: Message) -> Receipt:
        if message.text == "set":
            unit, length = message.data
            await self.runtime.redis.set("key", "1", **{unit.lower(): length})
        else:
            self.runtime.note("there", there=bool(await self.runtime.redis.exists("key")))
        return Receipt()


@pytest.mark.parametrize("at_ms", [0, 1, 43, 44_999, 86_400_007])
@pytest.mark.parametrize("ttl", [("EX", 15), ("PX", 15_000), ("PX", 1), ("PX", 333), ("EX", 60), ("EX", 3_600)])
def test_a_key_is_there_at_exactly_its_end_and_gone_one_millisecond_later(at_ms: int, ttl: tuple[str, int]) -> None:
    end_ms = at_ms + 2 + ttl[1] * (1_000 if ttl[0] == "EX" else 1)  # two hops before the command is executed
    looks = [sending(end_ms - 2 + late, f"look{late}", "look") for late in (-1, 0, 1)]
    history = run(Expires, case_of(sending(at_ms, "set", "set", data=list(ttl)), *looks))
    found = {event["t"] - 1 - end_ms: event["there"] for event in notes(history, "there")}
    assert found == {-1: True, 0: True, 1: False}
    assert one(history, "key.expired")["key"] == "key"


class AsksTheServer(Strategy):
    """Notes what TIME says, as a command and in a script."""

    name = "asks_the_server"

    async def receive(self, message: Message) -> Receipt:
        self.runtime.note("time", time=list(await self.runtime.redis.time()))
        in_lua = await self.runtime.redis.eval("return redis.call('TIME')", 0)
        self.runtime.note("lua", time=[int(part) for part in in_lua])
        return Receipt()


@pytest.mark.parametrize("at_ms", [0, 1, 43, 999, 123_456])
def test_the_server_s_time_is_virtual_time(at_ms: int) -> None:
    history = run(AsksTheServer, case_of(sending(at_ms)))
    asked = events(history, "redis.executed")
    for note, command in (("time", asked[0]), ("lua", asked[1])):
        now_ms = EPOCH_MS + command["t"]
        assert one(history, "note", note=note)["time"] == [now_ms // 1_000, now_ms % 1_000 * 1_000]


class AsksForRandomThings(Strategy):
    """Notes what the server, redis-py's lock and the runtime draw."""

    name = "asks_for_random_things"

    async def receive(self, message: Message) -> Receipt:
        redis = self.runtime.redis
        for number in range(30):
            await redis.set(f"key{number}", number)
        await redis.sadd("set", *(f"member{number}" for number in range(30)))
        self.runtime.note("drawn", key=await redis.randomkey(), members=await redis.srandmember("set", 10))
        self.runtime.note("all", members=list(await redis.smembers("set")), scanned=await redis.sscan("set"))
        lock = redis.lock("lock", timeout=10)
        await lock.acquire()
        self.runtime.note("lock", token=await redis.get("lock"), mine=self.runtime.random.random())
        await lock.release()
        return Receipt()


def test_what_the_server_and_the_lock_draw_is_the_same_in_each_run() -> None:
    random.seed(1)
    first = run(AsksForRandomThings)
    random.seed(2)
    assert digest(run(AsksForRandomThings)) == digest(first)
    assert len(set(one(first, "note", note="drawn")["members"])) == 10
    assert len(one(first, "note", note="lock")["token"]) == 32


def test_a_run_leaves_the_machine_s_clocks_and_randomness_as_they_were() -> None:
    before = (time.time, time.monotonic, time.strftime, random.random, random.Random, uuid.uuid4, os.urandom)
    state = random.getstate()
    run(AsksForRandomThings)
    assert before == (time.time, time.monotonic, time.strftime, random.random, random.Random, uuid.uuid4, os.urandom)
    assert random.getstate() == state
    assert abs(time.time() * 1_000 - EPOCH_MS) > 60_000


@pytest.mark.parametrize(
    ("statement", "call", "named", "instead"),
    [
        ("import time", "time.time()", "time.time", "runtime.now()"),
        ("import time", "time.monotonic()", "time.monotonic", "runtime.now()"),
        ("import time", "time.perf_counter_ns()", "time.perf_counter_ns", "runtime.now()"),
        ("import time", "time.process_time()", "time.process_time", "runtime.now()"),
        ("import time", "time.clock_gettime(time.CLOCK_REALTIME)", "time.clock_gettime", "runtime.now()"),
        ("import time", "time.strftime('%H')", "time.strftime", "runtime.now()"),
        ("import time", "time.gmtime()", "time.gmtime", "runtime.now()"),
        ("import time", "time.sleep(1)", "time.sleep", "await runtime.sleep()"),
        ("from time import time", "time()", "time.time", "runtime.now()"),
        ("from time import time as clock", "clock()", "time.time", "runtime.now()"),
        ("from datetime import datetime", "datetime.now()", "datetime.now", "runtime.now()"),
        ("from datetime import datetime", "datetime.utcnow()", "datetime.utcnow", "runtime.now()"),
        ("import datetime", "datetime.datetime.now(datetime.UTC)", "datetime.now", "runtime.now()"),
        ("import datetime", "datetime.date.today()", "time.time", "runtime.now()"),
        ("import random", "random.random()", "random.random", "runtime.random"),
        ("import random", "random.choice([1, 2])", "random.choice", "runtime.random"),
        ("import random", "random.Random()", "random.Random", "runtime.random"),
        ("from random import Random", "Random()", "random.Random", "runtime.random"),
        ("from random import randint", "randint(1, 2)", "random.randint", "runtime.random"),
        ("from uuid import uuid4", "uuid4()", "uuid.uuid4", "runtime.random"),
        ("import uuid", "uuid.uuid1()", "uuid.uuid1", "runtime.random"),
        ("import os", "os.urandom(8)", "os.urandom", "runtime.random"),
        ("from os import urandom", "urandom(8)", "os.urandom", "runtime.random"),
        ("import secrets", "secrets.token_hex()", "secrets.token_hex", "runtime.random"),
    ],
)
def test_a_call_past_the_runtime_is_named_with_file_and_line(
    tmp_path: Path, statement: str, call: str, named: str, instead: str
) -> None:
    path = tmp_path / "clocked.py"
    path.write_text(CLOCKED.replace("import {imports}", statement).format(call=call))
    with pytest.raises(NondeterminismError) as caught:
        run(load_strategy(f"{path}:Clocked"))
    assert isinstance(caught.value, UsageError)
    text = str(caught.value)
    assert text.startswith(f"clocked.py:9 calls {named}()")
    assert instead in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("statement", "call"),
    [
        ("import time", "time.strftime('%H', time.gmtime(0))"),
        ("import time", "time.gmtime(0)"),
        ("import random", "random.Random(7).random()"),
        ("from datetime import datetime", "datetime.fromisoformat('2026-01-05T09:00:00Z')"),
        ("import uuid", "uuid.uuid5(uuid.NAMESPACE_URL, 'x')"),
        ("import os", "os.getpid"),
    ],
)
def test_a_call_that_depends_on_its_arguments_alone_is_not_named(tmp_path: Path, statement: str, call: str) -> None:
    path = tmp_path / "clocked.py"
    path.write_text(CLOCKED.replace("import {imports}", statement).format(call=call))
    assert run(load_strategy(f"{path}:Clocked"))[-1]["completed"]


def test_a_call_in_a_file_that_the_strategy_imports_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "clock_of_mine.py").write_text("from time import time\n\n\ndef moment():\n    return time()\n")
    path = tmp_path / "clocked.py"
    path.write_text(CLOCKED.replace("import {imports}", "from clock_of_mine import moment").format(call="moment()"))
    with pytest.raises(NondeterminismError, match=r"clock_of_mine.py:5 calls time.time\(\)"):
        run(load_strategy(f"{path}:Clocked"))


def test_the_next_run_is_not_blamed_for_the_last(tmp_path: Path) -> None:
    path = tmp_path / "clocked.py"
    path.write_text(CLOCKED.replace("import {imports}", "import time").format(call="time.time()"))
    with pytest.raises(NondeterminismError):
        run(load_strategy(f"{path}:Clocked"))
    assert run(AsksTheServer)[-1]["completed"]
