from datetime import timedelta

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer.errors import HandOverFailed
from engine.buffer.model import Delivery, Receipt
from engine.buffer.plan.lock import Lock
from tests.unit.buffer.world import CONVERSATION, World, message

LOCK = "lock:bot:4915112345"
BUFFER = "msg_buffer:bot:4915112345"


async def with_buffer_of_age(world: World, age_ms: int, **settings: object) -> Lock:
    strategy = world.make(Lock, **settings)
    assert isinstance(strategy, Lock)
    await strategy.receive(message(1))
    await strategy.runtime.stop_tasks()
    world.clock += timedelta(milliseconds=age_ms)
    world.slept.clear()
    world.redis.commands.clear()
    return strategy


async def test_an_add_is_done_under_the_lock(world: World) -> None:
    strategy = world.make(Lock)
    held: list[int] = []

    async def look() -> None:
        held.append(await world.connect().pttl(LOCK))

    world.redis.before["GET"] = look
    assert await strategy.receive(message(1)) == Receipt(buffer_created=True)
    assert world.redis.commands == ["SET", "PING", "GET", "SETEX", "DEL", "SETEX"]
    assert 1_000 < held[0] <= 2_000
    assert await world.connect().exists(LOCK) == 0
    assert await world.ttl(BUFFER) == 60


async def test_a_lock_that_is_held_is_asked_for_every_100_ms_without_bound(world: World) -> None:
    strategy = world.make(Lock)
    await world.connect().set(LOCK, "1")

    async def nothing() -> None: ...

    async def release() -> None:
        await world.connect().delete(LOCK)

    world.while_asleep = [*[nothing] * 499, release]
    assert await strategy.receive(message(1)) == Receipt(buffer_created=True)
    assert world.slept[:500] == [0.1] * 500
    assert world.redis.commands.count("SET") == 501


async def test_an_unreachable_redis_reads_as_a_lock_that_is_held(world: World) -> None:
    strategy = world.make(Lock)
    world.redis.failing = {"SET", "PING", "GET", "DEL"}

    async def back() -> None:
        world.redis.failing = set()

    world.while_asleep = [back]
    assert (await strategy.receive(message(1))).success


@pytest.mark.parametrize("command", ["PING", "SETEX"])
async def test_a_failing_ping_or_write_falls_back_and_the_lock_is_released(world: World, command: str) -> None:
    strategy = world.make(Lock)
    world.redis.failing = {command}
    assert await strategy.receive(message(1)) == Receipt(success=False, fallback_to_immediate=True)
    assert await world.connect().exists(LOCK) == 0


async def test_a_lock_is_deleted_whoever_holds_it(world: World) -> None:
    strategy = world.make(Lock)

    async def lose_it_to_another() -> None:
        await world.connect().set(LOCK, "another's")

    world.redis.before["DEL"] = lose_it_to_another
    await strategy.receive(message(1))
    assert await world.connect().exists(LOCK) == 0


async def test_a_release_that_fails_does_nothing(world: World) -> None:
    strategy = world.make(Lock)
    world.redis.failing = {"DEL"}
    assert (await strategy.receive(message(1))).success
    assert await world.connect().exists(LOCK) == 1


@pytest.mark.parametrize(
    ("age_ms", "waits"), [(7_499, False), (7_500, True), (8_499, True), (8_500, False), (-5, False)]
)
async def test_the_add_looks_again_at_the_end_of_the_window_only(world: World, age_ms: int, waits: bool) -> None:
    strategy = await with_buffer_of_age(world, age_ms)
    assert await strategy.receive(message(2)) == Receipt(buffer_created=False)
    assert world.slept == ([0.5] if waits else [])
    assert world.redis.commands == ["SET", "PING", "GET", *["GET"] * waits, "SETEX", "DEL"]
    document = await world.document()
    assert document is not None
    assert [entry["messageId"] for entry in document["messages"]] == ["m1", "m2"]


async def test_the_lock_is_held_during_the_wait(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)

    async def look() -> None:
        assert await world.connect().exists(LOCK) == 1

    world.while_asleep = [look]
    await strategy.receive(message(2))
    assert world.while_asleep == []
    assert "grace wait" in world.notes()


@pytest.mark.parametrize("gone", [True, False])
async def test_a_buffer_gone_or_processed_after_the_wait_is_followed_by_a_new_one(world: World, gone: bool) -> None:
    strategy = await with_buffer_of_age(world, 8_000)

    async def finish() -> None:
        if gone:
            await world.connect().delete(BUFFER)
        else:
            await strategy.runtime.redis.delete(LOCK)  # the lock runs out, or the mark could not be made
            await strategy.deliver(CONVERSATION)

    world.while_asleep = [finish]
    assert await strategy.receive(message(2)) == Receipt(buffer_created=True)
    document = await world.document()
    assert document is not None
    assert [entry["messageId"] for entry in document["messages"]] == ["m2"]


async def test_grace_wait_0_is_off(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000, GRACE_WAIT_MS=0)
    await strategy.receive(message(2))
    assert world.slept == []
    assert world.redis.commands == ["SET", "PING", "GET", "SETEX", "DEL"]


async def test_without_the_lock_there_is_no_lock_key(world: World) -> None:
    strategy = world.make(Lock, LOCK_ENABLED=False)
    await strategy.receive(message(1))
    assert world.redis.commands == ["PING", "GET", "SETEX", "SETEX"]
    await strategy.deliver(CONVERSATION)
    assert "SET" not in world.redis.commands
    document = await world.document()
    assert document is not None
    assert document["processed"] is True


async def test_the_mark_is_one_transaction_under_the_lock(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=1)
    assert world.redis.commands == ["GET", "SET", "GET", "DEL"]  # a pipeline does not pass through the client
    client = world.connect()
    assert await world.ttl(BUFFER) == 300
    assert await client.exists("msg_timer:bot:4915112345", LOCK) == 0


async def test_a_mark_that_does_not_get_the_lock_is_given_up_and_the_batch_goes_out_again(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)
    await world.connect().set(LOCK, "1")
    assert await strategy.deliver(CONVERSATION) == Delivery(processed=1)
    assert world.redis.commands == ["GET", "SET"]
    assert world.notes()[-1] == "mark given up"
    await strategy.deliver(CONVERSATION)
    assert world.batches == [["m1"], ["m1"]]


async def test_a_redis_error_while_marking_raises_and_releases(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)

    async def then_fail() -> None:
        world.redis.failing = {"GET"}

    world.redis.before["SET"] = then_fail
    with pytest.raises(RedisConnectionError):
        await strategy.deliver(CONVERSATION)
    assert await world.connect().exists(LOCK) == 0


async def test_a_failed_processor_raises_and_the_buffer_is_marked_so_the_retry_reports_success(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)
    world.processor_status = 500
    with pytest.raises(HandOverFailed):
        await strategy.deliver(CONVERSATION)
    assert await strategy.deliver(CONVERSATION) == Delivery()


async def test_attempts_start_8_17_27_and_39_s_after_the_first_message_then_failed(world: World) -> None:
    strategy = world.make(Lock)
    world.delivery_answers = [500] * 9
    began = world.clock
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert [(at - began).total_seconds() for at in world.deliveries_at] == [8, 17, 27, 39]
    assert world.statuses() == ["failed"]
    assert await world.ttl("processing_status:bot:4915112345") == 3_600


async def test_an_answered_delivery_is_a_success(world: World) -> None:
    strategy = world.make(Lock)
    world.delivery_answers = [503, 204]
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert len(world.deliveries_at) == 2
    assert world.statuses() == ["success"]


async def test_attempts_that_end_with_an_exception_leave_no_status(world: World) -> None:
    strategy = world.make(Lock)
    world.delivery_answers = [500, 500, 500, httpx.ReadTimeout("late")]
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert len(world.deliveries_at) == 4
    assert world.statuses() == []
    assert await world.connect().exists("processing_status:bot:4915112345") == 0


async def test_without_retries_there_is_one_attempt_and_its_status(world: World) -> None:
    strategy = world.make(Lock, MAX_RETRY_ATTEMPTS=0)
    world.delivery_answers = [500]
    await strategy.receive(message(1))
    await world.settle(strategy)
    assert world.slept == [8.0]
    assert world.statuses() == ["failed"]


@pytest.mark.parametrize(("age_s", "removed"), [(600, 0), (601, 1)])
async def test_cleanup_removes_buffers_processed_more_than_600_s_ago(world: World, age_s: int, removed: int) -> None:
    strategy = await with_buffer_of_age(world, 8_000)
    assert await strategy.cleanup() == 0
    await strategy.deliver(CONVERSATION)
    await world.connect().persist(BUFFER)
    world.clock += timedelta(seconds=age_s)
    assert await strategy.cleanup() == removed
    assert await world.connect().exists(BUFFER) == 1 - removed


async def test_a_new_buffer_between_cleanup_s_get_and_del_is_lost(world: World) -> None:
    strategy = await with_buffer_of_age(world, 8_000)
    await strategy.deliver(CONVERSATION)
    await world.connect().persist(BUFFER)
    world.clock += timedelta(seconds=700)
    other = world.make(Lock)
    other.runtime.redis = world.connect()

    async def arrive() -> None:
        assert (await other.receive(message(2))).buffer_created

    world.redis.before["DEL"] = arrive
    await strategy.cleanup()
    assert await world.document() is None
