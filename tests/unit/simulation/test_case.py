import json
from dataclasses import fields
from typing import Any

import pytest
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
    sendings=st.lists(SENDINGS, min_size=1, max_size=3).map(tuple),
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"functions": -1}, "functions is -1, not 1 to 1,000"),
        ({"functions": 0}, "functions is 0,"),
        ({"functions": 1_001}, "functions is 1001,"),
        ({"functions": True}, "functions is true,"),
        ({"hop_ms": [600, 1]}, "hop_ms is [600, 1], not a least and a most of 0 or more"),
        ({"hop_ms": 5}, "hop_ms is 5,"),
        ({"processor_ms": [-5, 10]}, "processor_ms is [-5, 10],"),
        ({"processor_ms": [1, 2, 3]}, "processor_ms is [1, 2, 3],"),
        ({"outages_ms": [[9, 1]]}, "outages_ms is [[9, 1]], not a list of pairs"),
        ({"sendings": []}, "sendings is empty"),
        ({"sendings": [{"at_ms": -1, "message_id": "a", "text": "hi", "label": "m1"}]}, "sendings[0].at_ms is -1,"),
        (
            {"sendings": [{"at_ms": 0, "message_id": "a", "text": 7, "label": "m1"}]},
            "sendings[0].text is 7, not a text",
        ),
        ({"sendings": 7}, "sendings is 7, not a list"),
        ({"sendings": [7]}, "sendings[0] is 7, not an object"),
        ({"sendings": [{"at_ms": 0, "message_id": "a", "text": "hi"}]}, "sendings[0].label is missing"),
        ({"sendings": [{"at_ms": 0, "message_id": "a", "txt": "hi", "label": "m1"}]}, "sendings[0].txt is no field"),
        (
            {"sendings": [{"at_ms": 0, "message_id": "a", "text": "hi", "label": "m1", "repeats_ms": 7}]},
            "sendings[0].repeats_ms is 7, not a list",
        ),
        ({"functoins": 2}, "functoins is no field that is known here"),
        ({"settings": 7}, "settings is 7, not an object"),
        ({"fault_budget": -1}, "fault_budget is -1,"),
        ({"holds_max": "2"}, 'holds_max is "2",'),
        ({"instants_ms": ["soon"]}, 'instants_ms is ["soon"],'),
        ({"faults": ["lightning"]}, 'faults is ["lightning"], not a list of kinds'),
        ({"fault_rate": 2}, "fault_rate is 2,"),
        ({"judged": 7}, "judged is 7,"),
        ({"rollout_from": {}}, "rollout_from is {},"),
        ({"cluster": "no"}, 'cluster is "no", not true or false'),
    ],
)
def test_a_case_of_which_no_run_could_be_made_is_refused_by_its_field(change: dict[str, Any], said: str) -> None:
    plain = {"sendings": [{"at_ms": 0, "message_id": "a", "text": "hi", "label": "m1"}]}
    with pytest.raises(ValueError, match=r"^case") as refused:
        Case.from_json({**plain, **change})
    assert str(refused.value).startswith(f"case.{said}")


def test_a_case_without_its_sendings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^case\.sendings is missing"):
        Case.from_json({"functions": 2})
