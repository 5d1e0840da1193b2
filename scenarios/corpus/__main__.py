"""The command of the corpus.

    python -m scenarios.corpus check DIR|FILE     # replay all, fastest first
    python -m scenarios.corpus update DIR|FILE    # record those anew that took another way and still fail nearby
    python -m scenarios.corpus fill DIR           # add what is missing: each known race of the plan's designs, each field design

It ends with 0 if every trace is reproduced (or is now), 1 if one is not, 2 for wrong usage or a file that is no trace.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from engine.buffer.errors import UsageError
from scenarios.corpus import MOVED, check, files_of, update
from scenarios.corpus.filling import fill

HELD, NOT_REPRODUCED, USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Do it, and print a line for each trace as it is done."""
    if len(arguments) != 2 or arguments[0] not in ("check", "update", "fill"):
        sys.stderr.write("usage: python -m scenarios.corpus check|update|fill DIR\n")
        return USAGE
    action, path = arguments[0], Path(arguments[1])
    try:
        if action == "fill":
            for line in fill(path):
                _say(line)
            return HELD
        return _check_all(path, anew=action == "update")
    except UsageError as error:
        sys.stderr.write(f"corpus: {error}\n")
        return USAGE


def _check_all(path: Path, *, anew: bool) -> int:
    files = [path] if path.is_file() else files_of(path)
    if not files:
        raise UsageError(f"{path}: there is no trace: give a folder of traces, or one of them")
    status = HELD
    for file in files:
        kept = update(file) if anew else check(file)
        recorded = anew and kept.outcome == MOVED
        _say(f"{file.name}: recorded anew: {kept.where}" if recorded else str(kept))
        status = status if kept.passes or recorded else NOT_REPRODUCED
    return status


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
