"""What fakeredis does otherwise and the simulation repairs: the same commands, one after the other, on both servers."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import RedisError, WatchError

from engine.load.server import EmbeddedServer, embedded_server
from tests.integration.conformance.sides import FakeSide, RealSide, Side

pytestmark = pytest.mark.real_server

NOW_US = 1_800_000_000_000_000
SEQUENCES: dict[str, list[str]] = {
    "a pop from several lists leaves no empty one": [
        "RPUSH l a b",
        "LMPOP 2 none l LEFT",
        "LMPOP 1 l RIGHT",
        "KEYS *",
        "RPUSH l a",
        "BLMPOP 1 1 l LEFT",
        "KEYS *",
    ],
    "a new list has no end of the old one": ["RPUSH l a", "EXPIRE l 100", "LMPOP 1 l LEFT", "RPUSH l b", "TTL l"],
    "what ends now is gone at once": [
        "SET k 1",
        "PEXPIRE k 0",
        "EXISTS k",
        "RPUSH k 1",
        "EXPIRE k -1",
        "TYPE k",
        "SET k 1",
        "PEXPIREAT k 5",
        "GET k",
        "SET k 1",
        "GETEX k PXAT 5",
        "EXISTS k",
    ],
    "a hash whose last field has ended is gone": [
        "HSET h a 1 b 2",
        "HPEXPIRE h 0 FIELDS 1 a",
        "HGETALL h",
        "HPEXPIREAT h 5 FIELDS 1 b",
        "KEYS *",
        "KEYS *",
        "DBSIZE",
        "EXISTS h",
        "TYPE h",
    ],
    "a group reads what is new, and then what it has": [
        "XGROUP CREATE s g 0 MKSTREAM",
        "XADD s 1-1 a 1",
        "XADD s 2-1 a 2",
        "XREADGROUP GROUP g c COUNT 1 BLOCK 100 STREAMS s >",
        "XREADGROUP GROUP g c BLOCK 100 STREAMS s >",
        "XREADGROUP GROUP g c STREAMS s >",
        "XREADGROUP GROUP g c BLOCK 100 STREAMS s 0",
        "XACK s g 1-1",
        "XCLAIM s g d 0 2-1",
    ],
}
SCRIPTS = [
    "return type(redis.pcall('INCR', KEYS[1]).err)",
    "local r = redis.pcall('INCR', KEYS[1]) return string.find(r.err, 'integer') and 1 or 0",
    "local r = redis.pcall('LPOP', KEYS[1]) return string.sub(r.err, 1, 9)",
    "local r = redis.pcall('RENAME', 'none', 'other') return r.err == 'ERR no such key' and 1 or 0",
    "return redis.call('SET', KEYS[1], redis.pcall('INCR', KEYS[1]).err)",
    "return type(os.time) .. type(os.clock)",
]


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedServer]:
    with embedded_server() as server:
        yield server


@pytest.fixture
def sides(embedded: EmbeddedServer) -> Iterator[tuple[Side, Side]]:
    fake, real = FakeSide(), RealSide(embedded.url)
    fake.now_us = NOW_US
    real.client.flushall()
    yield fake, real
    real.client.close()


def answer(side: Side, *command: str) -> Any:
    client: Any = side.client
    try:
        return client.execute_command(*command)
    except RedisError as error:
        return f"error {str(error).split()[0]}"


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_simulation_s_server_answers_as_a_real_one(name: str, sides: tuple[Side, Side]) -> None:
    for command in SEQUENCES[name]:
        fake, real = (answer(side, *command.split()) for side in sides)
        assert fake == real, command


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_answered_as_by_a_real_one(script: str, sides: tuple[Side, Side]) -> None:
    for side in sides:
        answer(side, "SET", "text", "abc")
    fake, real = (answer(side, "EVAL", script, "1", "text") for side in sides)
    assert fake == real


def test_a_function_hears_an_error_as_a_string_too(sides: tuple[Side, Side]) -> None:
    library = (
        "#!lua name=l\n"
        "redis.register_function('f', function() local r = redis.pcall('INCR', 'text') return type(r.err) .. r.err end)"
    )
    for side in sides:
        answer(side, "SET", "text", "abc")
        answer(side, "FUNCTION", "LOAD", "REPLACE", library)
    fake, real = (answer(side, "FCALL", "f", "1", "text") for side in sides)
    assert fake == real


#: What another client does to a key that is watched: each must abort the transaction, or not, as on a server.
CHANGES = [
    "XADD s * a 1",
    "XDEL s 1-1",
    "XREADGROUP GROUP g c STREAMS s >",
    "XREADGROUP GROUP g c STREAMS s 0",
    "XACK s g 1-1",
    "XCLAIM s g d 0 1-1",
    "XAUTOCLAIM s g d 0 0",
    "XGROUP DELCONSUMER s g c",
    "XGROUP SETID s g 0",
    "LMPOP 1 l LEFT",
    "BLMPOP 1 1 l LEFT",
    "HPEXPIRE h 5000 FIELDS 1 a",
    "HPERSIST h FIELDS 1 a",
    "HGETEX h EX 50 FIELDS 1 a",
    "HGETEX h FIELDS 1 a",
    "PEXPIRE k 0",
    "LLEN l",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_watch_sees_what_it_sees_on_a_real_server(change: str, sides: tuple[Side, Side]) -> None:
    committed = []
    for side in sides:
        client: Any = side.client
        for command in (
            "XADD s 1-1 a 1",
            "XGROUP CREATE s g 0",
            "XADD s 2-1 a 2",
            "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
        ):
            client.execute_command(*command.split())
        for command in ("RPUSH l a b", "HSET h a 1 b 2", "HPEXPIRE h 9000 FIELDS 1 a", "SET k 1"):
            client.execute_command(*command.split())
        with client.pipeline() as pipeline:
            pipeline.watch("s", "l", "h", "k")
            client.execute_command(*change.split())
            pipeline.multi()
            pipeline.set("done", 1)
            try:
                committed.append(bool(pipeline.execute()))
            except WatchError:
                committed.append(False)
    assert committed[0] == committed[1]
