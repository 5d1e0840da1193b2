import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.buffer import Conversation, Delivery, HandOverFailed, HandOverRefused, HandOverUnanswered, Receipt
from engine.buffer.lease import Lease
from engine.buffer.lease.store import Claim, LeaseStore
from tests.unit.lease.world import ANNA, BERT, World, message, world_of

TTL_MS = (3_600 + 600) * 1_000


async def until_due() -> None:
    """The delay of these tests is 1 ms."""
    await asyncio.sleep(0.005)


async def claimed(store: LeaseStore) -> Claim:
    """A batch of Anna's, held."""
    claim = await store.claim(ANNA)
    assert isinstance(claim, Claim)
    return claim


async def test_a_burst_goes_out_as_one_batch_in_the_order_of_its_messages(world: World) -> None:
    first, second = world.make(), world.make()
    assert await first.receive(message("m1")) == Receipt(buffer_created=True)
    assert await second.receive(message("m2")) == Receipt()
    await until_due()
    assert await second.deliver(ANNA) == Delivery(processed=2)
    assert world.processor.ids == [["m1", "m2"]]
    assert world.said("status") == [{"conversation": ANNA, "status": "success"}]


async def test_nothing_is_claimed_before_it_is_due() -> None:
    async with world_of(Lease, buffer_delay_ms=60_000) as world:
        function = world.make()
        await function.receive(message("m1"))
        assert await function.deliver(ANNA) == Delivery()
        assert world.processor.taken == []


async def test_a_message_is_added_in_one_round_trip(world: World) -> None:
    function = world.make()
    await function.receive(message("m0", conversation=BERT))  # the script is known to the server from here on
    for number in range(1, 4):
        before = world.redis.commands
        await function.receive(message(f"m{number}"))
        assert world.redis.commands == before + 1


async def test_a_delivery_without_messages_does_nothing(world: World) -> None:
    assert await world.make().deliver(ANNA) == Delivery()
    assert await world.keys() == []


async def test_a_second_delivery_of_a_buffer_does_nothing(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    await asyncio.gather(function.deliver(ANNA), world.make().deliver(ANNA), function.deliver(ANNA))
    assert world.processor.ids == [["m1"]]


async def test_a_repeat_is_accepted_and_not_buffered_again(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    assert await function.receive(message("m1", text="another text")) == Receipt(repeated=True)
    await until_due()
    await function.deliver(ANNA)
    assert [m.text for m in world.processor.taken[0][2]] == ["text of m1"]


async def test_a_repeat_of_a_finished_message_is_not_handed_over_again(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    await function.deliver(ANNA)
    await function.receive(message("m1"))
    await until_due()
    assert await function.deliver(ANNA) == Delivery()


async def test_a_repeat_arms_a_conversation_that_fell_out_of_the_index(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    (index,) = await world.keys("*:due")
    await world.plain().delete(index)
    await function.receive(message("m1"))
    assert await world.keys("*:due") == [index]


async def test_a_message_during_the_hand_over_starts_the_next_buffer(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    world.processor.meanwhile = [message("m2")]
    await function.deliver(ANNA)
    await until_due()
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"], ["m2"]]
    assert len(set(world.processor.keys)) == 2
    assert world.processor.fences == sorted(world.processor.fences)


async def test_no_second_batch_is_claimed_while_one_is_in_flight(world: World) -> None:
    function = world.make()
    store = LeaseStore(function.runtime)
    await function.receive(message("m1"))
    await until_due()
    await claimed(store)
    await function.receive(message("m2"))
    await until_due()
    assert await world.make().deliver(ANNA) == Delivery()
    assert world.processor.taken == []


async def test_an_abandoned_batch_is_claimed_again_with_its_key_and_a_newer_fence(world: World) -> None:
    function = world.make()
    store = LeaseStore(function.runtime)
    await function.receive(message("m1"))
    await until_due()
    lost = await claimed(store)
    await function.receive(message("m2"))
    await world.let_leases_end()
    await world.make().deliver(ANNA)
    assert world.processor.ids == [["m1"]]  # m2 came after the claim: the batch stays what it was
    assert world.processor.keys == [lost.key]
    assert world.processor.fences[0] > lost.fence


async def test_the_late_acknowledgement_of_a_stale_holder_changes_nothing(world: World) -> None:
    function = world.make()
    store = LeaseStore(function.runtime)
    await function.receive(message("m1"))
    await until_due()
    stale = await claimed(store)
    await world.let_leases_end()
    holder = await claimed(store)
    assert await store.finish(stale) == (False, None)
    assert not await store.give_back(stale, backoff_seconds=0, failed=True)
    assert (await store.finish(holder))[0]


async def test_an_acknowledgement_after_the_lease_counts_if_nobody_claimed_since(world: World) -> None:
    function = world.make()
    store = LeaseStore(function.runtime)
    await function.receive(message("m1"))
    await until_due()
    holder = await claimed(store)
    await world.let_leases_end()
    assert await store.finish(holder) == (True, None)


@pytest.mark.parametrize("lost", [1, 2])
async def test_lost_replies_change_nothing_but_the_time_it_takes(world: World, lost: int) -> None:
    function = world.make()
    world.redis.lost_replies = lost
    assert (await function.receive(message("m1"))).success
    await until_due()
    world.redis.lost_replies = lost
    assert await function.deliver(ANNA) == Delivery(processed=1)
    assert world.processor.ids == [["m1"]]


async def test_a_message_whose_outcome_stays_open_is_not_accepted_and_its_repeat_is_recognised(world: World) -> None:
    function = world.make()
    world.redis.lost_replies = 3
    with pytest.raises(RedisConnectionError):
        await function.receive(message("m1"))
    await function.receive(message("m1"))
    await until_due()
    await function.deliver(ANNA)
    assert world.processor.ids == [["m1"]]


async def test_a_lost_acknowledgement_is_still_told_the_truth(world: World) -> None:
    function = world.make()
    await function.receive(message("m1"))
    await until_due()
    store = LeaseStore(function.runtime)
    claim = await claimed(store)
    world.redis.lost_replies = 1
    assert (await store.finish(claim))[0]


@pytest.mark.parametrize("error", [HandOverFailed("500"), HandOverUnanswered("time-out")])
async def test_a_failed_batch_is_handed_over_again_unchanged(world: World, error: Exception) -> None:
    function = world.make()
    world.processor.answers = [error, None]  # type: ignore[list-item]
    await function.receive(message("m1"))
    await until_due()
    assert await function.deliver(ANNA) == Delivery(success=False)
    await function.receive(message("m2"))
    await until_due()
    assert await function.deliver(ANNA) == Delivery(processed=1)
    assert world.processor.ids == [["m1"], ["m1"]]
    assert world.processor.keys[0] == world.processor.keys[1]
    assert world.processor.fences[0] < world.processor.fences[1]


async def test_a_batch_waits_out_its_back_off() -> None:
    async with world_of(Lease, retry_backoff_ms=60_000, retry_backoff_ms_max=60_000) as world:
        function = world.make()
        world.processor.answers = [HandOverFailed("500")]
        await function.receive(message("m1"))
        await until_due()
        await function.deliver(ANNA)
        assert await function.deliver(ANNA) == Delivery()
        assert len(world.processor.taken) == 1


async def fail_until_dead(world: World, *, attempts: int = 4) -> None:
    function = world.make()
    world.processor.answers = [HandOverFailed("500")] * attempts
    await function.receive(message("m1"))
    for _ in range(attempts):
        await until_due()
        await function.deliver(ANNA)


async def test_a_batch_is_dead_lettered_after_all_attempts_and_not_before(world: World) -> None:
    await fail_until_dead(world, attempts=3)
    assert world.said("dead_letter") == []
    world.processor.answers = [HandOverFailed("500")]
    await until_due()
    await world.make().deliver(ANNA)
    (letter,) = world.said("dead_letter")
    assert [m.message_id for m in letter["messages"]] == ["m1"]
    assert world.said("status") == [{"conversation": ANNA, "status": "failed"}]
    assert len(await world.keys("dead:*")) == 1
    assert await world.keys("*:flight:*") == []


async def test_a_dead_letter_does_not_hold_up_what_came_meanwhile(world: World) -> None:
    world.processor.meanwhile = [message("m2")]
    await fail_until_dead(world)
    await until_due()
    await world.make().deliver(ANNA)
    assert world.processor.ids[-1] == ["m2"]


async def test_claims_that_never_reached_the_processor_do_not_count_as_attempts(world: World) -> None:
    function = world.make()
    store = LeaseStore(function.runtime)
    await function.receive(message("m1"))
    await until_due()
    for _ in range(6):
        await claimed(store)
        await world.let_leases_end()
    world.processor.answers = [HandOverFailed("500")]
    await function.deliver(ANNA)
    assert world.said("dead_letter") == []


async def test_a_refused_hand_over_does_not_count_as_an_attempt(world: World) -> None:
    function = world.make()
    world.processor.answers = [HandOverRefused("newer")] * 5
    await function.receive(message("m1"))
    for _ in range(6):
        await until_due()
        await function.deliver(ANNA)
    assert world.said("dead_letter") == []
    assert world.said("status") == [{"conversation": ANNA, "status": "success"}]


async def test_what_is_unfinished_has_no_ttl_and_what_is_finished_has_one(world: World) -> None:
    function, redis = world.make(), world.plain()
    await function.receive(message("m1"))
    assert {await redis.pttl(key) for key in await world.keys()} == {-1}
    await until_due()
    await function.deliver(ANNA)
    left = await world.keys()
    assert len(left) == 2  # the repeat marker and the fence; the index is gone
    for key in left:
        assert TTL_MS - 5_000 < await redis.pttl(key) <= TTL_MS


async def test_a_new_message_makes_a_finished_conversation_live_on(world: World) -> None:
    function, redis = world.make(), world.plain()
    await function.receive(message("m1"))
    await until_due()
    await function.deliver(ANNA)
    await function.receive(message("m2"))
    (state,) = await world.keys("*:state:*")
    assert await redis.pttl(state) == -1


async def test_a_repeat_refreshes_the_marker_of_a_finished_message_only(world: World) -> None:
    function, redis = world.make(), world.plain()
    await function.receive(message("m1"))
    (marker,) = await world.keys("*:seen:*")
    await function.receive(message("m1"))
    assert await redis.pttl(marker) == -1
    await until_due()
    await function.deliver(ANNA)
    await redis.pexpire(marker, 1_000)
    await function.receive(message("m1"))
    assert await redis.pttl(marker) > TTL_MS - 5_000


async def test_a_sweep_finds_what_no_timer_delivers(world: World) -> None:
    crashed = world.make()
    await crashed.receive(message("m1"))
    await crashed.runtime.stop_tasks()
    await until_due()
    await world.make().tick()
    await asyncio.sleep(0.01)
    assert [event["conversation"] for event in world.said("delivery.posted")] == [ANNA]


async def test_a_sweep_without_work_writes_nothing(world: World) -> None:
    function = world.make()
    await function.tick()
    assert await world.keys() == []
    assert world.said("delivery.posted") == []


async def test_drain_hands_over_everything_at_once() -> None:
    async with world_of(Lease, buffer_delay_ms=60_000) as world:
        function = world.make()
        await function.receive(message("m1"))
        await function.receive(message("m2", conversation=BERT))
        assert await function.drain() == 0
        assert sorted(world.processor.ids) == [["m1"], ["m2"]]


@pytest.mark.parametrize(
    "text", ["", "  ", "\ud800", "🙂", "x" * 1_000_000], ids=["none", "blank", "lone", "emoji", "MB"]
)
async def test_texts_and_data_arrive_as_they_came(world: World, text: str) -> None:
    nested: list[object] = []
    for _ in range(100):
        nested = [nested]
    data = {"empty": [], "big": 1234567890123456789, "path": "a/b", "arabic": "م", "nested": nested}
    function = world.make()
    await function.receive(message("m1", text=text, data=data))
    await until_due()
    await function.deliver(ANNA)
    (handed,) = world.processor.taken[0][2]
    assert handed.text == text
    assert handed.data == data


async def test_conversations_with_similar_names_stay_apart(world: World) -> None:
    names = [("a:b", "c"), ("a", "b:c"), ("a%3Ab", "c"), ("{a}", "\n"), ("\ud83d\ude42", ""), ("🙂", "")]
    function = world.make()
    for number, (instance, phone) in enumerate(names):
        conversation = Conversation(instance_name=instance, user_phone=phone)
        await function.receive(message(f"m{number}", conversation=conversation))
    await until_due()
    for instance, phone in names:
        await function.deliver(Conversation(instance_name=instance, user_phone=phone))
    assert world.processor.ids == [[f"m{number}"] for number in range(len(names))]
