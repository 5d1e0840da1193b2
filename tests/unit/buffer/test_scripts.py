from importlib import resources

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from engine.buffer.scripts import Script
from tests.unit.buffer.world import World

ADD = Script.load("engine.buffer.plan", "add_message_to_buffer.lua")
COUNT = Script("count.lua", "return redis.call('INCRBY', KEYS[1], ARGV[1])", "0" * 40)


async def test_a_script_that_the_server_does_not_know_is_sent_once_in_full(world: World) -> None:
    assert await COUNT.run(world.redis, keys=["n"], args=[2]) == 2
    assert world.redis.commands == ["EVALSHA", "EVAL"]


async def test_a_script_that_the_server_knows_is_run_by_its_digest(world: World) -> None:
    loaded = Script.load("engine.buffer.plan", "get_and_mark_buffer.lua")
    assert await loaded.run(world.redis, keys=["k"], args=[1, "now", "SETEX"]) is None
    world.redis.commands.clear()
    assert await loaded.run(world.redis, keys=["k"], args=[1, "now", "SETEX"]) is None
    assert world.redis.commands == ["EVALSHA"]


async def test_a_flushed_script_cache_costs_one_round_trip_and_nothing_else(world: World) -> None:
    loaded = Script.load("engine.buffer.plan", "get_and_mark_buffer.lua")
    await loaded.run(world.redis, keys=["k"], args=[1, "now", "SETEX"])
    await world.redis.script_flush()
    world.redis.commands.clear()
    assert await loaded.run(world.redis, keys=["k"], args=[1, "now", "SETEX"]) is None
    assert world.redis.commands == ["EVALSHA", "EVAL"]


async def test_no_other_error_is_tried_again(world: World) -> None:
    failing = Script("bad.lua", "return redis.call('INCRBY', KEYS[1], 'x')", "1" * 40)
    with pytest.raises(ResponseError):
        await failing.run(world.redis, keys=["n"], args=[])
    world.redis.failing = {"EVALSHA"}
    world.redis.commands.clear()
    with pytest.raises(RedisConnectionError):
        await COUNT.run(world.redis, keys=["n"], args=[2])
    assert world.redis.commands == ["EVALSHA"]


def test_every_script_opens_with_its_keys_arguments_and_result() -> None:
    scripts = [file for file in resources.files("engine.buffer.plan").iterdir() if file.name.endswith(".lua")]
    assert len(scripts) == 2
    for script in scripts:
        head = script.read_text("utf-8").split("\n\n")[0]
        assert all(line.startswith("--") for line in head.splitlines())
        assert all(word in head for word in ("KEYS[1]", "ARGV[1]", "Returns"))


def test_a_script_is_read_once() -> None:
    assert Script.load("engine.buffer.plan", "add_message_to_buffer.lua") is ADD
