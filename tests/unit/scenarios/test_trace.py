"""A trace file holds the history and comes back as it was written; what is none is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from engine.buffer.files import write_whole
from engine.simulation.case import Case, Sending
from scenarios.batch import Plan
from scenarios.failures import trace_name
from scenarios.replay import strategy_of
from scenarios.result import Result
from scenarios.trace import Trace, first_difference, portable, read_trace, short, trace_text

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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case": {**TRACE.case.to_json(), "functions": -1}}, "case.functions is -1, not 1 to 1,000"),
        ({"case": {"sendings": []}}, "case.sendings is empty"),
        ({"stepped": "yes"}, 'stepped is "yes", not true or false'),
        (
            {"violation": {**TRACE.to_json()["violation"], "events": [1, 2]}},
            "violation.events has 2, the history has 2",
        ),
        ({"violation": {**TRACE.to_json()["violation"], "events": [-1]}}, "violation.events has -1"),
        (
            {"violation": {**TRACE.to_json()["violation"], "invariant": "no_los"}},
            'violation.invariant is "no_los", which is no invariant',
        ),
    ],
)
def test_a_trace_of_which_no_run_could_be_made_is_refused_by_file_and_field(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    (tmp_path / "x.json").write_text(json.dumps({**TRACE.to_json(), **change}))
    with pytest.raises(UsageError, match=r"x\.json: ") as refused:
        read_trace(tmp_path / "x.json")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_first_event_that_differs_is_named_by_its_position() -> None:
    assert first_difference(HISTORY, HISTORY) is None
    assert first_difference(HISTORY, HISTORY[:1]) == 1
    assert first_difference(HISTORY, [{"t": 0.0, "event": "start"}]) == 0, "1 and 1.0 differ"


def test_a_file_is_named_without_folders_where_no_folder_may_count() -> None:
    here, there = (
        Plan(strategy=spec, scenario=scenario, policy="random", seed=0)
        for spec, scenario in (
            ("mine.py:Mine", "workload:log.jsonl"),
            ("../my bot/mine.py:Mine", "workload:/var/log.jsonl"),
        )
    )
    assert here.stream == there.stream == "0/mine.py:Mine/workload:log.jsonl"
    assert trace_name(here, "no_loss", None) == trace_name(there, "no_loss", None)
    assert portable("lock") == short("lock") == "lock"


def test_a_trace_finds_its_strategy_from_another_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    name = 'mine'\n    async def receive(self, message):\n        pass\n"
    )
    path = tmp_path / "results" / "traces" / "x.json"
    trace = replace(TRACE, strategy="mine.py:Mine")
    trace.write(path)
    monkeypatch.chdir("/")
    assert strategy_of(trace, path).name == "mine"


def test_a_setting_that_is_refused_names_the_trace_it_stands_in(tmp_path: Path) -> None:
    trace = replace(TRACE, case=replace(TRACE.case, settings={"BUFFER_DELAY": "1"}))
    with pytest.raises(UsageError, match=r"trace .*x\.json: unknown setting BUFFER_DELAY"):
        strategy_of(trace, tmp_path / "x.json")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "results.json", "old")

    def interrupted(*_arguments: Any) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "results.json", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_only_traces_of_the_results_before_are_removed(tmp_path: Path) -> None:
    for name in ("old", "new", "mine"):
        write_whole(tmp_path / "traces" / f"{name}.json", "{}")
    write_whole(tmp_path / "precious.json", "{}")

    def result(*names: str) -> Result:
        return Result({"rows": [{"trace": name, "causes": {"race": name}} for name in names]}, [])

    result("traces/old.json", "traces/new.json", "../precious.json", "precious.json").write(tmp_path)
    result("traces/new.json").write(tmp_path)
    assert sorted(path.stem for path in (tmp_path / "traces").iterdir()) == ["mine", "new"]
    assert (tmp_path / "precious.json").is_file()


def test_a_message_s_data_keeps_its_order_so_that_a_design_that_stores_it_replays() -> None:
    document = {
        "history": [],
        "keys": [],
        "case": {"sendings": [{"text": "a", "data": {"tags": [], "n": {"z": 1, "a": 2}}}]},
    }
    text = trace_text(document)
    assert list(json.loads(text)["case"]["sendings"][0]) == ["data", "text"]
    data = json.loads(text)["case"]["sendings"][0]["data"]
    assert (list(data), list(data["n"])) == (["tags", "n"], ["z", "a"])
