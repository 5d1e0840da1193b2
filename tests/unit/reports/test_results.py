import json
import os
from pathlib import Path
from typing import Any

import pytest

from reports.errors import BadResultFile
from reports.results import read_result, read_results
from tests.unit.reports import files


def test_every_result_file_of_a_folder_is_read(tmp_path: Path) -> None:
    files.write(tmp_path, boundary=files.boundary(), results=files.verify(), trace={"schema": 1, "kind": "trace"})
    results = read_results(tmp_path)
    assert [(file.name, file.kind) for file in results.files] == [
        ("boundary.json", "boundary"),
        ("results.json", "verify"),
    ]


def test_no_folder_is_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "absent").files == ()


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    text = json.dumps(files.boundary())
    (tmp_path / "boundary.json").write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(BadResultFile, match=r"boundary\.json: this is not JSON, or it was cut short"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 2}, "schema 2 is not known here"),
        ({"kind": "weather"}, "kind 'weather' is not known here"),
        ({"kind": None}, "kind None is not known here"),
        ({"rows": "none"}, "rows is missing or no list"),
        ({"rows": [3]}, r"rows\[0\] is no object"),
        ({"runs_per_cell": -1}, "runs_per_cell is no count"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_with_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    files.write(tmp_path, boundary=files.boundary() | change)
    with pytest.raises(BadResultFile, match=told) as caught:
        read_result(tmp_path / "boundary.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("verdict", ["great", "", None, 1])
def test_a_verdict_that_is_none_is_refused_by_file_and_row(tmp_path: Path, verdict: Any) -> None:
    document = files.verify()
    document["rows"][2]["verdict"] = verdict
    files.write(tmp_path, results=document)
    with pytest.raises(BadResultFile, match=r"results\.json: rows\[2\]\.verdict is ") as caught:
        read_results(tmp_path)
    assert "there are holds, unknown, violated" in str(caught.value)


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BadResultFile, match=r"pipe\.json: this is no file"):
        read_results(tmp_path)


def test_a_list_is_no_result_file(tmp_path: Path) -> None:
    files.write(tmp_path, list=[1, 2])
    with pytest.raises(BadResultFile, match="it is no result file"):
        read_results(tmp_path)


@pytest.mark.parametrize("versions", [["python 3.11"], "python 3.11"])
def test_versions_that_are_no_names_with_values_are_refused(tmp_path: Path, versions: object) -> None:
    files.write(tmp_path, results={**files.verify(), "versions": versions})
    with pytest.raises(BadResultFile, match=r'results\.json: "versions" names no programs'):
        read_results(tmp_path)


def test_more_losses_than_runs_are_refused(tmp_path: Path) -> None:
    files.write(tmp_path, boundary=files.boundary(lossy=11, runs=10))
    with pytest.raises(BadResultFile, match=r"lossy_runs \(11\) is more than runs \(10\)"):
        read_results(tmp_path)
