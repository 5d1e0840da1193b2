"""What a corpus says of a trace: reproduced, moved with its program, gone, or judged otherwise; and what is kept in one."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from scenarios.corpus import GONE, JUDGED_OTHERWISE, MOVED, REPRODUCED, check, is_kept, kept_in, neighbours, update
from scenarios.corpus.__main__ import main
from scenarios.trace import read_trace

#: The fastest of the corpus: a message that two deliveries of one webhook bring, which `lua` never answers.
KEPT = Path(__file__).parents[1] / "corpus" / "lua-nobody_schedules.json"


def changed(folder: Path, **fields: Any) -> Path:
    """A copy of the trace with other fields."""
    path = folder / KEPT.name
    path.write_text(json.dumps({**json.loads(KEPT.read_text("utf-8")), **fields}), "utf-8")
    return path


def recorded() -> list[Any]:
    return list(json.loads(KEPT.read_text("utf-8"))["history"])


def test_a_trace_of_another_program_has_moved_and_is_recorded_anew(tmp_path: Path) -> None:
    path = changed(tmp_path, history=recorded()[:5] + recorded()[6:], digest="0" * 64)
    kept = check(path)
    assert (kept.outcome, kept.passes) == (MOVED, False)
    assert kept.nearby is not None
    assert "event 5 " in str(kept)
    assert f"record it anew: python -m scenarios.corpus update {path}" in str(kept)
    assert update(path).outcome == MOVED
    assert check(path).outcome == REPRODUCED


def test_it_says_what_the_program_does_otherwise(tmp_path: Path) -> None:
    history = recorded()
    at = next(index for index, event in enumerate(history) if event["event"] == "redis.sent")
    history[at] = {**history[at], "args": ["EVALSHA", "0d6421ab"]}
    said = str(check(changed(tmp_path, history=history, digest="0" * 64)))
    assert f'of event {at} (redis.sent at 0.000 s) args was ["EVALSHA", "0d6421ab"] and is ["EVALSHA", "' in said


def test_a_trace_that_other_libraries_recorded_passes_where_its_failure_is_still_nearby(tmp_path: Path) -> None:
    path = changed(tmp_path, history=recorded()[1:], digest="0" * 64, versions={"redis": "4.0.0", "python": "3.11.0"})
    kept = check(path)
    assert (kept.outcome, kept.passes, dict(kept.others)) == (MOVED, True, {"redis": "4.0.0"})
    assert "recorded with redis 4.0.0" in str(kept)


def test_a_trace_whose_failure_was_repaired_is_gone_and_its_file_stays(tmp_path: Path) -> None:
    path = changed(tmp_path, strategy="lease")
    before = path.read_bytes()
    kept = check(path, trials=25)
    assert (kept.outcome, kept.passes) == (GONE, False)
    assert f"If it was repaired, delete {path.name}" in str(kept)
    assert path.read_bytes() == before


def test_a_trace_that_a_judge_sees_otherwise_says_so(tmp_path: Path) -> None:
    violation = {**json.loads(KEPT.read_text("utf-8"))["violation"], "cause": "a_race_of_another_name"}
    kept = check(changed(tmp_path, violation=violation))
    assert (kept.outcome, kept.passes) == (JUDGED_OTHERWISE, False)


def test_a_failure_by_a_race_is_kept_once_and_one_without_by_its_schedule(tmp_path: Path) -> None:
    trace = read_trace(KEPT)
    assert is_kept(read_trace(changed(tmp_path, schedule={"f1 GET reply#1": 600})), [trace])
    violation = {**json.loads(KEPT.read_text("utf-8"))["violation"], "cause": None}
    without = read_trace(changed(tmp_path, violation=violation))
    assert not is_kept(without, [trace])
    assert is_kept(without, [trace, without])
    assert not is_kept(read_trace(changed(tmp_path, violation=violation, schedule={"next#1": 1})), [without])


def test_neighbours_are_one_deviation_away() -> None:
    assert list(neighbours({"hold f1 GET reply#1": 1})) == [
        {"hold f1 GET reply#1": 1},
        {},
        {"hold f1 GET reply#1": 2},
        {"hold f1 GET reply#1": 0},
        {"hold f1 GET reply#0": 1},
        {"hold f1 GET reply#2": 1},
    ]


def test_the_command_ends_with_1_if_a_trace_is_not_reproduced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(tmp_path, history=recorded()[1:], digest="0" * 64)
    assert main(["check", str(KEPT)]) == 0
    assert main(["check", str(tmp_path)]) == 1
    assert main(["update", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path)]) == 0
    assert "recorded anew" in capsys.readouterr().out


def test_what_is_no_corpus_is_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    (tmp_path / "a.json").write_text("{}", "utf-8")
    assert main(["check", str(tmp_path)]) == 2
    assert main(["replay", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    with pytest.raises(UsageError, match="this is no trace"):
        kept_in(tmp_path)
    with pytest.raises(UsageError, match="it shows no violation"):
        check(changed(tmp_path, violation={"invariant": None, "cause": None, "explanation": ""}))
