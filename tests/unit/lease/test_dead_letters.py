import asyncio

from engine.buffer import Delivery, HandOverFailed
from engine.buffer.lease.dead_letters import DeadLetter, DeadLetters
from tests.unit.lease.world import ANNA, World, message


async def a_dead_letter(world: World) -> DeadLetter:
    function = world.make()
    world.processor.answers = [HandOverFailed("500")] * 4
    await function.receive(message("m1", data={"empty": []}))
    for _ in range(4):
        await asyncio.sleep(0.005)
        await function.deliver(ANNA)
    (letter,) = await DeadLetters(world.plain(), world.settings).all()
    return letter


async def test_a_dead_letter_says_whose_it_is_and_why(world: World) -> None:
    letter = await a_dead_letter(world)
    assert letter.conversation == ANNA
    assert letter.message_ids == ("m1",)
    assert "HandOverFailed: 500" in letter.reason
    assert letter.key == world.processor.keys[0]
    assert await DeadLetters(world.plain(), world.settings).find(letter.key) == letter


async def test_a_requeued_batch_keeps_its_key_and_takes_a_new_fence(world: World) -> None:
    letter = await a_dead_letter(world)
    letters = DeadLetters(world.plain(), world.settings)
    assert await letters.requeue(letter) == "requeued"
    assert await world.make().deliver(ANNA) == Delivery(processed=1)
    assert set(world.processor.keys) == {letter.key}
    assert world.processor.fences == sorted(set(world.processor.fences))
    assert world.processor.taken[-1][2][0].data == {"empty": []}
    assert await letters.all() == []


async def test_a_requeued_message_is_remembered_until_it_is_finished(world: World) -> None:
    letter = await a_dead_letter(world)
    (marker,) = await world.keys("*:seen:*")
    await world.plain().delete(marker)
    await DeadLetters(world.plain(), world.settings).requeue(letter)
    assert await world.plain().pttl(marker) == -1
    await world.make().receive(message("m1"))
    await world.make().deliver(ANNA)
    assert world.processor.ids[-1] == ["m1"]
    assert await world.keys("*:pending:*") == []


async def test_a_requeued_batch_has_all_its_attempts_again(world: World) -> None:
    letter = await a_dead_letter(world)
    await DeadLetters(world.plain(), world.settings).requeue(letter)
    world.processor.answers = [HandOverFailed("500")] * 3
    for _ in range(3):
        await world.make().deliver(ANNA)
        await asyncio.sleep(0.005)
    assert len(world.said("dead_letter")) == 1


async def test_a_batch_is_not_requeued_beside_another_in_flight(world: World) -> None:
    letter = await a_dead_letter(world)
    letters = DeadLetters(world.plain(), world.settings)
    function = world.make()
    world.processor.answers = [HandOverFailed("500")]
    await function.receive(message("m2"))
    await asyncio.sleep(0.005)
    await function.deliver(ANNA)
    assert await letters.requeue(letter) == "busy"
    assert await letters.all() == [letter]


async def test_a_dead_letter_is_requeued_once(world: World) -> None:
    letter = await a_dead_letter(world)
    letters = DeadLetters(world.plain(), world.settings)
    assert await letters.requeue(letter) == "requeued"
    assert await letters.requeue(letter) == "unknown"


async def test_a_dropped_letter_is_gone(world: World) -> None:
    letter = await a_dead_letter(world)
    letters = DeadLetters(world.plain(), world.settings)
    assert await letters.drop(letter)
    assert not await letters.drop(letter)
    assert await letters.find(letter.key) is None
