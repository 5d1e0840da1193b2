"""The world of one function, for every test of the buffer."""

import pytest

from tests.unit.buffer.world import World


@pytest.fixture
async def world() -> World:
    """A fresh one; made inside the test's loop."""
    return World()
