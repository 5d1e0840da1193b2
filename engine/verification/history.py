"""A history on paper: JSON lines with canonical bytes, so that equal histories are equal files and have equal digests."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]
History = Sequence[Event]

# Pure ASCII: a lone surrogate, which a JSON text may hold, has no UTF-8 form.
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def canonical(value: Any) -> str:
    """A JSON value as its one canonical text: equal texts mean equal values of equal types (1, 1.0 and true differ)."""
    return _ENCODER.encode(value)


def to_bytes(history: History) -> bytes:
    """The history as canonical JSON lines: sorted names, no blanks, ASCII, a newline after each event."""
    return "".join([_ENCODER.encode(event) + "\n" for event in history]).encode("ascii")


def from_bytes(data: bytes) -> list[Event]:
    """The history in these JSON lines. Raises `ValueError`, which names the line, if one is no event."""
    history = []
    for number, line in enumerate(data.decode("utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} of the history is no JSON: {error.msg}") from None
        if not isinstance(event, dict) or "event" not in event or "t" not in event:
            raise ValueError(f'line {number} of the history is no event: an object with "t" and "event" is needed')
        history.append(event)
    return history


def write(path: Path, history: History) -> None:
    """Write a history file. Raises `OSError`."""
    path.write_bytes(to_bytes(history))


def read(path: Path) -> list[Event]:
    """Read a history file. Raises `OSError`, and `ValueError` if a line is no event."""
    return from_bytes(path.read_bytes())


def digest(history: History) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal: equal digests mean byte-equal histories."""
    return hashlib.sha256(to_bytes(history)).hexdigest()
