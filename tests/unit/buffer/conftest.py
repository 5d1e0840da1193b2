"""The world of one function, for every test of the buffer."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.buffer.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A fresh one; made inside the test's loop."""
    yield World()
