from pathlib import Path
from xml.etree import ElementTree as ET

from reports.junit import junit
from reports.results import read_results
from tests.unit.reports import files


def cases(folder: Path, document: object) -> dict[tuple[str, str], ET.Element]:
    root = ET.fromstring(junit(read_results(files.write(folder, results=document))))
    return {(case.get("classname", ""), case.get("name", "")): case for case in root.iter("testcase")}


def test_a_violation_is_a_failure_with_the_line_that_replays_it(tmp_path: Path) -> None:
    failure = cases(tmp_path, files.verify())["baseline.boundary", "no_loss"].find("failure")
    assert failure is not None
    assert failure.get("message") == "violated in 7 of 20 runs"
    assert failure.text == f"bufferproof replay {tmp_path}/traces/baseline-boundary-no_loss.json"


def test_what_holds_passes_and_what_did_not_apply_is_skipped(tmp_path: Path) -> None:
    found = cases(tmp_path, files.verify())
    assert list(found["lease.boundary", "no_loss"]) == []
    assert [child.tag for child in found["lease.boundary", "order"]] == ["skipped"]


def test_an_expected_violation_is_no_failure(tmp_path: Path) -> None:
    document = files.verify()
    document["rows"][0]["expected"] = True
    case = cases(tmp_path, document)["baseline.boundary", "no_loss"]
    assert case.find("failure") is None
    assert "as written down" in (case.findtext("system-out") or "")
