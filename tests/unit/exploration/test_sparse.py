"""The policy that shrinking looks around with: in order, but for a few deviations, the same for the same seed."""

from engine.exploration.scheduler import Draw
from engine.exploration.sparse import RATES, Sparse
from tests.unit.exploration.toy import Named


def choices(run: int) -> list[int]:
    policy = Sparse("seed", stepped=True)
    policy.new_run(run)
    steps = [Named("a"), Named("b"), Named("c")]
    return [policy.next_step(steps) for _ in range(300)] + [
        policy.number(Draw(f"hop#{n}", "hops", 1, 600, 1, "log_uniform")) for n in range(300)
    ]


def test_most_choices_are_the_default() -> None:
    numbers = choices(0)
    deviating = sum(each != 0 for each in numbers[:300]) + sum(each != 1 for each in numbers[300:])
    assert 0 < deviating < 600 * max(RATES)


def test_the_same_seed_and_run_choose_the_same_and_others_do_not() -> None:
    assert choices(4) == choices(4)
    assert choices(4) != choices(5)


def test_a_number_stays_in_its_range() -> None:
    assert all(1 <= each <= 600 for each in choices(2)[300:])
