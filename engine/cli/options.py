"""Options that several subcommands share: how they are read, and what is said of a value that is refused."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn


def refuse(text: str) -> NoReturn:
    """Raise `UsageError`. Imported only now: the engine takes longer to import than a wrong call deserves."""
    from engine.buffer.errors import UsageError

    raise UsageError(text)


#: Set by a signal: what a handler raises within a weak reference's callback is swallowed, and noticed after the batch.
_signalled = threading.Event()
#: Signals so close to each other mean the same.
SAME_SIGNAL_SECONDS = 5.0
EXPLORE = ("timed", "random", "urw", "pos", "pct", "exhaustive", "dpor", "portfolio")


def known(option: str, value: str, names: Iterable[str]) -> str:
    """The value, if it is one of the names. Raises `UsageError` with the nearest ones, and all of them but for scenarios."""
    names = list(names)
    if value in names:
        return value
    from engine.buffer.errors import choices

    listed_by = "bufferproof scenarios" if option == "--scenario" else ""  # ninety names are no answer
    refuse(f"{option} {value}: unknown: {choices(value, names, listed_by)}")


def faults_of(given: Sequence[str] | None, kinds: Sequence[str]) -> list[str] | None:
    """The values of `--fault`: `none`, `all` or kinds; None where the option is left out. Raises `UsageError`."""
    if not given:
        return None
    names = ["none", "all", *kinds]
    for value in given:
        if "," in value and all(part.strip() in names for part in value.split(",")):
            refuse(
                f"--fault {value}: repeat the option: {' '.join(f'--fault {part.strip()}' for part in value.split(','))}"
            )
        known("--fault", value, names)
    chosen = list(dict.fromkeys(given))
    if "none" in chosen and len(chosen) > 1:
        refuse(f"--fault none excludes --fault {next(v for v in chosen if v != 'none')}: give one or the other")
    return chosen


def settings_of(pairs: Sequence[str] | None) -> dict[str, str]:
    """The values of `--set NAME=VALUE`, upper case names. Raises `UsageError`."""
    settings = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            refuse(f"--set {pair}: write it as NAME=VALUE")
        settings[name.strip().upper()] = value
    return settings


def at_least(option: str, value: float | None, least: int) -> None:
    """Raise `UsageError` if a number is given that is less than `least`, or none at all (`nan`, `inf`)."""
    if value is not None and (not math.isfinite(value) or value < least):
        refuse(f"{option} {value} is refused: give {least} or more")


def above_zero(option: str, value: float | None) -> None:
    """Raise `UsageError` if a number is given that is not above 0 and finite."""
    if value is not None and (not math.isfinite(value) or value <= 0):
        refuse(f"{option} {value:g} is refused: give a number above 0")


def folder(option: str, path: Path) -> Path:
    """A folder to write to, which may not be there yet and is not there after this either.

    Raises `UsageError` if it or a part of its path is a file, or if it cannot be made or written, which is found out by
    doing it: permissions alone do not say so, least of all to root.
    """
    if path.is_symlink() and not path.exists():
        refuse(f"{option} {path}: this is a link to {path.readlink()}, which is not there: give a folder")
    missing, whole = [], path.resolve()  # so that no part is named by way of one that is not there yet
    for part in (whole, *whole.parents):
        if not part.exists():
            missing.append(part)
        elif not part.is_dir():
            refuse(f"{option} {path}: {part} is a file: give a folder")
    try:
        whole.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=whole):
            pass
    except OSError as error:
        refuse(f"{option} {path}: this folder cannot be made or written ({error.strerror}): give another one")
    finally:
        for part in missing:
            with suppress(OSError):  # what was not made is not there, and what somebody uses by now stays
                part.rmdir()
    return path


def file(what: str, path: Path) -> Path:
    """A file to read; a pipe will do. Raises `UsageError` if it is not there or is a folder."""
    if not path.exists():
        refuse(f"{what} {path}: there is no such file: check the path")
    if path.is_dir():
        refuse(f"{what} {path}: this is a folder: give a file")
    return path


def new_svg(option: str, path: Path) -> Path:
    """A picture to write, in a folder that may not be there yet.

    Raises `UsageError` if it is a folder, its folder a file, one of both cannot be written, or it is there and is no SVG.
    """
    if path.is_dir():
        refuse(f"{option} {path}: this is a folder: give a file")
    folder(option, path.parent)
    if path.exists() and b"<svg" not in path.read_bytes()[:1_000]:
        refuse(f"{option} {path}: this file is there and is no SVG: it would be lost: give another name")
    try:
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        refuse(f"{option} {path}: this file cannot be written ({error.strerror}): give another name")
    return path


@contextmanager
def prints_aside() -> Iterator[None]:
    """What is printed meanwhile, by a strategy in any process say, goes to stderr: stdout carries the answer alone."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is no stdout
        yield
        return
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@prints_aside()
def in_view(work: Callable[..., Any], selection: dict[str, Any]) -> Any:
    """Do it, with a progress bar on a terminal and silently in a pipe."""
    if not sys.stderr.isatty():
        return work(**selection, progress=quietly)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def progress(label: str, done: int, total: int) -> None:
            quietly()
            bar.update(task, description=label, completed=done, total=total)

        return work(**selection, progress=progress)


def quietly(_label: str = "", _done: int = 0, _total: int = 0) -> None:
    """What is told of progress where nobody looks. Raises `KeyboardInterrupt` if there was a signal."""
    if _signalled.is_set():
        raise KeyboardInterrupt


@contextmanager
def ended_by_termination() -> Iterator[None]:
    """SIGTERM, as `timeout` and pipelines send it, ends the work as Ctrl-C does: with what it has come to.

    They send it twice, to the process and to its group, so a second signal within some seconds is taken for the same.
    Where Python swallows it, as in the callback of a weak reference, it is noticed with the next progress, and nothing is printed.
    """
    last = -math.inf
    unraisable = sys.unraisablehook

    def swallowed(what: "sys.UnraisableHookArgs") -> None:
        if what.exc_type is not KeyboardInterrupt:
            unraisable(what)

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal last
        _signalled.set()
        before, last = last, time.monotonic()
        if last - before > SAME_SIGNAL_SECONDS:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    _signalled.clear()
    kept = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    sys.unraisablehook = swallowed
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        _signalled.clear()
        for number, handler in kept.items():
            signal.signal(number, handler)


def without_secrets(url: str) -> str:
    """A server's address without its user and password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
