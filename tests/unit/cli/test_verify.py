"""`verify` and `replay` hand on what was asked and show what was found; the runs themselves are tested elsewhere."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scenarios
from engine.cli import options
from engine.cli.main import main
from scenarios import Counterexample, Result

HISTORY: list[dict[str, Any]] = [
    {"t": 0, "event": "webhook.sent", "call": "w1", "conversation": ["b", "1"], "id": "a", "text": "hi", "label": "m1"},
    {"t": 20, "event": "webhook.arrived", "call": "w1", "function": "f1"},
    {"t": 40, "event": "webhook.answered", "call": "w1", "function": "f1", "status": 200},
]
ROW = {
    "strategy": "lock",
    "scenario": "boundary",
    "invariant": "no_loss",
    "verdict": "violated",
    "runs": 9,
    "violations": 3,
    "applicable_runs": 9,
    "causes": {"arrived_during_processing": "traces/x.json"},
}
DOCUMENT: dict[str, Any] = {"schema": 1, "rows": [ROW], "seed": 0, "runs_per_s": 90, "elapsed_s": 0.1}
FOUND = Counterexample(
    "lock", "boundary", "no_loss", "arrived_during_processing", "m1 was lost", "traces/x.json", HISTORY, (2,)
)


class Runner:
    """Stands in for the runs: notes what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, problems: list[str] | None = None) -> None:
        self.asked: dict[str, Any] = {}
        self.problems = problems or []
        self.calls: list[str] = []
        self.found = [FOUND]
        monkeypatch.setattr(scenarios, "verify", self.verify)
        monkeypatch.setattr(scenarios, "check_determinism", self.check_determinism)

    def verify(self, **selection: Any) -> Result:
        self.calls.append("verify")
        self.command = selection.pop("command")
        self.asked = selection
        return Result(DOCUMENT, self.found)

    def check_determinism(self, **selection: Any) -> list[str]:
        self.calls.append("check_determinism")
        return self.problems


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    monkeypatch.chdir(tmp_path)
    return Runner(monkeypatch)


def test_what_was_stopped_before_its_first_run_has_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = {
        **DOCUMENT,
        "rows": [],
        "runs_per_s": 0.0,
        "stopped": True,
        "not_run": ["lock · boundary"],
        "cut_short": [],
    }
    monkeypatch.setattr(scenarios, "verify", lambda **_: Result(empty, [], None))
    assert main(["verify", "--out", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert said.out == "0 runs, 0.0 runs/s, seed 0\n"
    assert "it was stopped: 1 pairs of a strategy and a scenario had no run, 0 only some of theirs" in said.err


def test_every_option_reaches_the_runner(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text("[]")
    line = (
        "verify --strategy lock --strategy lua --scenario boundary --fault crash --fault stall --fault-budget 2"
        " --workload w.json --explore timed --runs 5 --seconds 1.5 --seed 7 --jobs 2 --set BUFFER_DELAY_MS=9000"
        " --out there --redact"
    )
    main(line.split())
    assert runner.asked == {
        "strategies": ["lock", "lua"],
        "scenario_names": ["boundary"],
        "faults": ["crash", "stall"],
        "fault_budget": 2,
        "workload": Path("w.json"),
        "explore": "timed",
        "runs": 5,
        "seconds": 1.5,
        "seed": 7,
        "jobs": 2,
        "settings": {"BUFFER_DELAY_MS": "9000"},
        "out": Path("there"),
        "redact": True,
        "progress": options.quietly,
    }
    assert runner.command.startswith("bufferproof ")


def test_options_left_out_are_left_to_the_runner(runner: Runner) -> None:
    main(["verify"])
    left = ("strategies", "scenario_names", "faults", "fault_budget", "workload", "runs", "seconds", "jobs")
    assert [runner.asked[name] for name in left] == [None] * len(left)
    assert runner.asked["out"] == Path(".bufferproof")


@pytest.mark.usefixtures("runner")
def test_json_prints_the_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--strategy", "lock", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == DOCUMENT
    assert said.err == ""


@pytest.mark.usefixtures("runner")
def test_a_violation_is_shown_with_its_timeline_and_the_line_that_replays_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["verify", "--strategy", "lock", "--out", "there"]) == 1
    said = capsys.readouterr().out
    assert "lock · boundary violates no_loss (arrived_during_processing)" in said
    assert "m1 was lost" in said
    assert "bufferproof replay there/traces/x.json" in said
    assert "\x1b" not in said, "a pipe gets no colours"


def test_what_is_late_because_it_is_lost_has_no_timeline_of_its_own(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.found.append(
        replace(FOUND, invariant="timely", cause="loss", explanation="m1 is lost", trace="traces/y.json")
    )
    assert main(["verify", "--strategy", "lock", "--out", "there"]) == 1
    said = capsys.readouterr().out
    assert said.count("      time  ") == 1
    late = "lock · boundary violates timely (loss)\n  → m1 is lost\n  replay: bufferproof replay there/traces/y.json"
    assert late in said


@pytest.mark.usefixtures("runner")
def test_deterministic_runs_are_said_to_be_so_and_then_judged(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--check-determinism", "--json"]) == 1
    assert runner.calls == ["check_determinism", "verify"]
    said = capsys.readouterr()
    assert json.loads(said.out) == DOCUMENT
    assert "same history twice" in said.err


def test_runs_that_cannot_be_repeated_are_undecided_and_not_judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = Runner(monkeypatch, ["lock · boundary: event 12 differs"])
    assert main(["verify", "--check-determinism"]) == 3
    assert runner.calls == ["check_determinism"]
    assert "event 12 differs" in capsys.readouterr().err


@pytest.mark.usefixtures("runner")
def test_a_delay_longer_than_a_ttl_is_allowed_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "--strategy", "lock", "--set", "BUFFER_DELAY_MS=40000", "--json"])
    said = capsys.readouterr()
    assert json.loads(said.out) == DOCUMENT
    assert said.err.startswith("warning: lock: BUFFER_DELAY_MS=40000 is not below TIMER_TTL_SECONDS=30")
