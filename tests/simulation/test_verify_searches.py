"""`verify --explore dpor` and `exhaustive`: what was exhausted is said, what was not is not."""

import json
from pathlib import Path
from typing import Any

import pytest

import scenarios
from engine.cli.verify import proofs_of


def searched(strategy: str, scenario: str, explore: str, **given: Any) -> dict[str, Any]:
    result = scenarios.verify(strategies=[strategy], scenario_names=[scenario], explore=explore, jobs=1, **given)
    document: dict[str, Any] = result.to_json()
    return document


def test_an_exhausted_scenario_says_over_what_in_its_rows() -> None:
    document = searched("lock", "small_blank", "dpor")
    rows = {row["invariant"]: row for row in document["rows"]}
    assert all(row["exhausted"] and row["classes"] == row["runs"] > 1 for row in rows.values())
    assert rows["no_loss"]["verdict"] == "violated"
    assert "blank_dropped" in rows["no_loss"]["cause_runs"]
    start = f"2 messages, 2 functions, no fault, no hold, {rows['no_loss']['proof'].split(', ')[4]}"
    assert rows["no_duplicate"]["proof"] == start + ", exhausted, no violation"
    assert f"{rows['no_loss']['classes']} classes of interleavings" in start
    (proof,) = proofs_of(document)
    assert proof[:2] == ("lock", "small_blank")
    assert proof[2].startswith(start)
    assert "violated: no_loss" in proof[2]


@pytest.mark.parametrize("explore", ["dpor", "exhaustive"])
def test_a_search_that_is_stopped_is_not_called_exhausted(explore: str) -> None:
    document = searched("lua", "small_burst", explore, runs=20)
    row = document["rows"][0]
    assert row["runs"] == 20
    assert row["exhausted"] is False
    assert "stopped, not exhausted" in row["proof"]


def test_a_run_that_a_search_found_replays(tmp_path: Path) -> None:
    searched("lock", "small_blank", "dpor", runs=1, out=tmp_path)
    (path, *_) = sorted((tmp_path / "traces").glob("*blank_dropped*.json"))
    assert scenarios.replay(path).outcome == "reproduced"


def test_a_trace_with_another_digest_is_told_from_one_of_another_program(tmp_path: Path) -> None:
    searched("lock", "small_blank", "dpor", runs=1, out=tmp_path)
    (path, *_) = sorted((tmp_path / "traces").glob("*blank_dropped*.json"))
    text = path.read_text()
    recorded = json.loads(text)["digest"]
    path.write_text(text.replace(recorded, "0" * len(recorded)))
    again = scenarios.replay(path)
    assert again.outcome == "diverged"
    assert "the file has been changed" in again.detail


def test_a_search_whose_runs_all_hang_does_not_say_that_there_is_no_violation() -> None:
    document = searched("tests/strategies/broken/naive.py:Spins", "small_burst", "dpor", runs=1)
    assert {row["proof"].rpartition(", ")[2] for row in document["rows"]} == {"nothing decided"}
    ((_strategy, _scenario, said),) = proofs_of(document)
    assert said.endswith("stopped, not exhausted, nothing decided")


@pytest.mark.parametrize("explore", ["dpor", "exhaustive"])
def test_a_search_is_given_up_after_two_runs_that_hang(explore: str) -> None:
    document = searched("tests/strategies/broken/naive.py:Spins", "small_boundary", explore)
    assert document["rows"][0]["runs"] == 2
    assert document["rows"][0]["exhausted"] is False
