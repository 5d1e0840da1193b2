import json

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer.errors import HandOverFailed
from engine.buffer.model import Delivery, Receipt
from engine.buffer.plan.baseline import Baseline
from tests.unit.buffer.world import CONVERSATION, World, message

FALLBACK = Receipt(success=False, fallback_to_immediate=True)


async def test_an_add_is_ping_get_setex_and_the_first_one_schedules(world: World) -> None:
    strategy = world.make(Baseline)
    assert await strategy.receive(message(1, data={"a": []})) == Receipt(buffer_created=True)
    assert world.redis.commands == ["PING", "GET", "SETEX", "SETEX"]
    assert await world.document() == {
        "messages": [
            {
                "text": "text 1",
                "timestamp": "2026-01-01T00:00:00.000Z",
                "messageId": "m1",
                "messageData": {"a": []},
            }
        ],
        "firstMessageAt": "2026-01-01T00:00:00.000Z",
        "lastMessageAt": "2026-01-01T00:00:00.000Z",
        "processed": False,
    }
    client = world.connect()
    assert await world.ttl("msg_buffer:bot:4915112345") == 15
    assert await world.ttl("msg_timer:bot:4915112345") == 10
    timer = json.loads(await client.get("msg_timer:bot:4915112345") or "{}")
    assert timer["dueAt"] == "2026-01-01T00:00:08.000Z"


async def test_a_second_message_joins_and_schedules_nothing(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    world.redis.commands.clear()
    assert await strategy.receive(message(2)) == Receipt(buffer_created=False)
    assert world.redis.commands[:3] == ["PING", "GET", "SETEX"]
    await world.settle(strategy)
    assert len(world.deliveries_at) == 1


async def test_a_repeated_message_is_not_recognised(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    await strategy.receive(message(1))
    await strategy.deliver(CONVERSATION)
    assert world.batches == [["m1", "m1"]]


@pytest.mark.parametrize("command", ["PING", "SETEX"])
async def test_a_failing_ping_or_write_falls_back(world: World, command: str) -> None:
    strategy = world.make(Baseline)
    world.redis.failing = {command}
    assert await strategy.receive(message(1)) == FALLBACK
    assert await world.document() is None


async def test_a_failing_read_reads_as_no_buffer_and_overwrites_it(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    world.redis.failing = {"GET"}
    assert await strategy.receive(message(2)) == Receipt(buffer_created=True)
    world.redis.failing = set()
    await strategy.deliver(CONVERSATION)
    assert world.batches == [["m2"]]


async def test_a_timer_key_that_cannot_be_written_is_ignored(world: World) -> None:
    strategy = world.make(Baseline)

    async def then_fail() -> None:
        world.redis.failing = {"SETEX"}

    await strategy.receive(message(1))
    await strategy.deliver(CONVERSATION)
    await world.settle(strategy)
    world.deliveries_at.clear()
    world.redis.before["SETEX"] = then_fail  # the buffer's own write goes through, the timer's fails
    assert (await strategy.receive(message(2))).buffer_created
    await world.settle(strategy)
    assert world.notes() == ["timer key not written"]
    assert len(world.deliveries_at) == 1


async def test_processing_hands_over_then_marks_and_drops_the_timer(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    await strategy.receive(message(2))
    await world.settle(strategy)  # the timer fires: it is 8 s later
    world.redis.commands.clear()
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=2)
    assert [name for name in world.redis.commands if name != "PING"] == ["GET", "GET", "SETEX", "DEL"]
    document = await world.document()
    assert document is not None
    assert document["processed"] is True
    assert document["processedAt"] == "2026-01-01T00:00:08.000Z"
    client = world.connect()
    assert await world.ttl("msg_buffer:bot:4915112345") == 30
    assert await client.exists("msg_timer:bot:4915112345") == 0
    assert await strategy.deliver(CONVERSATION) == Delivery()
    assert world.batches == [["m1", "m2"]]


async def test_a_delivery_of_nothing_is_well(world: World) -> None:
    assert await world.make(Baseline).deliver(CONVERSATION) == Delivery()
    assert world.batches == []


async def test_a_message_during_processing_is_lost(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))

    async def arrive() -> None:
        assert await strategy.receive(message(2)) == Receipt(buffer_created=False)

    world.processor = arrive
    await strategy.deliver(CONVERSATION)
    world.processor = None
    assert await strategy.deliver(CONVERSATION) == Delivery()
    assert world.batches == [["m1"]]


async def test_blank_texts_are_dropped_and_the_rest_is_sorted(world: World) -> None:
    strategy = world.make(Baseline)
    for number, text, at in ((1, "late", 3), (2, " \n", 1), (3, "early", 2), (4, "tie", 2)):
        world.clock = world.clock.replace(second=at)
        await strategy.receive(message(number, text))
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=3)
    assert world.batches == [["m3", "m4", "m1"]]


async def test_nothing_but_blanks_is_marked_and_not_handed_over(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1, "  "))
    assert await strategy.deliver(CONVERSATION) == Delivery()
    document = await world.document()
    assert document is not None
    assert (world.batches, document["processed"]) == ([], True)


async def test_a_failed_processor_raises_and_the_buffer_is_marked_all_the_same(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    world.processor_status = 500
    with pytest.raises(HandOverFailed):
        await strategy.deliver(CONVERSATION)
    document = await world.document()
    assert document is not None
    assert document["processed"] is True


@pytest.mark.parametrize("command", ["GET", "SETEX", "DEL"])
async def test_a_redis_error_while_processing_or_marking_raises(world: World, command: str) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))
    world.redis.failing = {command}
    with pytest.raises(RedisConnectionError):
        await strategy.deliver(CONVERSATION)


async def test_a_mark_of_a_buffer_that_is_gone_writes_nothing(world: World) -> None:
    strategy = world.make(Baseline)
    await strategy.receive(message(1))

    async def expire() -> None:
        await world.connect().delete("msg_buffer:bot:4915112345")

    world.processor = expire
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=1)
    assert await world.document() is None


@pytest.mark.parametrize("answer", [200, 500, httpx.ConnectError("refused")])
async def test_there_is_one_attempt_and_no_status(world: World, answer: int | Exception) -> None:
    strategy = world.make(Baseline, MAX_RETRY_ATTEMPTS=3)
    world.delivery_answers = [answer]
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert world.slept == [8.0]
    assert len(world.deliveries_at) == 1
    assert world.statuses() == []
    assert await world.connect().exists("processing_status:bot:4915112345") == 0


async def test_there_is_no_cleanup(world: World) -> None:
    assert await world.make(Baseline).cleanup() == 0
    assert world.redis.commands == []


async def test_scaled_times_are_written_in_milliseconds(world: World) -> None:
    strategy = world.make(Baseline, TIME_SCALE=0.01)
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert world.slept == [0.08]
    assert world.redis.commands == ["PING", "GET", "PSETEX", "PSETEX"]
