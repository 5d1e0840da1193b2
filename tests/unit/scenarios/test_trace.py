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


def refused(tmp_path: Path, document: dict[str, Any]) -> str:
    """What is said of this trace, without the file's name and what to do."""
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UsageError) as error:
        read_trace(tmp_path / "x.json")
    begin, end = f"trace {tmp_path / 'x.json'}: ", ": record it again with verify"
    assert str(error.value).startswith(begin)
    assert str(error.value).endswith(end)
    return str(error.value)[len(begin) : -len(end)]


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (7, "history is 7, not a list"),
        ([7], "history[0] is 7, not an object"),
        ([HISTORY[0], {"t": 0}], "history[1].event is missing"),
        ([{"event": "x"}], "history[0].t is missing"),
        ([{"event": "x", "t": "0"}], 'history[0].t is "0", not a whole number'),
        (None, "history is null, not a list"),
    ],
)
def test_a_damaged_history_is_refused_by_its_event(tmp_path: Path, history: Any, said: str) -> None:
    assert refused(tmp_path, {**TRACE.to_json(), "history": history}) == said


NEEDED = ("strategy", "violation", "schedule", "case", "stepped", "digest")
MAY_BE_LEFT_OUT = ("scenario", "settings", "exceptions", "versions", "keys")


@pytest.mark.parametrize("name", NEEDED)
def test_a_field_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    document = TRACE.to_json()
    del document[name]
    assert refused(tmp_path, document) == f"{name} is missing"


@pytest.mark.parametrize("name", [*NEEDED, *MAY_BE_LEFT_OUT])
@pytest.mark.parametrize("value", [7, None, [None]])
def test_a_field_of_a_wrong_type_is_named(tmp_path: Path, name: str, value: Any) -> None:
    assert refused(tmp_path, {**TRACE.to_json(), name: value}).startswith(name)


def test_what_a_replay_does_not_need_may_be_left_out(tmp_path: Path) -> None:
    plain = {name: value for name, value in TRACE.to_json().items() if name not in MAY_BE_LEFT_OUT}
    (tmp_path / "x.json").write_text(json.dumps(plain))
    assert read_trace(tmp_path / "x.json").case == TRACE.case


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ({"violation": {"cause": None, "explanation": ""}}, "violation.invariant is missing"),
        (
            {"violation": {"invariant": None, "cause": 7, "explanation": ""}},
            "violation.cause is 7, not a text",
        ),
        ({"schedule": {"next#1": "2"}}, 'schedule.next#1 is "2", not a whole number'),
        ({"schedule": {"next#1": True}}, "schedule.next#1 is true, not a whole number"),
        ({"versions": {"redis": 5}}, "versions.redis is 5, not a text"),
        ({"case": {"scenario": "boundary"}}, "case.sendings is missing"),
        (
            {"case": {**TRACE.case.to_json(), "settings": {"SHARDS": [1]}}, "settings": {"SHARDS": [1]}},
            "case.settings.SHARDS is [1], not a text, a number, true or false",
        ),
        (
            {"settings": {"SHARDS": 2}},
            "settings is not what case.settings is, which a replay goes by: change neither or both",
        ),
        (
            {"scenario": "burst"},
            "scenario is not what case.scenario is, which a replay goes by: change neither or both",
        ),
    ],
)
def test_a_field_within_another_is_named_by_its_path(tmp_path: Path, inner: dict[str, Any], said: str) -> None:
    assert refused(tmp_path, {**TRACE.to_json(), **inner}) == said


def test_a_long_value_is_not_said_in_full(tmp_path: Path) -> None:
    assert len(refused(tmp_path, {**TRACE.to_json(), "history": "x" * 10_000})) < 100


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
    assert said in refused(tmp_path, {**TRACE.to_json(), **change})


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
