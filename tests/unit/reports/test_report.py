import json
import re
from pathlib import Path

import pytest

from reports.building import build
from reports.errors import BadResultFile
from reports.results import read_results
from tests.unit.reports import files


def report(tmp_path: Path, name: str = "out", **documents: object) -> Path:
    folder = files.write(tmp_path / f"{name}-results", **documents)
    build(read_results(folder), tmp_path / name)
    return tmp_path / name


def test_the_report_is_one_page_that_loads_nothing(tmp_path: Path) -> None:
    page = (report(tmp_path, boundary=files.boundary(), results=files.verify()) / "report.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<script" not in page
    assert "@import" not in page


def test_every_figure_is_there_as_svg_and_png(tmp_path: Path) -> None:
    folder = report(tmp_path, boundary=files.boundary(), results=files.verify()) / "figures"
    assert {path.name for path in folder.iterdir()} >= {"boundary.svg", "boundary.png", "matrix.svg", "matrix.png"}


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    documents = {"boundary": files.boundary(), "results": files.verify()}
    first, second = report(tmp_path, "a", **documents), report(tmp_path, "b", **documents)
    for path in sorted(path for path in first.rglob("*") if path.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name


def test_a_changed_result_changes_the_report(tmp_path: Path) -> None:
    before = report(tmp_path, "a", boundary=files.boundary(lossy=3))
    after = report(tmp_path, "b", boundary=files.boundary(lossy=9))
    assert "up to 30 %" in (before / "report.html").read_text("utf-8")
    assert "up to 90 %" in (after / "report.html").read_text("utf-8")
    assert (before / "figures/boundary.svg").read_bytes() != (after / "figures/boundary.svg").read_bytes()


def test_a_violated_cell_leads_to_its_timeline(tmp_path: Path) -> None:
    folder = files.write(tmp_path / "results", results=files.verify())
    build(read_results(folder), tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert re.search(r'class="bad"[^>]*><a href="timelines/x\.html">7</a>', page)


def test_every_caption_names_its_file_and_fields(tmp_path: Path) -> None:
    folder = report(tmp_path, boundary=files.boundary(), results=files.verify())
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    names = {source["file"] for source in summary["sources"]}
    for figure in summary["figures"]:
        assert any(f"`{name}` (" in figure["caption"] for name in names), figure["name"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResultFile, match="there is no result file"):
        build(read_results(tmp_path), tmp_path / "out")
