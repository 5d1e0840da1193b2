"""Options that are refused say in one line what is wrong and what there is."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from engine.buffer.errors import UsageError
from engine.cli import options

KINDS = ("stall", "crash", "reply_lost")


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match=r"did you mean crash\? there are none, all, stall, crash, reply_lost"):
        options.faults_of(["crahs"], KINDS)


def test_kinds_with_a_comma_between_are_answered_with_the_option_repeated() -> None:
    for value in ("crash,stall", "crash, stall"):
        with pytest.raises(UsageError, match=r"repeat the option: --fault crash --fault stall$"):
            options.faults_of([value], KINDS)
    with pytest.raises(UsageError, match="unknown"):
        options.faults_of(["crash,lightning"], KINDS)


def test_no_fault_option_means_what_each_scenario_says() -> None:
    assert options.faults_of(None, KINDS) is None
    assert options.faults_of([], KINDS) is None


def test_kinds_given_twice_count_once_and_keep_their_order() -> None:
    assert options.faults_of(["stall", "crash", "stall"], KINDS) == ["stall", "crash"]


def test_none_and_a_kind_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--fault none excludes --fault crash"):
        options.faults_of(["crash", "none"], KINDS)


def test_a_setting_is_a_name_and_a_value_which_may_hold_equals_signs() -> None:
    assert options.settings_of(["buffer_delay_ms=9000", "REDIS_URL=redis://h?a=b"]) == {
        "BUFFER_DELAY_MS": "9000",
        "REDIS_URL": "redis://h?a=b",
    }


@pytest.mark.parametrize("pair", ["BUFFER_DELAY_MS", "=1", "  =1"])
def test_a_setting_without_a_name_or_an_equals_sign_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        options.settings_of([pair])


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_number_below_its_least_or_not_finite_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match="--runs"):
        options.at_least("--runs", value, 1)
    with pytest.raises(UsageError, match="--seconds"):
        options.above_zero("--seconds", value)


def test_a_number_that_is_left_out_or_large_enough_is_taken() -> None:
    for value in (None, 1, 7):
        options.at_least("--runs", value, 1)
        options.above_zero("--seconds", value)
    options.above_zero("--seconds", 0.5)


def test_a_folder_may_be_missing_but_no_part_of_it_may_be_a_file(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    assert options.folder("--out", tmp_path / "new" / "deep") == tmp_path / "new" / "deep"
    for path in (taken, taken / "below"):
        with pytest.raises(UsageError, match="taken is a file: give a folder"):
            options.folder("--out", path)


def test_a_link_to_nothing_is_no_folder(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"this is a link to .*gone, which is not there"):
        options.folder("--out", link)


def test_a_file_to_read_must_be_there_and_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        options.file("replay", tmp_path / "missing.json")
    with pytest.raises(UsageError, match="this is a folder"):
        options.file("replay", tmp_path)


def test_a_picture_takes_the_place_of_a_picture_and_of_nothing_else(tmp_path: Path) -> None:
    picture, mine = tmp_path / "old.svg", tmp_path / "mine.txt"
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    mine.write_text("mine")
    for path in (picture, tmp_path / "new" / "deep.svg"):
        assert options.new_svg("--svg", path) == path
    with pytest.raises(UsageError, match="is no SVG: it would be lost"):
        options.new_svg("--svg", mine)
    with pytest.raises(UsageError, match="this is a folder"):
        options.new_svg("--svg", tmp_path)


#: Where nobody may make anything, root neither.
NOWHERE = Path("/proc/new")


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs() -> None:
    for path in (NOWHERE, NOWHERE / "deep"):
        with pytest.raises(
            UsageError, match=r"--out /proc/new.*: this folder cannot be made or written \(No such file"
        ):
            options.folder("--out", path)


def test_a_folder_that_is_tried_out_is_not_there_afterwards_and_one_that_is_there_stays_as_it_was(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("new/deep", "mine", "mine/deep"):
        options.folder("--out", tmp_path / name)
    options.folder("--out", tmp_path / "new" / ".." / "mine")  # by way of one that is not there
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_a_picture_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (NOWHERE / "deep.svg", Path("/proc/new.svg")):
        with pytest.raises(UsageError, match=r"--svg /proc.*: this folder cannot be made or written"):
            options.new_svg("--svg", path)
    picture = tmp_path / "old.svg"
    picture.write_text("<svg/>")

    def refused(*_mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "read_bytes", lambda _path: b"<svg/>")
    with pytest.raises(UsageError, match=r"old\.svg: this file cannot be written \(Permission denied\)"):
        options.new_svg("--svg", picture)


def test_an_address_is_shown_without_its_password() -> None:
    assert options.without_secrets("redis://user:p@ss@host:6379/0") == "redis://host:6379/0"
    assert options.without_secrets("redis://host:6379/0") == "redis://host:6379/0"


def test_what_a_strategy_prints_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    def work(progress: None) -> str:
        print("from here")  # noqa: T201
        subprocess.run(["echo", "from another process"], check=True)
        return "the answer"

    print(options.in_view(work, {}))  # noqa: T201
    said = capfd.readouterr()
    assert said.out == "the answer\n"
    assert sorted(said.err.splitlines()) == ["from another process", "from here"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_the_work_and_one_that_is_swallowed_is_noticed_with_the_next_progress(number: int) -> None:
    before, noticed = signal.getsignal(number), []
    with options.ended_by_termination():
        again: Callable[[], None] = partial(signal.raise_signal, number)
        for happens in (again, again, options.quietly):
            try:  # as Python does within the callback of a weak reference
                happens()
            except KeyboardInterrupt:
                noticed.append(happens)
    # The second signal, which `timeout` sends too, is the same one; what was swallowed is noticed with the next progress.
    assert len(noticed) == 2
    assert noticed[-1] is options.quietly
    assert signal.getsignal(number) is before
    options.quietly()


def test_an_interrupt_that_python_swallows_is_not_printed_and_other_errors_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: printed.append(what.exc_type))
    hook = sys.unraisablehook

    class Dies:
        def __init__(self, error: BaseException) -> None:
            self._error = error

        def __del__(self) -> None:
            raise self._error

    with options.ended_by_termination():
        Dies(KeyboardInterrupt())
        Dies(ValueError())
    assert printed == [ValueError]
    assert sys.unraisablehook is hook
