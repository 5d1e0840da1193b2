"""Wrong usage is one line on stderr and exit status 2, never a traceback; a defect is no verdict."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.buffer.errors import UsageError
from engine.cli import main as command
from engine.cli.main import main

Captured = pytest.CaptureFixture[str]
WRONG = [
    [],
    ["verfy"],
    ["verify", "--bogus"],
    ["verify", "stray"],
    ["verify", "--runs", "0"],
    ["verify", "--runs", "many"],
    ["verify", "--jobs", "0"],
    ["verify", "--seconds", "0"],
    ["verify", "--seconds", "nan"],
    ["verify", "--fault-budget", "-1"],
    ["verify", "--fault", "crahs"],
    ["verify", "--fault", "none", "--fault", "crash"],
    ["verify", "--explore", "everything"],
    ["verify", "--scenario", "boundry"],
    ["verify", "--strategy", "lok"],
    ["verify", "--strategy", "missing.py:Mine"],
    ["verify", "--set", "BUFFER_DELAY_MS"],
    ["verify", "--workload", "missing.json"],
    ["replay"],
    ["replay", "missing.json"],
    ["verify", "--out", ""],
    ["verify", "--strategy", "lok", "--out", "new/deep"],
    ["verify", "--out", "/proc/new"],
    ["report", "--results", "missing"],
    ["replay", ""],
    [""],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_one_line_on_stderr_and_exit_status_2(
    arguments: list[str], capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bufferproof: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == [], "a refused call leaves nothing behind"


def test_an_output_folder_that_is_a_file_is_wrong_usage(capsys: Captured, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert main(["verify", "--out", str(taken)]) == 2
    assert "is a file: give a folder" in capsys.readouterr().err
    assert taken.read_text() == "mine"


def test_a_file_that_is_no_trace_is_named(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    for content in (b"", b"{}", b"[]", b"null", b'{"schema": 999}', b"\xff\xfe"):
        path.write_bytes(content)
        assert main(["replay", str(path)]) == 2, content
        said = capsys.readouterr().err
        assert "trace.json" in said
        assert said.count("\n") == 1


def raising(error: BaseException) -> Callable[..., Any]:
    def work(**selection: Any) -> Any:
        raise error

    return work


def verify_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, tmp_path: Path) -> int:
    import scenarios

    monkeypatch.setattr(scenarios, "verify", raising(error))
    return main(["verify", "--out", str(tmp_path)])


def test_a_usage_error_of_several_lines_is_said_in_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    assert verify_with(monkeypatch, UsageError("wrong:\n  do this"), tmp_path) == 2
    assert capsys.readouterr().err == "bufferproof: wrong: do this\n"


def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    missing = ModuleNotFoundError("No module named 'simpy.core'", name="simpy.core")
    assert verify_with(monkeypatch, missing, tmp_path) == 2
    assert capsys.readouterr().err == "bufferproof: simpy is not installed: pip install 'bufferproof[simulation]'\n"


def test_a_file_that_may_not_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    assert verify_with(monkeypatch, PermissionError(13, "Permission denied", "results.json"), tmp_path) == 2
    assert capsys.readouterr().err.startswith("bufferproof: results.json: Permission denied")


def test_an_interrupt_is_exit_status_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert verify_with(monkeypatch, KeyboardInterrupt(), tmp_path) == 130


def test_a_defect_of_the_project_is_undecided_and_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    assert verify_with(monkeypatch, ZeroDivisionError("a defect"), tmp_path) == 3
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_the_subcommands_and_is_no_error(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for name in ("verify", "replay", "scenarios", "strategies", "serve"):
        assert name in said.out


@pytest.mark.parametrize("name", ["verify", "replay", "scenarios", "strategies"])
def test_a_call_loads_its_own_subcommand_alone(name: str) -> None:
    application = command._application([name, "--help"])
    assert [each.name for each in application.registered_commands] == [name]


@pytest.mark.parametrize("name", ["scenarios", "strategies"])
def test_a_listing_has_a_line_each(name: str, capsys: Captured) -> None:
    from engine.buffer.catalogue import BUILT_IN
    from scenarios import SCENARIOS
    from scenarios.gallery import GALLERY

    expected = list(SCENARIOS) if name == "scenarios" else [*BUILT_IN, *GALLERY]
    assert main([name]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == expected


def test_the_version_is_printed_without_a_subcommand(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2


def test_a_reader_that_went_away_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # Typer exchanges it when this happens
    assert verify_with(monkeypatch, BrokenPipeError(errno.EPIPE, "Broken pipe"), tmp_path) == 141


def test_wrong_usage_is_wrong_usage_without_stdout_and_stderr_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["verify", "--runs", "0"]) == 2
    for nowhere in (sys.stdout, sys.stderr):
        nowhere.close()


def test_the_help_of_verify_names_every_fault(capsys: Captured) -> None:
    from engine.simulation.case import DAGGER_FAULTS, FAULTS

    assert main(["verify", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").replace(";", " ").replace(".", " ").split()
    assert {*FAULTS, *DAGGER_FAULTS} <= set(words)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (
            ["verify", "--scenario", "boundry"],
            "did you mean boundary or small_boundary? `bufferproof scenarios` lists all",
        ),
        (["verify", "--strategy", "lok"], "did you mean lock? there are baseline, lock, lua,"),
        (["verify", "--strategy", "fenced_lok"], "did you mean fenced_lock"),
        (["verify", "--explore", "portfollio"], "did you mean portfolio?"),
    ],
    ids=lambda each: each[-1] if isinstance(each, list) else "",
)
def test_a_misspelt_name_is_answered_with_the_nearest_and_no_list_that_nobody_reads(
    arguments: list[str], near: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert near in said
    assert len(said) < 300


def test_a_report_makes_a_small_set_where_no_folder_is_named_or_the_one_that_is_has_no_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[Path] = []

    def noted(folder: Path, _jobs: int | None) -> None:
        made.append(folder)
        raise UsageError("enough")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("engine.cli.report._make", noted)
    (tmp_path / "empty").mkdir()
    for named in ([], ["--results", "missing"], ["--results", "empty"]):
        assert main(["report", *named]) == 2
    assert made == [Path(".bufferproof"), Path("empty")]


def test_a_report_into_a_folder_of_results_asks_if_it_was_to_be_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        main(["verify", "--strategy", "lease", "--scenario", "burst", "--runs", "1", "--jobs", "1", "--out", "mine"])
        == 0
    )
    capsys.readouterr()
    assert main(["report", "--out", "mine"]) == 2
    assert "name it by --results mine" in capsys.readouterr().err
