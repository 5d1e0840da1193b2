"""Result files are written whole or not at all: who is interrupted leaves the old one, never half of a new one."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text file (UTF-8) in one step, with the folders that are missing. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # what the user asked for, not the file beside it
        raise
