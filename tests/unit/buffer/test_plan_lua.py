import pytest
from redis.exceptions import RedisError

from engine.buffer.errors import HandOverFailed
from engine.buffer.model import Delivery, Receipt
from engine.buffer.plan.lua import Lua
from tests.unit.buffer.world import CONVERSATION, World, message

BUFFER = "msg_buffer:bot:4915112345"
FALLBACK = Receipt(success=False, fallback_to_immediate=True)


async def test_an_add_is_a_script_and_a_second_get(world: World) -> None:
    strategy = world.make(Lua)
    assert await strategy.receive(message(1, data={"a": "b"})) == Receipt(buffer_created=True)
    assert world.redis.commands == ["EVALSHA", "EVAL", "GET", "SETEX"]
    document = await world.document()
    assert document is not None
    assert document["messages"][0]["messageData"] == {"a": "b"}
    assert (document["firstMessageAt"], document["processed"]) == ("2026-01-01T00:00:00.000Z", False)
    assert await world.ttl(BUFFER) == 60


async def test_a_second_message_joins_and_refreshes(world: World) -> None:
    strategy = world.make(Lua)
    await strategy.receive(message(1))
    world.clock = world.clock.replace(second=5)
    assert await strategy.receive(message(2)) == Receipt(buffer_created=False)
    document = await world.document()
    assert document is not None
    assert len(document["messages"]) == 2
    assert (document["firstMessageAt"], document["lastMessageAt"]) == (
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:05.000Z",
    )


async def test_two_messages_before_either_looks_again_create_no_buffer_and_no_delivery(world: World) -> None:
    strategy = world.make(Lua)
    other = world.make(Lua)
    other.runtime.redis = world.connect()

    async def arrive() -> None:
        assert await other.receive(message(2)) == Receipt(buffer_created=False)

    world.redis.before["GET"] = arrive
    assert await strategy.receive(message(1)) == Receipt(buffer_created=False)
    assert not strategy.runtime._tasks
    assert not other.runtime._tasks


async def test_a_processed_buffer_sends_messages_past_it(world: World) -> None:
    strategy = world.make(Lua)
    await strategy.receive(message(1))
    await strategy.deliver(CONVERSATION)
    assert await strategy.receive(message(2)) == FALLBACK


@pytest.mark.parametrize(("command", "stored"), [("EVALSHA", False), ("GET", True)])
async def test_any_error_falls_back_even_when_the_message_is_stored(world: World, command: str, stored: bool) -> None:
    strategy = world.make(Lua)
    world.redis.failing = {command}
    assert await strategy.receive(message(1)) == FALLBACK
    assert (await world.document() is not None) == stored


async def test_a_buffer_gone_before_the_second_look_is_not_scheduled(world: World) -> None:
    strategy = world.make(Lua)

    async def expire() -> None:
        await world.connect().delete(BUFFER)

    world.redis.before["GET"] = expire
    assert await strategy.receive(message(1)) == Receipt(buffer_created=False)


async def test_processing_marks_first_and_hands_over_what_was_there(world: World) -> None:
    strategy = world.make(Lua)
    await strategy.receive(message(1, "  "))
    await strategy.receive(message(2))
    seen: list[bool] = []

    async def look() -> None:
        document = await world.document()
        assert document is not None
        seen.append(document["processed"])

    world.processor = look
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=1)
    assert (world.batches, seen) == ([["m2"]], [True])
    assert await world.ttl(BUFFER) == 300
    assert await strategy.deliver(CONVERSATION) == Delivery()


async def test_a_delivery_of_nothing_is_well(world: World) -> None:
    assert await world.make(Lua).deliver(CONVERSATION) == Delivery()


async def test_a_failed_processor_raises_and_the_retry_finds_nothing(world: World) -> None:
    strategy = world.make(Lua)
    await strategy.receive(message(1))
    world.processor_status = 500
    with pytest.raises(HandOverFailed):
        await strategy.deliver(CONVERSATION)
    assert await strategy.deliver(CONVERSATION) == Delivery()
    assert world.batches == [["m1"]]


async def test_a_redis_error_while_processing_raises(world: World) -> None:
    strategy = world.make(Lua)
    world.redis.failing = {"EVAL"}
    with pytest.raises(RedisError):
        await strategy.deliver(CONVERSATION)


async def test_its_delivery_writes_a_status(world: World) -> None:
    strategy = world.make(Lua)
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert world.statuses() == ["success"]


async def test_scaled_times_are_written_in_milliseconds(world: World) -> None:
    strategy = world.make(Lua, TIME_SCALE=0.5)
    await strategy.receive(message(1))
    assert await world.connect().pttl(BUFFER) == 30_000
    await strategy.deliver(CONVERSATION)
    assert await world.connect().pttl(BUFFER) == 150_000
