"""The world of one function, for every test of the buffer."""

from types import SimpleNamespace

import pytest

from tests.unit.buffer.world import World


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A fresh one; made inside the test's loop. Its server's clock stands still, however busy the machine is."""
    monkeypatch.setattr("fakeredis._socket._base.time", SimpleNamespace(time=lambda: 1_800_000_000.0))
    return World()
