"""The command `bufferproof`: which subcommands there are, and what becomes of their errors.

Exit status everywhere: 0 done or all held, 1 an invariant was violated (or, for `replay`, reproduced), 2 wrong usage, a bad
file or something that is not there: one line on stderr, never a traceback; 3 undecided. As everywhere in a shell, 130 is an
interrupt and 141 a reader of the output that went away: neither is a verdict.

What takes long to import is imported within `main`, so that who interrupts a start sees no traceback either.
"""

import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

if TYPE_CHECKING:
    import typer

#: Subcommand → module and what it exports: a function, or a `typer.Typer` of its own.
COMMANDS = {
    "verify": "engine.cli.verify:verify",
    "replay": "engine.cli.replay:replay",
    "scenarios": "engine.cli.scenarios:scenarios",
    "strategies": "engine.cli.strategies:strategies",
    "grid": "engine.cli.grid:grid",
    "measure": "engine.cli.measure:measure",
    "report": "engine.cli.report:report",
    "load": "engine.cli.load:load",
    "capacity": "engine.cli.capacity:capacity",
    "campaign": "engine.cli.campaign:campaign",
    "serve": "engine.cli.serve:serve",
    "track": "engine.cli.track:track",
    "doctor": "engine.cli.doctor:doctor",
    "dead-letters": "engine.cli.dead_letters:app",
    "drain": "engine.cli.drain:drain",
}

#: Library → the extra that brings it.
EXTRA_OF = {
    "simpy": "simulation",
    "fakeredis": "simulation",
    "lupa": "simulation",
    "hypothesis": "simulation",
    "matplotlib": "reports",
    "jinja2": "reports",
    "hdrh": "load",
    "psutil": "load",
}

USAGE = 2
UNDECIDED = 3
INTERRUPTED = 130
NO_READER = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status. `arguments` default to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # A process that was started without one of them has None here, which nobody who prints expects.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        # A conversation's name may hold what the terminal's encoding has no form for.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if "" in given:
        return _refuse_empty(given)
    try:
        status = _application(given)(args=given, prog_name="bufferproof", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:
        # Typer ends with 1 when the reader went away, which would say "violated".
        if isinstance(stop.__context__, BrokenPipeError):
            return NO_READER
        raise
    except Exception as error:
        import traceback

        import typer

        if isinstance(error, typer.Abort):
            return INTERRUPTED
        line = _line_of(error)
        if line is None:
            # A defect of this project is no verdict: neither "violated" nor "wrong usage".
            traceback.print_exception(error)
            return UNDECIDED
        typer.echo(f"bufferproof: {line}", err=True)
        return USAGE
    return status if isinstance(status, int) else 0


def _refuse_empty(given: Sequence[str]) -> int:
    """An empty path would mean the working directory, where it is most likely a variable that is not set."""
    import typer

    place = given.index("")
    before = given[place - 1] if place else "the subcommand"
    typer.echo(f"bufferproof: {before} '': the value is empty (a variable that is not set?): give one", err=True)
    return USAGE


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _application(arguments: Sequence[str]) -> "typer.Typer":
    """The command with the one subcommand that is called; with all of them where none is, as for `--help`."""
    import importlib
    import importlib.util

    import typer

    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    shown = typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_show_version)

    @application.callback()
    def root(version: Annotated[bool, shown] = False) -> None:
        """Find where message buffers on Redis lose, double or reorder messages."""

    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name in [called] if called in COMMANDS else COMMANDS:
        module_name, _, attribute = COMMANDS[name].partition(":")
        if importlib.util.find_spec(module_name) is None:
            continue
        command = getattr(importlib.import_module(module_name), attribute)
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name)
        else:
            application.command(name)(command)
    return application


def _show_version(wanted: bool) -> None:
    import importlib.metadata

    import typer

    if wanted:
        typer.echo(importlib.metadata.version("bufferproof"))
        raise typer.Exit


def _line_of(error: Exception) -> str | None:
    """What to say of an error in one line, or None if it is a defect of this project."""
    import typer

    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "bufferproof"
        return f"{_one_line(error.format_message()).rstrip('.')}: see {path} --help"
    if isinstance(error, ModuleNotFoundError) and (name := (error.name or "").split(".")[0]) in EXTRA_OF:
        return f"{name} is not installed: pip install 'bufferproof[{EXTRA_OF[name]}]'"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "make room" if full else "check the path and its permissions"
        return _one_line(f"{where}{error.strerror or error}: {advice}")
    # Looked up here, not at the top: it brings the Redis and HTTP clients, which --help does not need.
    from engine.buffer.errors import UsageError

    return _one_line(str(error)) if isinstance(error, UsageError) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
