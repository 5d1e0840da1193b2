from collections import Counter

from engine.exploration.scheduler import Draw
from engine.exploration.timed import Streams, Timed, draw_number


def drawn(low: int, high: int, shape: str, default: int = 0, times: int = 4_000) -> Counter[int]:
    stream = Streams("test")["stream"]
    return Counter(draw_number(stream, Draw("key#1", "stream", low, high, default, shape)) for _ in range(times))


def test_a_uniform_draw_has_both_ends_and_nothing_beyond() -> None:
    assert set(drawn(3, 7, "uniform")) == {3, 4, 5, 6, 7}


def test_a_log_uniform_draw_has_both_ends_and_nothing_beyond() -> None:
    for low, high in ((1, 4), (0, 3), (0, 1), (5, 9), (-3, 0)):
        assert set(drawn(low, high, "log_uniform")) == set(range(low, high + 1))


def test_a_log_uniform_draw_is_as_often_in_one_decade_as_in_the_next() -> None:
    counts = drawn(1, 999, "log_uniform")
    decades = [sum(counts[number] for number in range(low, 10 * low)) for low in (1, 10, 100)]
    assert all(abs(count - 4_000 / 3) < 150 for count in decades)


def test_a_rate_is_how_often_a_draw_deviates_and_then_every_other_value_comes() -> None:
    counts = drawn(0, 3, "rate:0.3", default=1)
    assert abs(counts[1] / 4_000 - 0.7) < 0.03
    assert all(abs(counts[number] / 4_000 - 0.1) < 0.02 for number in (0, 2, 3))
    assert set(counts) == {0, 1, 2, 3}


def test_streams_do_not_disturb_each_other() -> None:
    one, other = Streams("seed"), Streams("seed")
    other["b"].random()
    assert [one["a"].random() for _ in range(3)] == [other["a"].random() for _ in range(3)]
    assert one["a"].random() != one["b"].random()


def test_each_run_has_its_own_draws_and_the_same_run_has_the_same() -> None:
    draw = Draw("key#1", "stream", 0, 10**9, 0, "uniform")
    policy = Timed("seed")
    numbers = []
    for run in (0, 1, 0):
        assert policy.new_run(run)
        numbers.append(policy.number(draw))
    assert numbers[0] == numbers[2] != numbers[1]
    assert Timed("another seed").number(draw) != numbers[0]
