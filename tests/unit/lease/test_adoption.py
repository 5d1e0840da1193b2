import asyncio
import json
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer import Conversation
from engine.buffer.lease import Lease
from tests.unit.lease.world import ANNA, World, message, world_of

KEY = "msg_buffer:bot:4915110000001"


async def left_by_the_plan(world: World, *ids: str, key: str = KEY, processed: bool = False) -> None:
    entries = [{"text": f"text of {i}", "timestamp": "", "messageId": i, "messageData": {"empty": []}} for i in ids]
    buffer: dict[str, Any] = {"messages": entries, "firstMessageAt": "", "lastMessageAt": "", "processed": processed}
    await world.plain().set(key, json.dumps(buffer), ex=30)


async def test_the_plans_messages_are_answered_before_those_that_came_after(world: World) -> None:
    await left_by_the_plan(world, "m1", "m2")
    function = world.make()
    await function.receive(message("m3"))
    await asyncio.sleep(0.005)
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1", "m2", "m3"]]
    assert world.processor.taken[0][2][0].data == {"empty": []}
    assert await world.keys("msg_buffer:*") == []


async def test_the_first_tick_finds_a_buffer_whose_conversation_stays_silent(world: World) -> None:
    await left_by_the_plan(world, "m1")
    function = world.make()
    await function.tick()
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"]]


async def test_a_scan_that_failed_is_made_up_for_at_the_next_tick(world: World) -> None:
    await left_by_the_plan(world, "m1")
    function = world.make()
    world.redis.unreachable = True
    with pytest.raises(RedisConnectionError):
        await function.tick()
    world.redis.unreachable = False
    await function.tick()
    assert await world.keys("msg_buffer:*") == []


async def test_a_buffer_that_is_left_later_is_found_within_half_its_life(world: World) -> None:
    function = world.make()
    await function.tick()
    await left_by_the_plan(world, "m1")
    for _ in range(3):
        assert await world.keys("msg_buffer:*") == [KEY]
        await function.tick()
    assert await world.keys("msg_buffer:*") == []


async def test_a_message_that_both_designs_took_is_handed_over_once(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await left_by_the_plan(world, "m1", "m2")
    await asyncio.sleep(0.005)
    await function.deliver(ANNA)
    assert sorted(world.processor.ids[0]) == ["m1", "m2"]


async def test_a_buffer_that_is_adopted_twice_is_handed_over_once(world: World) -> None:
    await left_by_the_plan(world, "m1")
    function = world.make()
    await function.deliver(ANNA)
    await left_by_the_plan(world, "m1")  # as if the adopter had crashed before it deleted the document
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"]]


async def test_a_processed_buffer_is_left_to_its_ttl(world: World) -> None:
    await left_by_the_plan(world, "m1", processed=True)
    function = world.make()
    await function.tick()
    await function.deliver(ANNA)
    assert world.processor.ids == []
    assert await world.keys("msg_buffer:*") == [KEY]


async def test_an_adopted_buffer_waits_for_what_is_left_of_its_delay() -> None:
    async with world_of(Lease, buffer_delay_ms=8_000) as world:
        await left_by_the_plan(world, "m1")
        await world.plain().expire(KEY, 59)  # of 60 s: the last add was a second ago
        function = world.make()
        await function.deliver(ANNA)
        assert world.processor.ids == []
        (index,) = await world.keys("*:due")
        seconds, micros = await world.plain().time()
        (score,) = [score for _, score in await world.plain().zrange(index, 0, -1, withscores=True)]
        assert 6.5 < score / 1_000_000 - (int(seconds) + int(micros) / 1_000_000) <= 7.1


async def test_the_last_colon_parts_instance_and_phone(world: World) -> None:
    await left_by_the_plan(world, "m1", key="msg_buffer:my:bot:49151")
    await world.make().tick()
    await world.make().deliver(Conversation(instance_name="my:bot", user_phone="49151"))
    assert world.processor.ids == [["m1"]]


@pytest.mark.parametrize("value", ["no json", "[]", '{"messages": 3}', '{"processed": false}'])
async def test_what_is_no_buffer_of_the_plan_is_left_alone(world: World, value: str) -> None:
    await world.plain().set(KEY, value)
    function = world.make()
    await function.tick()
    await function.receive(message("m1"))
    await asyncio.sleep(0.005)
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"]]
    assert await world.plain().get(KEY) == value.encode()


async def test_another_programs_list_does_not_stop_a_delivery(world: World) -> None:
    await world.plain().rpush(KEY, "x")
    function = world.make()
    await function.tick()
    await function.receive(message("m1"))
    await asyncio.sleep(0.005)
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"]]


async def test_adoption_can_be_switched_off() -> None:
    async with world_of(Lease, adopt_plan_buffers=False) as world:
        await left_by_the_plan(world, "m1")
        function = world.make()
        await function.tick()
        await function.deliver(ANNA)
        assert world.processor.ids == []
