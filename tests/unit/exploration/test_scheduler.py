from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from engine.exploration.random_walk import RandomWalk
from engine.exploration.scheduler import Choices, Draw, Pending, Replay


@dataclass
class Waiting:
    name: str
    actor: str = "f1"
    kind: str = "hop"
    identity: int = 0
    cause: int = 0


STEPS: Sequence[Pending] = [Waiting("a"), Waiting("b"), Waiting("c")]


def test_only_what_deviates_from_its_default_is_recorded() -> None:
    choices = Choices(Replay({"hop#2": 5, "next#1": 2}, stepped=True))
    assert [choices.number("s", "hop", 1, 9, shape="uniform") for _ in range(3)] == [1, 5, 1]
    assert [choices.next_step(STEPS) for _ in range(2)] == [2, 0]
    assert choices.deviations == {"hop#2": 5, "next#1": 2}
    assert choices.asked == 5


def test_a_question_with_one_answer_is_not_asked() -> None:
    choices = Choices(Replay({}, stepped=True))
    assert choices.number("s", "hop", 4, 4, shape="uniform") == 4
    assert choices.number("s", "hop", 4, 3, shape="uniform") == 4
    assert choices.next_step(STEPS[:1]) == 0
    assert choices.asked == 0


def test_a_stated_default_is_one_even_if_it_is_not_the_least() -> None:
    choices = Choices(Replay({}, stepped=False))
    assert choices.number("s", "stall", 700, 9_000, default=6_000, shape="log_uniform") == 6_000
    assert choices.deviations == {}


def test_a_replayed_value_out_of_its_range_becomes_the_nearest_in_it() -> None:
    replay = Replay({"hop#1": 99, "low#1": -5, "next#1": 7}, stepped=True)
    assert replay.number(Draw("hop#1", "s", 1, 9, 1, "uniform")) == 9
    assert replay.number(Draw("low#1", "s", 1, 9, 1, "uniform")) == 1
    assert replay.next_step(STEPS) == 2


def test_a_replay_has_one_run() -> None:
    replay = Replay({"next#1": 1}, stepped=True)
    assert replay.new_run(0)
    assert not replay.new_run(1)


def test_recorded_choices_of_a_walk_replay_to_the_same_choices() -> None:
    def ask(choices: Choices) -> list[int]:
        numbers = [choices.number("s", "hop", 1, 9, shape="uniform") for _ in range(20)]
        return numbers + [choices.next_step(STEPS) for _ in range(20)]

    walk = RandomWalk("0")
    first = Choices(walk)
    answers = ask(first)
    assert ask(Choices(Replay(first.deviations, stepped=True))) == answers


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_random_walk_takes_every_step_about_as_often(seed: str) -> None:
    walk = RandomWalk(seed)
    taken = [walk.next_step(STEPS) for _ in range(3_000)]
    assert all(abs(taken.count(place) - 1_000) < 120 for place in range(3))


def test_a_random_walk_keeps_the_rate_of_rare_things() -> None:
    walk = RandomWalk("0")
    draw = Draw("fault#1", "s", 0, 3, 0, "rate:0.1")
    strikes = sum(walk.number(draw) > 0 for _ in range(3_000))
    assert abs(strikes - 300) < 80
