"""The notebooks run, and what they show is what is committed: a newcomer reads them on the web before running anything."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def texts(notebook: Any) -> list[str]:
    """What each code cell printed or returned; a kernel may cut one output into several."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        "".join(each.get("text") or each.get("data", {}).get("text/plain", "") for each in c.outputs) for c in cells
    ]


def test_the_four_notebooks_are_there() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the kernel's libraries are other people's
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_says_what_is_committed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = read(path)
    committed = texts(notebook)
    client = NotebookClient(
        notebook,
        timeout=None,
        startup_timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
    )
    asyncio.run(client.async_execute())
    assert texts(notebook) == committed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_nothing_of_a_machine(path: Path) -> None:
    notebook = read(path)
    for text in [cell.source for cell in notebook.cells] + texts(notebook):
        assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert all("execution" not in cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_no_logic(path: Path) -> None:
    code = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")
    assert not re.search(r"^\s*(def|class|lambda) ", code, re.MULTILINE)
