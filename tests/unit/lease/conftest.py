"""The world of the functions of `lease`."""

from collections.abc import AsyncIterator

import pytest

from engine.buffer.lease import Lease
from tests.unit.lease.world import World, world_of


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with world_of(Lease) as world:
        yield world
