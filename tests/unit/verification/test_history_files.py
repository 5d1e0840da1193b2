"""The file form of a history: canonical bytes, digests, and errors that name the line."""

from pathlib import Path

import pytest

from engine.verification import digest, from_bytes, read, to_bytes, write
from tests.unit.verification.paper import Paper


def test_a_history_survives_the_file(tmp_path: Path) -> None:
    paper = Paper()
    paper.message("m1", text="é \ud800 \n", data={"list": [], "big": 1234567890123456789, "f": 1.0, "no": None})
    history = paper.end()
    write(tmp_path / "h.jsonl", history)
    assert read(tmp_path / "h.jsonl") == history
    assert (tmp_path / "h.jsonl").read_bytes().isascii()


def test_the_order_of_names_changes_no_byte() -> None:
    assert to_bytes([{"t": 1, "event": "x"}]) == to_bytes([{"event": "x", "t": 1}]) == b'{"event":"x","t":1}\n'


def test_a_tuple_is_written_as_the_list_it_is_read_back_as() -> None:
    assert digest([{"t": 0, "event": "x", "c": ("a", "b")}]) == digest([{"t": 0, "event": "x", "c": ["a", "b"]}])


@pytest.mark.parametrize(
    "other", [{"t": 0, "event": "x", "n": 1.0}, {"t": 0, "event": "x", "n": True}, {"t": 0, "event": "x"}]
)
def test_other_values_and_types_give_another_digest(other: dict[str, object]) -> None:
    assert digest([other]) != digest([{"t": 0, "event": "x", "n": 1}])


def test_the_order_of_events_counts() -> None:
    one, two = {"t": 0, "event": "a"}, {"t": 0, "event": "b"}
    assert digest([one, two]) != digest([two, one])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"t":0,"event":"a"}\n{"t":', "line 2 of the history is no JSON"),
        (b"[]\n", "line 1 of the history is no event"),
        (b'{"t":0}\n', "line 1 of the history is no event"),
    ],
)
def test_a_bad_file_is_refused_by_its_line(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_bytes(data)
