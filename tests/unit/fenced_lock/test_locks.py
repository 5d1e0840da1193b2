import asyncio

import pytest

from engine.buffer.fenced_lock.locks import LockNotTaken, OwnedLock
from tests.unit.lease.world import World


def lock(world: World, ttl_ms: int = 60_000) -> OwnedLock:
    """A lock in a function of its own."""
    return OwnedLock(world.make().runtime, "lock", ttl_ms)


async def test_a_lock_has_one_holder(world: World) -> None:
    first, second = lock(world), lock(world)
    await first.take(0)
    with pytest.raises(LockNotTaken):
        await second.take(0)
    await first.release()
    await second.take(0)


async def test_only_the_holder_releases_it(world: World) -> None:
    first, second = lock(world, ttl_ms=1), lock(world)
    await first.take(0)
    await asyncio.sleep(0.01)
    await second.take(0)
    await first.release()
    assert await world.plain().get("lock") == second.token.encode()


async def test_waiting_ends(world: World) -> None:
    await lock(world).take(0)
    with pytest.raises(LockNotTaken):
        await lock(world).take(60)


async def test_who_waits_gets_a_lock_that_ends(world: World) -> None:
    await lock(world, ttl_ms=20).take(0)
    waiting = lock(world)
    await waiting.take(5_000)
    assert await world.plain().get("lock") == waiting.token.encode()


async def test_a_held_lock_is_renewed_and_a_lost_one_is_not(world: World) -> None:
    held = lock(world, ttl_ms=300)
    await held.take(0)
    renewing = asyncio.create_task(held.renew_until_released())
    await asyncio.sleep(0.45)
    assert await world.plain().get("lock") == held.token.encode()
    await world.plain().set("lock", "another's")
    await asyncio.wait_for(renewing, 1)
    assert [note["note"] for note in world.said("note")] == ["lock lost"]
