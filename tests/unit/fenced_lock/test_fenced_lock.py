import asyncio

from engine.buffer import Delivery, HandOverFailed, Receipt
from tests.unit.lease.world import ANNA, World, message


async def until_due() -> None:
    """The delay of these tests is 1 ms."""
    await asyncio.sleep(0.005)


async def test_a_burst_goes_out_as_one_batch(world: World) -> None:
    assert await world.make().receive(message("m1")) == Receipt(buffer_created=True)
    assert await world.make().receive(message("m2")) == Receipt()
    await until_due()
    assert await world.make().deliver(ANNA) == Delivery(processed=2)
    assert world.processor.ids == [["m1", "m2"]]


async def test_adds_at_the_same_time_all_get_the_lock_in_turn(world: World) -> None:
    await asyncio.gather(*(world.make().receive(message(f"m{n}")) for n in range(6)))
    await until_due()
    await world.make().deliver(ANNA)
    assert sorted(world.processor.ids[0]) == [f"m{n}" for n in range(6)]


async def test_a_repeat_is_not_buffered_again(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await function.receive(message("m1", text="another text"))
    await until_due()
    await function.deliver(ANNA)
    assert [m.text for m in world.processor.taken[0][2]] == ["text of m1"]


async def test_no_lock_is_left_when_a_call_is_over(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    await function.deliver(ANNA)
    assert await world.keys("*:lock:*") == []
    assert await world.keys("*:work:*") == []


async def test_messages_are_taken_while_a_batch_is_at_work(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    world.processor.meanwhile = [message("m2")]
    await function.deliver(ANNA)
    await until_due()
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"], ["m2"]]
    assert world.processor.fences == sorted(set(world.processor.fences))


async def test_whoever_does_not_hold_the_work_lock_does_nothing(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    await asyncio.gather(function.deliver(ANNA), world.make().deliver(ANNA))
    assert world.processor.ids == [["m1"]]


async def test_a_failed_batch_keeps_its_key_and_takes_a_new_fence(world: World) -> None:
    function = world.make()
    world.processor.answers = [HandOverFailed("500")]
    await function.receive(message("m1"))
    for _ in range(2):
        await until_due()
        await function.deliver(ANNA)
    assert world.processor.ids == [["m1"], ["m1"]]
    assert len(set(world.processor.keys)) == 1
    assert world.processor.fences[0] < world.processor.fences[1]


async def test_a_batch_is_dead_lettered_after_all_attempts(world: World) -> None:
    function = world.make()
    world.processor.answers = [HandOverFailed("500")] * 4
    await function.receive(message("m1"))
    for attempt in range(4):
        assert len(world.said("dead_letter")) == 0, attempt
        await until_due()
        await function.deliver(ANNA)
    assert len(world.said("dead_letter")) == 1
    assert len(await world.keys("dead:*")) == 1
    assert world.said("status") == [{"conversation": ANNA, "status": "failed"}]


async def test_what_is_finished_has_a_ttl(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    await function.deliver(ANNA)
    for key in await world.keys():
        assert await world.plain().pttl(key) > 0, key


async def test_a_sweep_finds_what_a_crashed_function_armed(world: World) -> None:
    crashed = world.make()
    await crashed.receive(message("m1"))
    await crashed.runtime.stop_tasks()
    await until_due()
    await world.make().tick()
    await asyncio.sleep(0.01)
    assert [event["conversation"] for event in world.said("delivery.posted")] == [ANNA]
