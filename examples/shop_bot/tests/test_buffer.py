"""The shop's tests: the buffer alone, then the buffer in every order of events that a burst can bring."""

import pytest
from buffer import RepairedShopBuffer, ShopBuffer

from engine.testing.checking import Check

#: What the shop relies on, and when.
PROMISED = ("no_loss", "no_duplicate", "integrity", "isolation")
BURSTS = ("boundary", "burst", "two_conversations")


@pytest.mark.bufferproof(ShopBuffer, scenarios=BURSTS, invariants=PROMISED)
def test_the_buffer_keeps_every_message(bufferproof: Check) -> None:
    bufferproof.check()


@pytest.mark.bufferproof(RepairedShopBuffer, scenarios=BURSTS, invariants=PROMISED)
def test_the_repaired_buffer_keeps_every_message(bufferproof: Check) -> None:
    bufferproof.check()
