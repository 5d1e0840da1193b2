import json
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from engine.simulation.case import FAULTS, Case, Sending

SENDINGS = st.builds(
    Sending,
    at_ms=st.integers(0, 10**6),
    message_id=st.text(max_size=5),
    text=st.text(max_size=5),
    label=st.text(max_size=3),
    data=st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)),
    repeats_ms=st.lists(st.integers(0, 9), max_size=2).map(tuple),
)
CASES = st.builds(
    Case,
    sendings=st.lists(SENDINGS, max_size=3).map(tuple),
    functions=st.integers(1, 4),
    hop_ms=st.tuples(st.integers(1, 5), st.integers(6, 600)),
    outages_ms=st.lists(st.tuples(st.integers(0, 5), st.integers(6, 9)), max_size=2).map(tuple),
    faults=st.lists(st.sampled_from(FAULTS), max_size=2).map(tuple),
    judged=st.none() | st.just(("no_loss",)),
    settings=st.dictionaries(st.just("SHARDS"), st.integers(1, 9)),
    retire_after_ms=st.none() | st.integers(0, 9),
)


@given(case=CASES)
def test_a_case_survives_being_written_down(case: Case) -> None:
    again = Case.from_json(json.loads(json.dumps(case.to_json())))
    assert again == case
    assert all(type(getattr(again, each.name)) is type(getattr(case, each.name)) for each in fields(Case))


def test_what_is_at_its_default_is_not_written() -> None:
    assert Case(sendings=()).to_json() == {"sendings": []}
