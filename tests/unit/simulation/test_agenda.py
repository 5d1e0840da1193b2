import random
from functools import partial

import pytest

from engine.exploration.random_walk import RandomWalk
from engine.exploration.scheduler import Choices, Draw, Replay
from engine.exploration.timed import Timed
from engine.simulation.agenda import Agenda
from engine.simulation.bounds import BoundHit, Bounds


def agenda_of(*, stepped: bool, schedule: dict[str, int] | None = None, instants: tuple[int, ...] = ()) -> Agenda:
    return Agenda(Choices(Replay(schedule or {}, stepped=stepped)), instants, Bounds())


def run_out(agenda: Agenda) -> None:
    while agenda.advance():
        pass


@pytest.mark.parametrize("stepped", [False, True])
def test_timers_happen_at_their_time_and_those_of_one_time_in_the_order_in_which_they_were_set(stepped: bool) -> None:
    agenda = agenda_of(stepped=stepped)
    happened: list[tuple[int, str]] = []

    def note(name: str) -> None:
        happened.append((agenda.now_ms, name))

    for name, due_ms in (("b", 5), ("c", 5), ("a", 2), ("late", 0)):
        agenda.at("timer", name, None, partial(note, name), due_ms)
    run_out(agenda)
    assert happened == [(0, "late"), (2, "a"), (5, "b"), (5, "c")]
    assert not agenda.busy


@pytest.mark.parametrize("stepped", [False, True])
def test_a_cancelled_step_does_not_happen(stepped: bool) -> None:
    agenda = agenda_of(stepped=stepped)
    happened: list[str] = []
    step = agenda.at("timer", "a", None, lambda: happened.append("a"), 5)
    hop = agenda.hop("b", "f1", None, lambda: happened.append("b"), (1, 9))
    agenda.cancel(step)
    agenda.cancel(step)
    agenda.cancel(hop)
    assert not agenda.busy
    run_out(agenda)
    assert happened == []


def test_idle_timers_alone_keep_nothing_busy() -> None:
    agenda = agenda_of(stepped=False)
    idle = agenda.at("timer", "tick", None, lambda: None, 5)
    agenda.mark_idle(idle)
    agenda.mark_idle(idle)
    assert not agenda.busy
    hop = agenda.hop("b", "f1", None, lambda: None, (1, 9))
    assert agenda.busy
    agenda.cancel(hop)
    agenda.cancel(idle)
    assert not agenda.busy


def test_in_stepped_time_any_step_pending_at_an_instant_can_be_next() -> None:
    agenda = agenda_of(stepped=True, schedule={"next#1": 2, "next#2": 1})
    happened: list[str] = []
    for name in "abc":
        agenda.hop(name, "f1", None, partial(happened.append, name), (1, 9))
    run_out(agenda)
    assert happened == ["c", "b", "a"]


def when_timers_fire(agenda: Agenda, due: dict[str, int]) -> dict[str, int]:
    """When each of these timers happens, with a few hops around them."""
    happened: dict[str, int] = {}

    def fire(name: str) -> None:
        happened[name] = agenda.now_ms

    for name, due_ms in due.items():
        agenda.at("timer", name, None, partial(fire, name), due_ms)
    for number in range(4):
        agenda.hop(f"h{number}", "f1", None, lambda: None, (1, 9))
    run_out(agenda)
    return happened


def test_what_is_due_happens_before_time_goes_on() -> None:
    for seed in range(200):
        stream = random.Random(seed)
        due = {f"t{number}": stream.randrange(10) for number in range(6)}
        assert when_timers_fire(Agenda(Choices(RandomWalk(str(seed))), (3, 7), Bounds()), due) == due


def end_of_work(agenda: Agenda) -> int:
    ends: list[int] = []
    agenda.work("w", "f1", lambda: ends.append(agenda.now_ms), (30, 100))
    run_out(agenda)
    return ends[0]


def test_work_ends_within_its_window_and_at_a_known_instant() -> None:
    ends = {end_of_work(Agenda(Choices(RandomWalk(str(seed))), (40, 60, 200), Bounds())) for seed in range(200)}
    assert ends == {30, 40, 60, 100}


@pytest.mark.parametrize("stepped", [False, True])
def test_a_stalled_hop_takes_its_window_and_the_stall(stepped: bool) -> None:
    agenda = agenda_of(stepped=stepped)
    at: list[int] = []
    agenda.hop("h", "f1", None, lambda: at.append(agenda.now_ms), (1, 600), 700)
    run_out(agenda)
    assert at == [1_300]


def arrival_of_a_hop(agenda: Agenda, window_ms: tuple[int, int]) -> int:
    at: list[int] = []
    agenda.hop("h", "f1", None, lambda: at.append(agenda.now_ms), window_ms)
    run_out(agenda)
    return at[0]


def test_a_timed_hop_takes_what_was_drawn() -> None:
    for run in range(50):
        policy = Timed("hops")
        policy.new_run(run)
        at = arrival_of_a_hop(Agenda(Choices(policy), (), Bounds()), (5, 50))
        policy.new_run(run)
        assert at == policy.number(Draw("h#1", "hop/f1", 5, 50, 5, "log_uniform"))
        assert 5 <= at <= 50


def test_steps_are_bounded() -> None:
    agenda = Agenda(Choices(Replay({}, stepped=False)), (), Bounds(steps=10))

    def again() -> None:
        agenda.at("timer", "again", None, again, agenda.now_ms + 1)

    again()
    with pytest.raises(BoundHit, match="more than 10 steps"):
        run_out(agenda)
