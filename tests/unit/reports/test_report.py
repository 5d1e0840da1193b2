import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports.building import build
from reports.errors import BadResultFile
from reports.results import read_results
from tests.unit.reports import files

TRACE = "traces/baseline-boundary-no_loss.json"


def report(folder: Path, **documents: Any) -> Path:
    build(read_results(files.write(folder / "results", **documents)), folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    files.write(folder / "results/traces", **{Path(TRACE).stem: files.trace()})
    return report(folder, boundary=files.boundary(lossy=3), results=files.verify())


@pytest.fixture(scope="module")
def text(made: Path) -> str:
    return (made / "report.html").read_text("utf-8")


def test_the_report_is_one_page_that_loads_nothing(text: str) -> None:
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert "<script" not in text
    assert "@import" not in text


def test_every_figure_is_there_as_svg_and_png(made: Path) -> None:
    names = {path.name for path in (made / "figures").iterdir()}
    assert names == {"boundary.svg", "boundary.png", "matrix.svg", "matrix.png"}


def test_the_same_results_give_the_same_bytes_and_another_result_gives_others(made: Path, tmp_path: Path) -> None:
    files.write(tmp_path / "results/traces", **{Path(TRACE).stem: files.trace()})
    again = report(tmp_path, boundary=files.boundary(lossy=3), results=files.verify())
    paths = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
    pages = [
        path for path in paths if path.parent.name != "timelines" and path.suffix != ".xml"
    ]  # these name traces by path
    assert [path for path in pages if (made / path).read_bytes() != (again / path).read_bytes()] == []

    changed = report(tmp_path / "other", boundary=files.boundary(lossy=9))
    assert (made / "figures/boundary.svg").read_bytes() != (changed / "figures/boundary.svg").read_bytes()
    assert "up to 30 %" in (made / "report.html").read_text("utf-8")
    assert "up to 90 %" in (changed / "report.html").read_text("utf-8")


def test_a_violated_cell_leads_to_its_timeline(made: Path, text: str) -> None:
    found = re.search(r'class="bad"[^>]*><a href="(timelines/[^"]+)">7</a>', text)
    assert found is not None
    assert (made / found[1]).is_file()


def test_the_lead_names_the_designs_that_ran_and_no_others(text: str, tmp_path: Path) -> None:
    assert "2 designs of such a buffer" in text
    assert "fenced_lock" not in text.partition("<nav")[0]
    document = files.verify()
    for row in document["rows"]:
        row["strategy"] = "mine.py:Mine"
    mine = (report(tmp_path, results=document) / "report.html").read_text("utf-8")
    assert "Here 1 design of such a buffer ran" in mine


def test_the_timelines_of_further_causes_are_led_to_as_well(tmp_path: Path) -> None:
    names = {cause: f"traces/baseline-boundary-{cause}-no_loss.json" for cause in ("concurrent_adds", "read_twice")}
    files.write(tmp_path / "results/traces", **{Path(name).stem: files.trace() for name in (TRACE, *names.values())})
    document = files.verify()
    document["rows"][0]["causes"] = names
    text = (report(tmp_path, results=document) / "report.html").read_text("utf-8")
    pages = {f"timelines/{path.name}" for path in (tmp_path / "report/timelines").iterdir()}
    assert len(pages) == 3
    assert all(f'href="{page}"' in text for page in pages)
    assert "2 more timelines" in text


def test_every_caption_names_its_file_and_fields(made: Path) -> None:
    summary = json.loads((made / "summary.json").read_text("utf-8"))
    names = {source["file"] for source in summary["sources"]}
    assert names == {"boundary.json", "results.json"}
    for figure in summary["figures"]:
        assert any(f"`{name}` (" in figure["caption"] for name in names), figure["name"]


def test_the_first_screen_says_who_loses_and_who_does_not(made: Path) -> None:
    answers = json.loads((made / "summary.json").read_text("utf-8"))["answers"]
    lines = " ".join(answers[0]["answer"])
    assert "**baseline** loses messages near the end of the window" in lines
    assert "**lease**: no message lost or doubled in 20 runs" in lines


def test_of_a_design_of_which_nothing_was_decided_nothing_is_claimed(tmp_path: Path) -> None:
    document = files.verify()
    for row in document["rows"]:
        if row["strategy"] == "lease":
            row["verdict"] = "unknown"
    out = report(tmp_path, results=document)
    lines = " ".join(json.loads((out / "summary.json").read_text("utf-8"))["answers"][0]["answer"])
    assert "**lease**: nothing was decided" in lines
    assert "no message lost or doubled" not in lines


def test_a_counterexample_whose_trace_is_gone_is_named(tmp_path: Path) -> None:
    results = read_results(files.write(tmp_path / "results", results=files.verify()))
    assert build(results, tmp_path / "report").missing == (TRACE,)
    files.write(tmp_path / "results/traces", **{Path(TRACE).stem: files.trace()})
    assert build(results, tmp_path / "report").missing == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": 7}, "strategy is no text"),
        ({"violation": {}}, "violation.explanation is missing"),
        ({"history": [{"t": 0}]}, r"history\[0\].event is missing"),
        ({"keys": [{"event": 10_000, "key": "k", "value": None, "ends_ms": None}]}, "a change of keys lacks a field"),
    ],
)
def test_a_damaged_trace_is_named_with_its_field(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    files.write(tmp_path / "results/traces", **{Path(TRACE).stem: {**files.trace(), **change}})
    with pytest.raises(BadResultFile, match=rf"baseline-boundary-no_loss\.json: .*{said}"):
        report(tmp_path, results=files.verify())


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResultFile, match="there is no result file"):
        build(read_results(tmp_path), tmp_path / "out")
