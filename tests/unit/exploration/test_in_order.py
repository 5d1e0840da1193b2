"""A stepped schedule as delays by name: what was found in a run gives the same run back."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from engine.exploration.in_order import InOrder, Overtaking
from engine.exploration.scheduler import Draw, Pending
from tests.unit.exploration.toy import Named


def run(steps: list[tuple[str, int]], choose: Callable[[list[Named]], int], listen: Overtaking) -> list[str]:
    """Let steps become pending one after the other (how many at once is given), and take them as chosen."""
    pending: list[Named] = []
    taken: list[str] = []
    coming = list(steps)
    while pending or coming:
        while coming and (not pending or coming[0][1]):
            pending.append(Named(coming.pop(0)[0]))
        index = choose(pending)
        if len(pending) > 1:
            listen.chose(pending, index)
        step = pending.pop(index)
        listen.note_step(step)
        taken.append(step.name)
    return taken


@given(
    steps=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1)), max_size=12),
    picks=st.lists(st.integers(0, 5), max_size=12),
)
def test_delays_give_the_same_order_back(steps: list[tuple[str, int]], picks: list[int]) -> None:
    waiting = iter(picks)
    heard = Overtaking()
    order = run(steps, lambda pending: next(waiting, 0) % len(pending), heard)

    policy = InOrder({}, heard.delays, stepped=True)
    again = Overtaking()

    class Both(Overtaking):
        def note_step(self, step: Pending) -> str:
            policy.note_step(step)
            return again.note_step(step)

        def chose(self, steps: Sequence[Pending], index: int) -> None:
            again.chose(list(steps), index)

    assert run(steps, lambda pending: policy.next_step(list(pending)) if len(pending) > 1 else 0, Both()) == order
    assert again.delays == heard.delays


def test_a_run_in_order_has_no_delays() -> None:
    heard = Overtaking()
    run([("a", 1), ("b", 1), ("c", 1)], lambda pending: 0, heard)
    assert heard.delays == {}


def test_a_step_waits_for_the_last_one_that_overtook_it() -> None:
    heard = Overtaking()
    picks = iter([1, 1, 0])
    assert run([("a", 1), ("b", 1), ("c", 1)], lambda pending: next(picks), heard) == ["b", "c", "a"]
    assert heard.delays == {"a#1": "c#1"}


def test_a_step_that_waits_for_what_never_comes_is_taken_in_the_end() -> None:
    policy = InOrder({}, {"a#1": "z#1"}, stepped=True)
    assert policy.next_step([Named("a"), Named("b")]) == 1
    assert policy.next_step([Named("a")]) == 0


def test_numbers_are_given_back_by_key() -> None:
    policy = InOrder({"hop f1 GET#1": 7}, {}, stepped=False)
    assert policy.number(Draw("hop f1 GET#1", "s", 1, 9, 1, "uniform")) == 7
    assert policy.number(Draw("hop f1 GET#2", "s", 1, 9, 1, "uniform")) == 1


def test_an_order_that_could_not_be_said_is_given_back_by_position() -> None:
    policy = InOrder({"next#2": 1}, {}, stepped=True)
    steps = [Named("a"), Named("b")]
    assert [policy.next_step(steps), policy.next_step(steps), policy.next_step(steps)] == [0, 1, 0]
