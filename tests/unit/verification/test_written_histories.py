"""Every invariant on two history files: one that breaks it, and one that is as near to that as can be and does not."""

from pathlib import Path

import pytest

from engine.verification import INVARIANTS, Verdict, read, to_bytes
from tests.unit.verification.paper import judged

HISTORIES = Path(__file__).parent / "histories"

#: What a violation of each file says; its labels and times must be those of the file.
SAID = {
    "no_loss": "m2 was accepted at 0.120 s and never handed over",
    "no_duplicate": "m1 had an effect at 9.010 s and again at 11.000 s",
    "batch_stable": "the key 'k1' stood for [m1] at 8.010 s and for [m1, m2] at 10.000 s",
    "order": (
        "m1 was accepted at 0.020 s, before m2 was sent at 0.100 s, but m2 stands before it in the batch of 9.010 s"
    ),
    "one_at_a_time": "the processor began m2 at 8.901 s while it was at m1 from 8.011 s to 9.000 s",
    "buffered": (
        "m2 was received at 0.110 s and accepted at 0.120 s, within the window that began at 0.010 s, and is not in its"
        " batch of 8.010 s"
    ),
    "available": "the webhook call of m2, sent at 0.100 s, was answered 503 at 0.120 s",
    "isolation": "m2 of the conversation ['a', 'b:c'] appeared at 8.010 s under the conversation ['a:b', 'c']",
    "integrity": (
        'the data of m1 was received as {"big":1234567890123456789,"list":[]} and handed over at 8.011 s as'
        ' {"big":1.2345678901235e+18,"list":{}}'
    ),
    "timely": "m1 was accepted at 0.020 s and had its effect at 201.000 s: too late, as 68.020 s was the latest",
    "status_true": (
        '"success" was reported at 18.003 s although the hand-over of m1 failed at 9.001 s and it has had no effect'
    ),
    "no_leak": "1 key is left at the end, at 20.000 s: deadly",
}


def test_every_invariant_has_its_two_histories() -> None:
    names = {path.name for path in HISTORIES.iterdir()}
    assert names == {f"{name}.{verdict}.jsonl" for name in INVARIANTS for verdict in ("violated", "holds")}
    assert set(SAID) == set(INVARIANTS)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_the_history_that_breaks_it_is_found_and_explained(invariant: str) -> None:
    history = read(HISTORIES / f"{invariant}.violated.jsonl")
    judgement = judged(history, invariant)
    assert judgement.verdict is Verdict.VIOLATED
    assert judgement.applicable
    assert judgement.error is None
    violation = judgement.violations[0]
    assert violation.explanation == SAID[invariant]
    assert 1 <= len(violation.events) <= 4
    assert all(0 < index < len(history) for index in violation.events)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_the_history_that_keeps_it_is_applicable_and_holds(invariant: str) -> None:
    judgement = judged(read(HISTORIES / f"{invariant}.holds.jsonl"), invariant)
    assert (judgement.verdict, judgement.applicable, judgement.violations) == (Verdict.HOLDS, True, ())


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_the_same_run_cut_short_is_undecided(invariant: str) -> None:
    history = read(HISTORIES / f"{invariant}.holds.jsonl")[:-1]
    judgement = judged(history, invariant)
    assert (judgement.verdict, judgement.applicable) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize("path", sorted(HISTORIES.iterdir()), ids=lambda path: path.stem)
def test_the_files_are_canonical(path: Path) -> None:
    assert to_bytes(read(path)) == path.read_bytes()
