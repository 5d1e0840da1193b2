import asyncio

import pytest
from fakeredis import FakeAsyncRedis

from engine.buffer.idempotency import Admission, Policy, RedisIdempotencyStore, process_once


def store(redis: FakeAsyncRedis, policy: Policy = "at_least_once", *, work_ms: int = 60_000) -> RedisIdempotencyStore:
    """A store whose claims last `work_ms`."""
    return RedisIdempotencyStore(redis, policy=policy, work_ms=work_ms, keep_ms=120_000)


@pytest.fixture
def redis() -> FakeAsyncRedis:
    return FakeAsyncRedis()


async def test_a_key_is_worked_on_once_and_then_repeated(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    assert await keys.begin("anna", "k", 1) is Admission.WORK
    assert await keys.begin("anna", "k", 2) is Admission.AT_WORK
    await keys.complete("k")
    assert await keys.begin("anna", "k", 3) is Admission.REPEATED


async def test_an_old_fence_is_refused_and_the_same_one_is_not(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    assert await keys.begin("anna", "k2", 9_007_199_254_740_991) is Admission.WORK
    assert await keys.begin("anna", "k1", 9_007_199_254_740_990) is Admission.STALE
    assert await keys.begin("anna", "k3", 9_007_199_254_740_991) is Admission.WORK


async def test_the_fences_of_conversations_are_apart(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    await keys.begin("anna", "k1", 5)
    assert await keys.begin("bert", "k2", 1) is Admission.WORK


async def test_a_hand_over_without_a_fence_is_not_refused_for_it(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    await keys.begin("anna", "k1", 5)
    assert await keys.begin("anna", "k2", None) is Admission.WORK


async def test_an_effect_of_the_store_commits_with_its_key(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    assert await keys.commit("anna", "k", 1, "answers", "hello") is Admission.WORK
    assert await keys.commit("anna", "k", 2, "answers", "hello") is Admission.REPEATED
    assert await keys.commit("anna", "old", 1, "answers", "late") is Admission.STALE
    assert await redis.lrange("{idem}:answers", 0, -1) == [b"hello"]


@pytest.mark.parametrize(
    ("policy", "becomes"), [("at_least_once", Admission.WORK), ("at_most_once", Admission.IN_DOUBT)]
)
async def test_what_was_begun_and_never_ended_follows_the_policy(
    redis: FakeAsyncRedis, policy: Policy, becomes: Admission
) -> None:
    keys = store(redis, policy, work_ms=1)
    assert await keys.begin("anna", "k", 1) is Admission.WORK
    await asyncio.sleep(0.01)
    assert await keys.begin("anna", "k", 2) is becomes


async def test_an_abandoned_key_is_free_again(redis: FakeAsyncRedis) -> None:
    keys = store(redis, "at_most_once")
    await keys.begin("anna", "k", 1)
    await keys.abandon("k")
    assert await keys.begin("anna", "k", 1) is Admission.WORK


async def test_process_once_has_the_effect_once(redis: FakeAsyncRedis) -> None:
    had: list[str] = []

    async def effect() -> None:
        had.append("answer")

    assert await process_once(store(redis), "anna", "k", 1, effect) is Admission.WORK
    assert await process_once(store(redis), "anna", "k", 2, effect) is Admission.REPEATED
    assert had == ["answer"]


async def test_an_effect_that_raises_may_be_tried_again(redis: FakeAsyncRedis) -> None:
    async def fails() -> None:
        raise OSError("no route")

    async def works() -> None:
        pass

    with pytest.raises(OSError, match="no route"):
        await process_once(store(redis), "anna", "k", 1, fails)
    assert await process_once(store(redis), "anna", "k", 1, works) is Admission.WORK


async def test_nothing_is_kept_for_ever(redis: FakeAsyncRedis) -> None:
    keys = store(redis)
    await keys.begin("anna", "begun", 1)
    await keys.begin("anna", "done", 1)
    await keys.complete("done")
    for key in await redis.keys():
        assert 0 < await redis.pttl(key) <= 120_000
