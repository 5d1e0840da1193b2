"""Verdicts, what is said of a run that is broken or cut short, and what limits the judging."""

import importlib
from itertools import product

import pytest

from engine import verification
from engine.verification import INVARIANTS, Event, Judgement, Verdict, combine, judge, overall
from engine.verification.facts import Facts
from engine.verification.invariants import JUDGES
from engine.verification.verdict import Finding
from tests.unit.verification.paper import Paper, judged

V, U, H = Verdict.VIOLATED, Verdict.UNKNOWN, Verdict.HOLDS


@pytest.mark.parametrize("three", list(product((V, U, H), repeat=3)))
def test_violated_beats_unknown_beats_holds(three: tuple[Verdict, ...]) -> None:
    expected = V if V in three else U if U in three else H
    assert combine(three) is expected


def test_nothing_at_all_is_unknown() -> None:
    assert combine([]) is U
    assert overall([]) is U


def test_what_does_not_apply_is_left_out_of_the_verdict_over_many() -> None:
    holds, skipped = Judgement("order", H, True), Judgement("order", U, False)
    assert overall([holds, skipped]) is H
    assert overall([skipped]) is U
    assert overall([holds, Judgement("order", U, True)]) is U
    assert overall([holds, Judgement("order", V, True)]) is V


def kept() -> Paper:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 8_010)
    return paper


def test_judgements_come_in_the_fixed_order() -> None:
    assert tuple(each.invariant for each in judge(kept().end())) == INVARIANTS
    assert len(set(INVARIANTS)) == 12


def test_a_run_that_hit_its_bound_is_unknown_where_nothing_is_violated() -> None:
    paper = Paper()
    paper.message("m1")
    paper.hand_over("m1", 4_000)
    verdicts = {each.invariant: each.verdict for each in judge(paper.end(completed=False))}
    assert verdicts.pop("buffered") is V
    assert set(verdicts.values()) == {U}


def test_a_loss_is_not_known_before_the_end() -> None:
    paper = Paper()
    paper.message("m1")
    assert judged(paper.so_far(), "no_loss").verdict is U
    assert judged(paper.end(), "no_loss").verdict is V


def test_what_faults_rule_out_stays_out_in_a_run_cut_short() -> None:
    paper = kept()
    paper.event(5, "fault", kind="crash")
    assert not judged(paper.end(completed=False), "buffered").applicable


def test_only_what_the_scenario_and_the_caller_ask_for_is_judged() -> None:
    paper = Paper(judged=["no_loss", "order"])
    paper.message("m1")
    assert {each.invariant for each in judge(paper.end()) if each.applicable} == {"no_loss"}
    assert not any(each.applicable for each in judge(paper.so_far(), only=["timely"]))


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{"t": 0, "event": "healed"}],
        [{"t": 0, "event": "start"}, {"t": 1, "event": "webhook.answered", "call": "w9"}],
    ],
    ids=["nothing", "no start", "an answer to nothing"],
)
def test_a_broken_history_is_unknown_and_says_why(history: list[Event]) -> None:
    for judgement in judge(history):
        assert (judgement.verdict, judgement.applicable) == (U, True)
        assert judgement.error


def test_a_judge_that_raises_is_unknown_and_the_others_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(facts: Facts) -> Finding:
        raise ZeroDivisionError("judge")

    monkeypatch.setitem(JUDGES, "no_loss", broken)
    judgements = {each.invariant: each for each in judge(kept().end())}
    assert judgements["no_loss"].verdict is U
    assert judgements["no_loss"].error == "ZeroDivisionError: judge"
    assert judgements["no_duplicate"].verdict is H


def test_a_violation_stands_when_its_explanation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(facts: Facts, *, invariants: object) -> None:
        raise ZeroDivisionError("race")

    module = importlib.import_module("engine.verification.judge")  # the façade's name `judge` is the function
    monkeypatch.setattr(module, "matches_in", broken)
    paper = Paper()
    paper.message("m1")
    judgement = judged(paper.end(), "no_loss")
    assert judgement.verdict is V
    assert judgement.error is not None


def test_the_public_names_are_sorted_and_there() -> None:
    constants = [name for name in verification.__all__ if name.isupper()]
    classes = [name for name in verification.__all__ if not name.isupper() and name[0].isupper()]
    functions = [name for name in verification.__all__ if name[0].islower()]
    assert verification.__all__ == sorted(constants) + sorted(classes) + sorted(functions)
    assert all(hasattr(verification, name) for name in verification.__all__)
