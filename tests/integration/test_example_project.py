"""The example project's own tests fail on its planted bug, with a text that one can read and replay, and pass when repaired."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import replay

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "shop_bot"


def run_tests(project: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", *options]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copied = tmp_path / "shop_bot"
    shutil.copytree(EXAMPLE, copied, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return copied


@pytest.mark.slow
def test_the_example_fails_on_its_planted_bug_also_over_several_processes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run_tests(project, "-n", "2", "-k", "not repaired")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "buffer.py:ShopBuffer violates no_loss" in ran.stdout
    assert re.search(r"► .*DEL shop", ran.stdout)
    assert re.search(r"→ m\d was accepted at \d\.\d+ s and never handed over", ran.stdout)
    line = re.search(r"replay: bufferproof replay (\S+)", ran.stdout)
    assert line is not None
    monkeypatch.chdir(project)  # the line is for the folder in which pytest was called
    again = replay(line[1])
    assert (again.outcome, again.exit_status) == ("reproduced", 1)


@pytest.mark.slow
def test_the_example_passes_when_it_is_repaired(project: Path) -> None:
    (project / "tests" / "test_buffer.py").write_text(
        (EXAMPLE / "tests" / "test_buffer.py").read_text("utf-8").replace("(ShopBuffer", "(RepairedShopBuffer"), "utf-8"
    )
    ran = run_tests(project, "--bufferproof-runs", "15")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "6 passed" in ran.stdout
    assert "bufferproof: 90 simulated runs" in ran.stdout
