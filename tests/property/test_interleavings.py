"""Hypothesis generates whole interleavings: what must hold holds in all, what a design breaks is found and shrunk."""

from pathlib import Path

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from engine.verification import judge
from scenarios import replay
from scenarios.interleavings import Interleaving, check, interleavings
from scenarios.running import violations_of
from scenarios.selection import find_strategy

ONE_BY_ONE = str(Path(__file__).parents[1] / "strategies" / "one_by_one.py") + ":OneByOne"
SAFE = ("no_loss", "no_duplicate", "batch_stable", "isolation", "integrity")


@given(interleaving=interleavings())
def test_a_simple_correct_design_loses_and_doubles_nothing(interleaving: Interleaving) -> None:
    check(interleaving, find_strategy(ONE_BY_ONE), *SAFE)


@settings(max_examples=25)
@given(interleaving=interleavings(faults=("reply_lost", "crash", "pause", "stall")))
def test_lease_holds_every_invariant_under_faults(interleaving: Interleaving) -> None:
    run = interleaving.run(find_strategy("lease"))
    assert violations_of(judge(run.history)) == []


def violates(invariant: str, strategy: str):  # type: ignore[no-untyped-def]
    def predicate(interleaving: Interleaving) -> bool:
        run = interleaving.run(find_strategy(strategy))
        return bool(violations_of(judge(run.history, only=(invariant,))))

    return predicate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "invariant"),
    [(ONE_BY_ONE, "buffered")],
)
def test_a_known_violation_is_found_and_shrunk(strategy: str, invariant: str) -> None:
    found = find(
        interleavings(),
        violates(invariant, strategy),
        settings=settings(max_examples=300, database=None, derandomize=True),
    )
    assert len(found.case.sendings) <= 3


@given(data=st.data())
@settings(max_examples=5)
def test_a_failing_check_names_the_line_that_replays_it(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("traces")
    interleaving = data.draw(interleavings())
    try:
        check(interleaving, find_strategy(ONE_BY_ONE), "buffered", spec=ONE_BY_ONE, out=out)
    except AssertionError as error:
        path = str(error).rsplit("replay ", 1)[1]
        assert replay(path).outcome == "reproduced"
