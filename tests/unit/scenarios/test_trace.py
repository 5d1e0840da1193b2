"""A trace file holds the history and comes back as it was written; what is none is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from engine.simulation.case import Case, Sending
from scenarios.trace import Trace, first_difference, read_trace

HISTORY: list[dict[str, Any]] = [
    {"t": 0, "event": "start"},
    {"t": 1, "event": "note", "note": '\n "history": [] \ud800 🤖', "call": "w1"},
]
TRACE = Trace(
    strategy="lock",
    case=Case(scenario="boundary", sendings=(Sending(at_ms=0, message_id="id", text='"keys": []', label="m1"),)),
    schedule={"next#1": 2},
    stepped=True,
    invariant="no_loss",
    cause=None,
    explanation="m1 was lost",
    digest="00",
    history=HISTORY,
    events=(1,),
    exceptions=("m1 goes to f2",),
    keys=[{"event": 1, "key": "k", "value": None, "ends_ms": None}],
)


def test_a_trace_comes_back_as_it_was_written(tmp_path: Path) -> None:
    TRACE.write(tmp_path / "traces" / "x.json")
    assert read_trace(tmp_path / "traces" / "x.json") == TRACE


def test_a_trace_without_events_or_changes_of_keys_comes_back_too(tmp_path: Path) -> None:
    bare = replace(TRACE, history=[], keys=[], events=(), exceptions=())
    bare.write(tmp_path / "x.json")
    assert read_trace(tmp_path / "x.json") == bare


def test_the_file_has_a_line_for_each_event(tmp_path: Path) -> None:
    TRACE.write(tmp_path / "x.json")
    lines = (tmp_path / "x.json").read_text("utf-8").splitlines()
    assert sum('"event": "note"' in line for line in lines) == 1


def test_an_older_trace_without_a_history_is_refused_with_what_to_do(tmp_path: Path) -> None:
    document = TRACE.to_json()
    del document["history"]
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"it has no history.*record it again with verify"):
        read_trace(tmp_path / "x.json")


@pytest.mark.parametrize("history", [7, [7], [{"t": 0}], [{"event": "x"}], None])
def test_a_damaged_history_is_refused(tmp_path: Path, history: Any) -> None:
    (tmp_path / "x.json").write_text(json.dumps({**TRACE.to_json(), "history": history}))
    with pytest.raises(UsageError, match="missing or damaged"):
        read_trace(tmp_path / "x.json")


def test_the_first_event_that_differs_is_named_by_its_position() -> None:
    assert first_difference(HISTORY, HISTORY) is None
    assert first_difference(HISTORY, HISTORY[:1]) == 1
    assert first_difference(HISTORY, [{"t": 0.0, "event": "start"}]) == 0, "1 and 1.0 differ"
