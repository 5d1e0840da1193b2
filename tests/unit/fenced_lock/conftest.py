"""The world of the functions of `fenced_lock`."""

from collections.abc import AsyncIterator

import pytest

from engine.buffer.fenced_lock import FencedLock
from tests.unit.lease.world import World, world_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of(FencedLock) as world:
        yield world
