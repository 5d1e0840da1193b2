"""The timing of real chats: the counts are those that the data's README states, and so are the bursts drawn from them."""

import random

import pytest

from scenarios.catalogue.window import burst_timing, real_offsets

BURSTS = 20_000


@pytest.fixture(scope="module")
def bursts() -> list[list[int]]:
    rng = random.Random(0)
    return [real_offsets(rng) for _ in range(BURSTS)]


def share_with_a_message_between(bursts: list[list[int]], start_ms: int, end_ms: int) -> float:
    return sum(any(start_ms <= offset < end_ms for offset in burst[1:]) for burst in bursts) / len(bursts)


def test_the_counts_are_those_of_the_readme() -> None:
    timing = burst_timing()
    assert timing["messages"] == 85_995
    assert timing["bursts"] == 43_592 == sum(timing["messages_within_8_s"].values())
    assert round(100 * timing["bursts_with_a_message_at_7_to_9_s"] / timing["bursts"], 1) == 8.1
    assert round(100 * timing["bursts_with_a_message_at_8_to_16_s"] / timing["bursts"], 1) == 22.8


def test_as_many_drawn_bursts_have_a_message_at_the_edge_as_real_ones(bursts: list[list[int]]) -> None:
    assert share_with_a_message_between(bursts, 7_000, 9_000) == pytest.approx(0.081, abs=0.007)


def test_as_many_drawn_bursts_have_a_message_while_the_answer_is_made_as_real_ones(bursts: list[list[int]]) -> None:
    assert share_with_a_message_between(bursts, 8_000, 16_000) == pytest.approx(0.228, abs=0.01)


def test_as_many_drawn_bursts_are_a_single_message_within_8_s_as_real_ones(bursts: list[list[int]]) -> None:
    single = 1 - share_with_a_message_between(bursts, 0, 8_000)
    assert single == pytest.approx(burst_timing()["messages_within_8_s"]["1"] / burst_timing()["bursts"], abs=0.01)


def test_messages_are_spread_within_the_second(bursts: list[list[int]]) -> None:
    fractions = [offset % 1_000 for burst in bursts for offset in burst[1:]]
    assert sum(fractions) / len(fractions) == pytest.approx(499.5, abs=15)


def test_a_burst_is_in_order_and_begins_with_its_first_message(bursts: list[list[int]]) -> None:
    assert all(burst == sorted(burst) and burst[0] == 0 for burst in bursts)
    assert max(max(burst) for burst in bursts) < 31_000
