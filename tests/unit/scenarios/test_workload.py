"""Messages from a file: what is read, and how a bad line is named."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine.buffer import UsageError
from scenarios.workload import read_workload, workload_scenario

GOOD: dict[str, Any] = {
    "sent_at_ms": 5_000,
    "instance_name": "bot",
    "user_phone": "49",
    "message_id": "a",
    "text": "hi",
}


def file_of(folder: Path, *lines: object) -> Path:
    path = folder / "messages.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_times_count_from_the_first_message(tmp_path: Path) -> None:
    later = GOOD | {"sent_at_ms": 12_900, "message_id": "b", "data": {"tags": []}}
    sendings = read_workload(file_of(tmp_path, later, "", GOOD))
    assert sorted((s.at_ms, s.message_id) for s in sendings) == [(0, "a"), (7_900, "b")]
    assert {s.message_id: s.data for s in sendings} == {"a": None, "b": {"tags": []}}
    assert len({s.label for s in sendings}) == 2


def test_times_may_be_iso_times_with_a_zone(tmp_path: Path) -> None:
    timeless = {name: value for name, value in GOOD.items() if name != "sent_at_ms"}
    first = timeless | {"sent_at": "2024-05-01T12:00:00+02:00"}
    second = timeless | {"sent_at": "2024-05-01T10:00:07.9Z"}
    assert [s.at_ms for s in read_workload(file_of(tmp_path, first, second))] == [0, 7_900]


def test_an_iso_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    timeless = {name: value for name, value in GOOD.items() if name != "sent_at_ms"}
    zoned, plain = (timeless | {"sent_at": f"2024-07-01T10:00:0{text}"} for text in ("0Z", "3"))
    assert [s.at_ms for s in read_workload(file_of(tmp_path, zoned, plain))] == [0, 3_000]


def test_a_text_may_hold_unusual_line_separators(tmp_path: Path) -> None:
    text = "one\u2028two\x85three"
    path = tmp_path / "messages.jsonl"
    path.write_text(json.dumps(GOOD | {"text": text}, ensure_ascii=False) + "\r\n", encoding="utf-8", newline="")
    assert [s.text for s in read_workload(path)] == [text]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("{not json", "not JSON"),
        ("[1, 2]", "no JSON object"),
        (GOOD | {"message_id": 7}, "message_id"),
        ({name: value for name, value in GOOD.items() if name != "text"}, "text"),
        (GOOD | {"sent_at_ms": -1}, "negative"),
        (GOOD | {"sent_at_ms": "soon"}, "sent_at_ms"),
        (GOOD | {"sent_at_ms": None, "sent_at": "yesterday"}, "yesterday"),
    ],
)
def test_a_bad_line_is_named_by_its_number_in_one_line(tmp_path: Path, bad: object, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_workload(file_of(tmp_path, GOOD, "", bad))
    assert "line 3" in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_file_and_a_missing_one_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing in it"):
        read_workload(file_of(tmp_path, "", ""))
    with pytest.raises(UsageError, match="check the path"):
        read_workload(tmp_path / "none.jsonl")


def test_a_file_that_is_no_text_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_workload(path)


def test_a_workload_is_a_scenario_with_the_same_messages_in_every_run(tmp_path: Path) -> None:
    scenario = workload_scenario(file_of(tmp_path, GOOD))
    assert scenario.name == "workload"
    cases = [scenario.sample(random.Random(seed), "lock") for seed in (1, 2)]
    assert cases[0] == cases[1]
    assert cases[0] is not None
    assert [sending.text for sending in cases[0].sendings] == ["hi"]
